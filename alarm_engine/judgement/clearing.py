"""Does the methane in a room fall? One table from what the detector shows to what is said; silence is never clearing.

Knows the readings of one incident's detectors since the leak. Refuses to know the valve, but for how long it has been closed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from core.station import ClearingKnowledge

Trend = Literal["falls", "rises", "neither"]

_UNDER_PEAK: Final = 0.8
_NEAR_LOWEST: Final = 1.1
_ABOVE_LOWEST: Final = 1.25

CLEARING_TABLE: Final[dict[tuple[ClearingKnowledge, Trend, bool], ClearingKnowledge]] = {
    ("unknown", "falls", False): "clearing",
    ("unknown", "falls", True): "clearing",
    ("unknown", "rises", False): "unknown",
    ("unknown", "rises", True): "not_clearing",
    ("unknown", "neither", False): "unknown",
    ("unknown", "neither", True): "not_clearing",
    ("clearing", "falls", False): "clearing",
    ("clearing", "falls", True): "clearing",
    # It rises again: what was said is void, and the time to fall begins anew.
    ("clearing", "rises", False): "unknown",
    ("clearing", "rises", True): "unknown",
    ("clearing", "neither", False): "clearing",
    ("clearing", "neither", True): "clearing",
    ("not_clearing", "falls", False): "clearing",
    ("not_clearing", "falls", True): "clearing",
    ("not_clearing", "rises", False): "not_clearing",
    ("not_clearing", "rises", True): "not_clearing",
    ("not_clearing", "neither", False): "not_clearing",
    ("not_clearing", "neither", True): "not_clearing",
}
"""(what was said, the trend now, whether the valve is closed for longer than the room may take) -> what is said."""


@dataclass(frozen=True, slots=True)
class Room:
    """One detector's methane in %LEL: its ``peak``, the ``lowest`` value after it, and the ``last``."""

    peak: float
    lowest: float
    last: float


def seen(room: Room | None, value: float, set_point_lel: float) -> tuple[Room, bool]:
    """The room after one more reading, and whether it rises again (then the reading is the new peak to fall from)."""
    if room is None or value > room.peak:
        return Room(value, value, value), room is not None
    if value >= set_point_lel and value > room.lowest * _ABOVE_LOWEST:
        return Room(value, value, value), True
    return Room(room.peak, min(room.lowest, value), value), False


def falls(room: Room, set_point_lel: float) -> bool:
    """Below the set-point; or a fifth under the peak and at its lowest."""
    return room.last < set_point_lel or (room.last <= _UNDER_PEAK * room.peak and room.last <= _NEAR_LOWEST * room.lowest)


def trend(rooms: Iterable[Room], set_point_lel: float, rises: bool) -> Trend:
    """One word for all detectors that reported the leak: it falls only where each of them falls. No reading is no trend."""
    found = list(rooms)
    if rises:
        return "rises"
    return "falls" if found and all(falls(room, set_point_lel) for room in found) else "neither"


def after(said: ClearingKnowledge, trend_now: Trend, late: bool) -> ClearingKnowledge:
    """What is said of the room. ``late``: it was read after the close, and it has had its time to fall."""
    return CLEARING_TABLE[said, trend_now, late]


def before_the_meter(proof: str, clearing: ClearingKnowledge) -> bool:
    """A valve that shuts and a room that does not clear: the gas comes from before the meter."""
    return proof in ("holds", "not_provable") and clearing == "not_clearing"
