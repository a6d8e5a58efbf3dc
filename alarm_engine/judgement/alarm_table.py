"""The alarm table: which incident an item opens, and what that incident asks for. One row a kind; the docs are drawn from it.

The only ground for not closing a valve is a sender that cannot be placed.
"""

from dataclasses import dataclass
from typing import Final, Literal

from core.station import IncidentKind, OrderKind

Sender = Literal["placed", "unknown_account", "unknown_device", "retired", "no_home"]
"""Who sent the item, by the registry: ``placed`` is a device in service in a known home, through any account in service."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one kind of incident asks for."""

    kind: IncidentKind
    opens_from: str
    close: bool
    order: OrderKind
    crew: bool
    call: bool


ALARM_TABLE: Final[dict[IncidentKind, Row]] = {
    row.kind: row
    for row in (
        Row("leak", "a leak of a known home", close=True, order="emergency", crew=True, call=True),
        Row("hotline_report", "an operator, for any address", close=True, order="emergency", crew=True, call=True),
        Row("past_leak", "a late leak; the detector has since reported normal", close=False, order="inspection", crew=True, call=False),
        Row("unknown_sender", "a leak from an unknown or retired sender", close=False, order="triage", crew=False, call=False),
        Row("garbled_alarm", "an undecodable alarm of a registered device", close=False, order="triage", crew=False, call=False),
        Row("canary", "the reserved home, every minute", close=True, order="canary", crew=False, call=True),
    )
}

Gravity = Literal[0, 1, 2]
"""How much was made of an alarm: 0 noted, 1 an incident that closes nothing, 2 a valve to be closed."""

Order = tuple[int, int]

_GRAVITY: Final[dict[str, Gravity]] = {row.kind: 2 if row.close else 1 for row in ALARM_TABLE.values()}
_LONGEST_DELIVERY_MS: Final = 31 * 86_400_000


def gravity(verdict: str) -> Gravity:
    """What an alarm's verdict weighs, a kind of incident or ``noted``. Only what weighed as much before makes a second hearing a repeat."""
    return _GRAVITY.get(verdict, 0)


def leak_kind(sender: Sender, item_order: Order, item_ts: int, last_normal: tuple[Order, int] | None) -> IncidentKind:
    """The kind of incident that a leak item opens.

    ``item_order`` is (boot, seq) of the item and ``item_ts`` its device time in ms; ``last_normal`` the (boot, seq) and ts at which
    the same detector last reported normal. A past leak is older than that normal report by both its order and its time; one that is older
    by more than a month was not delivered late: its device has lost clock and counters, and in doubt the valve closes.
    """
    if sender != "placed":
        return "unknown_sender"
    if last_normal is None or item_order[0] < 0 or item_order[1] < 0:
        return "leak"
    before = item_order < last_normal[0] and last_normal[1] - _LONGEST_DELIVERY_MS <= item_ts <= last_normal[1]
    return "past_leak" if before else "leak"
