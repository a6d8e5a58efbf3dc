"""How urgent an order is. 1 is worked first. Knows facts of home, valve and call; refuses to know who is free."""

from collections.abc import Collection
from typing import Final

from core.station import OrderKind, ValveKnowledge

FIRST: Final = 1
LAST: Final = 9

_BASE: Final[dict[OrderKind, int]] = {"emergency": 3, "triage": 5, "inspection": 6, "canary": LAST}

VULNERABLE: Final = frozenset({"lives_alone", "infirm", "infant", "hard_of_hearing"})
"""Flags of a home whose people may not help themselves: one step more urgent, and the neighbour is rung at once."""

NOT_SHUT: Final[frozenset[ValveKnowledge]] = frozenset({"gas_still_flows", "no_answer", "refused", "travel_time_over"})
"""What is known of a valve that was told to close and did not."""


def is_vulnerable(flags: Collection[str]) -> bool:
    """Whether the neighbour contact comes in at once."""
    return not VULNERABLE.isdisjoint(flags)


def priority(kind: OrderKind, flags: Collection[str], valve: ValveKnowledge, *, help_needed: bool = False) -> int:
    """The order's priority, 1 (first) to 9. Each raising fact counts one step; somebody asking for help is always first."""
    if kind == "canary":
        return LAST
    if help_needed:
        return FIRST
    raised = int(is_vulnerable(flags)) + int(valve in NOT_SHUT)
    return max(FIRST, _BASE[kind] - raised)
