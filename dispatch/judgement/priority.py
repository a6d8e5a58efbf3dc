"""How urgent an order is. 1 is worked first. Knows facts of home, valve, room and call; refuses to know who is free."""

from collections.abc import Collection
from typing import Final

from core.station import OrderKind
from dispatch.judgement.answers import Answers

FIRST: Final = 1
"""Somebody in the home asked for help: nothing else is as urgent."""
URGENT: Final = 2
"""The most urgent short of that: gas goes on although the valve was told to close."""
LAST: Final = 9

_BASE: Final[dict[OrderKind, int]] = {"emergency": 4, "triage": 5, "inspection": 6, "canary": LAST}

VULNERABLE: Final = frozenset({"lives_alone", "infirm", "infant", "hard_of_hearing"})
"""Flags of a home whose people may not help themselves: one step more urgent, and the neighbour is rung at once."""


def is_vulnerable(flags: Collection[str]) -> bool:
    """Whether the neighbour contact comes in at once."""
    return not VULNERABLE.isdisjoint(flags)


def priority(kind: OrderKind, flags: Collection[str], answers: Answers, *, help_needed: bool = False) -> int:
    """The order's priority, 1 (first) to 9.

    An emergency where gas goes on (valve not shut, gas still flows, room not clearing, leak before the meter) is at :data:`URGENT`;
    anything else rises by one step for each reason and never beyond that.
    """
    if kind == "canary":
        return LAST
    if help_needed:
        return FIRST
    if kind == "emergency" and answers.danger:
        return URGENT
    return max(URGENT, _BASE[kind] - int(is_vulnerable(flags)) - int(answers.danger))
