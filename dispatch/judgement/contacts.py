"""Who of a home's people may be rung, and in which order. Refuses every address that belongs to the other world.

A simulated home is rung only at ``sip:...@sim.invalid``; any other home only at a telephone number, never at a ``sip:`` address.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from core.station import ContactFacts
from dispatch.judgement.priority import is_vulnerable

NEIGHBOURLY: Final = frozenset({"neighbour", "property", "grid_officer"})
"""Roles of people nearby who are not of the household."""

_SIMULATED = re.compile(r"sip:[0-9A-Za-z+*#._-]{1,32}@sim\.invalid")
_NUMBER = re.compile(r"\+?[0-9][0-9\s().-]{3,30}")
_SPACING = re.compile(r"[\s().-]+")


@dataclass(frozen=True, slots=True)
class CallingOrder:
    """``people`` as they are rung, ``lines`` of them at a time; ``refused`` have an address that this home may not have."""

    people: tuple[ContactFacts, ...]
    refused: tuple[ContactFacts, ...]
    lines: int


def calling_order(
    contacts: Collection[ContactFacts], flags: Collection[str], *, simulated: bool, exclude: str | None = None
) -> CallingOrder:
    """Contacts by position, each number once, without ``exclude`` (the caller of a report).

    Where people may not help themselves, the first neighbourly contact (or else the second contact) is rung together with the first.
    """
    people: list[ContactFacts] = []
    refused: list[ContactFacts] = []
    seen = {_same(exclude)} if exclude else set()
    for contact in sorted(contacts, key=lambda c: c.position):
        if _same(contact.phone) in seen:
            continue
        seen.add(_same(contact.phone))
        (people if may_ring(contact.phone, simulated=simulated) else refused).append(contact)
    lines = 1
    if is_vulnerable(flags) and len(people) > 1:
        lines = 2
        near = next((i for i, c in enumerate(people) if i > 0 and c.role in NEIGHBOURLY), 1)
        people.insert(1, people.pop(near))
    return CallingOrder(tuple(people), tuple(refused), lines)


def may_ring(address: str, *, simulated: bool) -> bool:
    """Whether a home of this world may be rung at this address."""
    if simulated:
        return _SIMULATED.fullmatch(address) is not None
    return _NUMBER.fullmatch(address) is not None


def _same(phone: str) -> str:
    digits = _SPACING.sub("", phone)
    return digits.removeprefix("+86") if digits.startswith("+86") else digits
