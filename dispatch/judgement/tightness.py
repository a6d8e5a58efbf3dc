"""When a tightness test (严密性试验) is passed. Knows the gauge and the set-points, nothing of orders or valves.

The default set-points are trade knowledge (confidence K), to be checked against the standard's text before they are quoted as a rule.
"""

import math
from dataclasses import dataclass

from dispatch.judgement.reasons import REASONS, Reason


@dataclass(frozen=True, slots=True)
class TightnessRule:
    """At least ``minutes`` min from at least ``start_kpa`` kPa; the pressure falls by at most ``drop_kpa`` + one gauge step, in kPa."""

    minutes: float = 3.0
    start_kpa: float = 2.0
    drop_kpa: float = 0.0
    resolution_kpa: float = 0.05


_ROUNDING_KPA = 1e-9


def failures(rule: TightnessRule, start_kpa: float, end_kpa: float, minutes: float) -> tuple[Reason, ...]:
    """Why the test is not passed, nothing when it is. Pressures in kPa, duration in minutes.

    A value that is no finite number fails, and so does a pressure that rose: then the pipe was not shut off from its supply, or the
    gauge was read wrongly.
    """
    if not all(math.isfinite(value) for value in (start_kpa, end_kpa, minutes)):
        return (REASONS["test_not_a_number"],)
    found = []
    if minutes < rule.minutes:
        found.append(REASONS["test_too_short"])
    if start_kpa < rule.start_kpa:
        found.append(REASONS["test_pressure_too_low"])
    allowed = rule.drop_kpa + rule.resolution_kpa + _ROUNDING_KPA
    if start_kpa - end_kpa > allowed:
        found.append(REASONS["test_pressure_fell"])
    if end_kpa - start_kpa > rule.resolution_kpa + _ROUNDING_KPA:
        found.append(REASONS["test_pressure_rose"])
    return tuple(found)
