"""Does a closed valve hold? Told by the meter's own index, or said not to be tellable. A still index alone is never proof.

Knows two readings of one register and how gas flowed before the close. Refuses to know commands, clocks and who asks.
"""

from dataclasses import dataclass
from typing import Final, Literal

Moved = Literal["back", "still", "one_step", "beyond"]
"""By how much the index moved since the valve was reported closed, in steps of its register. One step may be what the register had
not shown yet when the valve closed; beyond one step, gas passes."""
Watched = Literal["short", "window", "twice"]
"""How long it was watched: less than a window, a window, or two of them."""
Verdict = Literal["begin_again", "wait", "holds", "flows", "not_provable"]

_SHORTEST_S: Final = 60.0
_HALF_STEP: Final = 0.5
_ROUNDING: Final = 1e-6
_HOUR_S: Final = 3600.0

PROOF_TABLE: Final[dict[tuple[Moved, Watched], Verdict]] = {
    ("back", "short"): "begin_again",
    ("back", "window"): "begin_again",
    ("back", "twice"): "begin_again",
    ("still", "short"): "wait",
    ("still", "window"): "holds",
    ("still", "twice"): "holds",
    ("one_step", "short"): "wait",
    # The smallest leak-by moves the index by a step in every window: one step in two windows is less than that.
    ("one_step", "window"): "wait",
    ("one_step", "twice"): "holds",
    ("beyond", "short"): "flows",
    ("beyond", "window"): "flows",
    ("beyond", "twice"): "flows",
}


@dataclass(frozen=True, slots=True)
class Index:
    """The register at one moment: ``volume_m3``, device time ``ts`` and receipt ``received_ms``, both Unix ms."""

    volume_m3: float
    ts: int
    received_ms: int


def window_s(step_m3: float, leak_by_m3h: float, factor: float = 1.0) -> float:
    """Seconds in which the smallest leak-by that shall be seen moves the register by one step; a minute at least. ``factor`` is for
    exercises that compress time.
    """
    return round(max(_SHORTEST_S, step_m3 / leak_by_m3h * _HOUR_S) * factor, 3)


def moved(before: Index, now: Index, step_m3: float) -> Moved:
    """How far the index moved, in steps of ``step_m3``."""
    steps = (now.volume_m3 - before.volume_m3) / step_m3
    if steps < -_HALF_STEP:
        return "back"
    if steps < _HALF_STEP:
        return "still"
    return "one_step" if steps <= 1.0 + _ROUNDING else "beyond"


def watched(before: Index, now: Index, window: float) -> Watched:
    """How long the index was watched, by whichever of both clocks says less: one of them may have stepped."""
    seconds = min(now.ts - before.ts, now.received_ms - before.received_ms) / 1000
    if seconds < window:
        return "short"
    return "window" if seconds < 2 * window else "twice"


def judge(before: Index, now: Index, step_m3: float, window: float, flowed_before: bool | None) -> Verdict:
    """What the index says of the valve since ``before``, the first one after it was reported closed.

    ``flowed_before``: whether gas flowed through this meter before the close; False = seen not to, None = not known. Where none flowed, a
    still index says nothing about the valve; where it is not known, neither, once it has stood for the whole window.
    """
    far = moved(before, now, step_m3)
    if far == "still" and flowed_before is False:
        return "not_provable"
    verdict = PROOF_TABLE[far, watched(before, now, window)]
    return "not_provable" if far == "still" and verdict == "holds" and flowed_before is None else verdict


def flowed_before(flow_m3h: float | None, still_since_ts: int | None, first_ts: int, closed_ts: int, window: float) -> bool | None:
    """Whether gas flowed before the close, from the last flow reported before it and how long the index has stood.

    ``still_since_ts``: device time at which the index shown first after the close was first seen; ``first_ts`` the time of that reading,
    ``closed_ts`` of the close, all Unix ms of the device's clock. None where nothing was heard for a window before the close.
    """
    if flow_m3h is not None and flow_m3h > 0:
        return True
    if still_since_ts is None or flow_m3h is None:
        return None
    if still_since_ts >= first_ts:
        # The index has moved between the last reading before the close and the first one after it.
        return True
    return False if closed_ts - still_since_ts >= window * 1000 else None
