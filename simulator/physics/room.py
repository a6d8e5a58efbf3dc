"""How methane gathers and clears in one room.

Decides the concentration of a well-mixed room with a leak and a supply of fresh air, in closed form, so that
one step of an hour gives the same as 3,600 steps of a second. Refuses to know where the gas comes from, who
opens a window, and what anybody measures.
"""

import math
from dataclasses import dataclass

from core.units import to_lel_percent, to_vol_percent

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class RoomAir:
    """The air of a room: its volume and the share of it that is methane, in %vol (0..100)."""

    volume_m3: float
    ch4_percent_vol: float = 0.0

    def __post_init__(self) -> None:
        if not self.volume_m3 > 0:
            raise ValueError(f"a room needs a volume over 0 m3, got {self.volume_m3}")
        if not 0.0 <= self.ch4_percent_vol <= 100.0:
            raise ValueError(f"methane must be 0..100 %vol, got {self.ch4_percent_vol}")

    @property
    def ch4_lel(self) -> float:
        """The concentration in %LEL: 100 where the room becomes explosive, 2,000 in pure methane."""
        return to_lel_percent(self.ch4_percent_vol, "%vol")


def step(air: RoomAir, dt_s: float, *, leak_m3h: float, ventilation_ach: float) -> RoomAir:
    """The air `dt_s` seconds later; `leak_m3h` of methane enters, the air changes `ventilation_ach` times an hour.

    The leak pushes out as much room air as it brings gas, so that the room never holds more than 100 %vol.
    Raises ValueError for a negative input.
    """
    if dt_s < 0 or leak_m3h < 0 or ventilation_ach < 0:
        raise ValueError("time, leak and ventilation cannot be negative")
    through_m3h = leak_m3h + ventilation_ach * air.volume_m3
    if through_m3h == 0.0:
        return air
    steady = steady_percent_vol(air.volume_m3, leak_m3h=leak_m3h, ventilation_ach=ventilation_ach)
    kept = math.exp(-through_m3h / air.volume_m3 * dt_s / SECONDS_PER_HOUR)
    reached = steady + (air.ch4_percent_vol - steady) * kept
    return RoomAir(air.volume_m3, min(100.0, max(0.0, reached)))


def steady_percent_vol(volume_m3: float, *, leak_m3h: float, ventilation_ach: float) -> float:
    """The concentration, %vol, that the room approaches if nothing changes; 0 without leak and ventilation."""
    through_m3h = leak_m3h + ventilation_ach * volume_m3
    return 100.0 * leak_m3h / through_m3h if through_m3h > 0 else 0.0


def seconds_to_lel(air: RoomAir, lel: float, *, leak_m3h: float, ventilation_ach: float) -> float | None:
    """Seconds until the room reaches `lel` %LEL from below or falls to it from above; None if it never does."""
    wanted = to_vol_percent(lel)
    if wanted == air.ch4_percent_vol:
        return 0.0
    steady = steady_percent_vol(air.volume_m3, leak_m3h=leak_m3h, ventilation_ach=ventilation_ach)
    through_m3h = leak_m3h + ventilation_ach * air.volume_m3
    if through_m3h == 0.0 or air.ch4_percent_vol == steady:
        return None
    left = (wanted - steady) / (air.ch4_percent_vol - steady)
    if not 0.0 < left < 1.0:
        return None
    return -math.log(left) * air.volume_m3 / through_m3h * SECONDS_PER_HOUR
