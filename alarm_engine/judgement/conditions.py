"""What one item says of a home's watchfulness: can its detector detect, has it mains, when is its silence too long.

Blind, powerless and silent are conditions of a home and no incidents. This module knows one item at a time; it refuses to know what
was said before, what time it is and whom it concerns.
"""

from dataclasses import dataclass
from typing import Final, Literal

from core.items import AlarmItem, DetectorReading, Item

Condition = Literal["blind", "silent", "powerless"]
CONDITIONS: Final[tuple[Condition, ...]] = ("blind", "silent", "powerless")

Sight = Literal["sees", "preheat", "fault", "end_of_life", "clock", "fault_cleared"]
"""What an item says of its detector's sight. ``preheat`` is blind once it lasts, ``fault_cleared`` ends a fault and nothing else."""
Power = Literal["mains", "battery", "power_lost"]

_DAY_MS: Final = 86_400_000
_SIGHT_OF_STATE: Final[dict[str, Sight]] = {
    "normal": "sees",
    "warning": "sees",
    "alarm": "sees",
    "preheat": "preheat",
    "fault": "fault",
    "end_of_life": "end_of_life",
}
_SIGHT_OF_EVENT: Final[dict[str, Sight]] = {
    "leak": "sees",
    "leak_cleared": "sees",
    "fault": "fault",
    "fault_cleared": "fault_cleared",
    "end_of_life": "end_of_life",
}
_POWER_OF_EVENT: Final[dict[str, Power]] = {"power_lost": "power_lost", "power_restored": "mains"}


@dataclass(frozen=True, slots=True)
class ClockBounds:
    """Device times that can be true: ``ahead_ms`` after and ``behind_days`` before the platform's own."""

    ahead_ms: float
    behind_days: int

    def nonsense(self, item: Item) -> bool:
        """Whether the item's own time cannot be: its leaks could not be told from old ones."""
        return item.ts > item.received_ms + self.ahead_ms or item.ts < item.received_ms - self.behind_days * _DAY_MS


def sight(item: Item, clock: ClockBounds) -> Sight | None:
    """What a detector's item says of its sight; None where it says nothing (an unreadable state, a self-test, a last gasp)."""
    if isinstance(item, DetectorReading):
        said = None if item.state is None else _SIGHT_OF_STATE.get(item.state)
    elif isinstance(item, AlarmItem):
        said = None if item.event is None else _SIGHT_OF_EVENT.get(item.event)
    else:
        return None
    return "clock" if said == "sees" and clock.nonsense(item) else said


def power(item: Item) -> Power | None:
    """What an item says of the mains; None where it says nothing."""
    if isinstance(item, AlarmItem):
        return None if item.event is None else _POWER_OF_EVENT.get(item.event)
    if isinstance(item, DetectorReading):
        return "mains" if item.power == "mains" else "battery" if item.power == "battery" else None
    return None


def silent_after_s(
    connectivity: str | None, report_interval_s: float | None, *, usual_s: float, usual_psm_s: float, intervals: float
) -> float:
    """Seconds after which a device that says nothing is silent: so many of its own reporting intervals."""
    usual = usual_psm_s if connectivity == "psm" else usual_s
    return intervals * (report_interval_s or usual)


def building_dark(dark_at_once: int, homes_of_building: int, *, at_least: int) -> bool:
    """Whether so many homes that lost their mains at once are one power cut: at least so many, and most of the building."""
    return dark_at_once >= at_least and 2 * dark_at_once > homes_of_building
