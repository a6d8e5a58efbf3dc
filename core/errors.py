"""One root for every error that is ours, split by who is at fault.

A bad reading is never an error: it is a value (see ``gateway.decode.Rejection``). What is raised here means that our own world,
or a request of a person, is wrong.
"""

from dataclasses import dataclass


class GasSentinelError(Exception):
    """Root of all errors raised on purpose by this product."""


class UserError(GasSentinelError):
    """A person asked for something that cannot be done: shown as one line in both languages, never as a traceback."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{en} / {zh}")
        self.zh = zh
        self.en = en


@dataclass(frozen=True, slots=True)
class Problem:
    """One bad row of an imported file: its line number (1 is the header) and the reason in both languages."""

    line: int
    zh: str
    en: str


class RegistryError(GasSentinelError):
    """A registry file was refused whole; nothing of it was loaded."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"line {p.line}: {p.en} / {p.zh}" for p in problems[:5]))
        self.problems = problems


class LinkError(GasSentinelError):
    """The broker refused the connection, or it is not there."""
