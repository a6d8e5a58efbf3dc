"""Units of gas and their conversions. The lower explosive limit used is recorded beside every converted value.

Source of the 5 %vol limit for methane: Chinese practice (10 %LEL = 0.5 %vol = 5,000 ppm). IEC tables use 4.4 %vol.
"""

from typing import Final, Literal

RawUnit = Literal["ppm", "%vol", "%LEL"]

METHANE_LEL_VOL_PERCENT: Final = 5.0


def to_lel_percent(value: float, unit: RawUnit, lel_vol_percent: float = METHANE_LEL_VOL_PERCENT) -> float:
    """A methane concentration in %LEL. ``value`` is in ``unit``; ``lel_vol_percent`` in %vol."""
    if unit == "%LEL":
        return value
    vol_percent = value if unit == "%vol" else value / 10_000
    return vol_percent / lel_vol_percent * 100


def to_vol_percent(lel_percent: float, lel_vol_percent: float = METHANE_LEL_VOL_PERCENT) -> float:
    """A concentration in %vol from %LEL."""
    return lel_percent * lel_vol_percent / 100
