"""A request that the line refuses, with its ground in both languages."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refused(Exception):  # noqa: N818  an answer, not a fault
    """The line will not do it: ``reason`` from a closed list, with its wording."""

    reason: str
    zh: str
    en: str
