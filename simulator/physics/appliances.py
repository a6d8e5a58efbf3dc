"""What a household burns through the day.

Decides when the cooker and the water heater come on and what they draw, by the hour of the day and the dice
of the `random.Random` passed in. Refuses to know whether any gas reaches them.
"""

import math
import random
from dataclasses import dataclass, replace

SECONDS_PER_HOUR = 3600.0

# Starts an hour, by local hour of day (0..23): three meals, and washing in the evening.
COOKER_STARTS_PER_HOUR = (
    0, 0, 0, 0, 0, 0.1, 0.5, 0.6, 0.2, 0.1, 0.3, 0.9,
    0.5, 0.1, 0.05, 0.1, 0.4, 0.9, 0.9, 0.3, 0.1, 0.05, 0.02, 0,
)  # fmt: skip
HEATER_STARTS_PER_HOUR = (
    0.02, 0.01, 0, 0, 0, 0.1, 0.6, 0.8, 0.3, 0.2, 0.2, 0.3,
    0.3, 0.2, 0.1, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.9, 0.5, 0.1,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Appliance:
    """One burner: its draw in m3/h, the shortest and longest use, and its starts in each hour of the day."""

    name: str
    draw_m3h: float
    shortest_s: float
    longest_s: float
    starts_per_hour: tuple[float, ...]


COOKER = Appliance("cooker", 0.45, 300.0, 1500.0, COOKER_STARTS_PER_HOUR)
WATER_HEATER = Appliance("water_heater", 2.0, 60.0, 360.0, HEATER_STARTS_PER_HOUR)
HOUSEHOLD = (COOKER, WATER_HEATER)


@dataclass(frozen=True, slots=True)
class Use:
    """The burners of a home now: for each one the seconds that it still burns (0 = off)."""

    appliances: tuple[Appliance, ...] = HOUSEHOLD
    left_s: tuple[float, ...] = (0.0,) * len(HOUSEHOLD)

    @property
    def demand_m3h(self) -> float:
        """What the burners draw together, in m3/h."""
        burning = zip(self.appliances, self.left_s, strict=True)
        return sum(appliance.draw_m3h for appliance, left_s in burning if left_s > 0)


def step(use: Use, dt_s: float, *, second_of_day: float, rng: random.Random) -> Use:
    """The burners `dt_s` seconds later, `second_of_day` being local time at the start of the step.

    Each burner throws exactly two dice a step, burning or not, so that the dice of an evening do not depend on
    what the morning came to. Raises ValueError for a negative time.
    """
    if dt_s < 0:
        raise ValueError("time cannot be negative")
    hour = int(second_of_day // SECONDS_PER_HOUR) % 24
    left = tuple(
        _burnt(appliance, left_s, dt_s, hour, rng.random(), rng.random())
        for appliance, left_s in zip(use.appliances, use.left_s, strict=True)
    )
    return use if left == use.left_s else replace(use, left_s=left)


def _burnt(appliance: Appliance, left_s: float, dt_s: float, hour: int, start: float, length: float) -> float:
    if left_s > dt_s:
        return left_s - dt_s
    if left_s > 0:
        return 0.0
    starts = 1.0 - math.exp(-appliance.starts_per_hour[hour] * dt_s / SECONDS_PER_HOUR)
    if start >= starts:
        return 0.0
    return appliance.shortest_s + length * (appliance.longest_s - appliance.shortest_s)
