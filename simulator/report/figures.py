"""The figures of one scenario or storm: how long each promise took, in real milliseconds. Pure."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from simulator.report.facts import Facts

SPANS = (("T2_T3", "T3"), ("T2_T6a", "T6a"), ("T2_T8", "T8"))
"""Name of the figure, and the clock that ends it; each begins at T2."""


@dataclass(frozen=True, slots=True)
class Figure:
    """How long something took, in ms: the middle, the 99th of 100, the longest, and how many there were."""

    p50: float
    p99: float
    longest: float
    count: int

    def words(self) -> str:
        """``12 ms``, or middle and 99th for many."""
        return f"{self.p50:.0f}" if self.count == 1 else f"{self.p50:.0f} / {self.p99:.0f}"


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile. Raises ValueError for no values."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def figure(took_ms: Sequence[float]) -> Figure | None:
    """The figure of these times, None where there is none."""
    if not took_ms:
        return None
    return Figure(percentile(took_ms, 0.5), percentile(took_ms, 0.99), max(took_ms), len(took_ms))


def took(facts: Facts, clock: str, kinds: Sequence[str] = ("leak",)) -> list[float]:
    """T2 to ``clock`` of every incident of these kinds where both are known, real ms."""
    found = []
    for incident in facts.incidents:
        received, done = incident.clocks["T2"], incident.clocks[clock]
        if incident.detail["kind"] in kinds and received is not None and done is not None:
            found.append((done - received) / facts.clock_rate)
    return found


def figures(facts: Facts) -> dict[str, dict[str, Any] | None]:
    """The figures by name, as plain values."""
    found = {name: figure(took(facts, clock)) for name, clock in SPANS}
    return {name: None if known is None else asdict(known) for name, known in found.items()}
