"""Two ways to name a place in China: WGS-84 (what GPS gives) and GCJ-02 (what Chinese maps draw on).

Decides how a position goes from one to the other; taken for the other it is about half a kilometre off. Source: the published
approximation of the GCJ-02 offset, good to a metre or two in China. Knows nothing of homes.
"""

import math
from typing import Literal

Datum = Literal["WGS-84", "GCJ-02"]

_SEMI_MAJOR_M = 6_378_245.0
_ECCENTRICITY_SQUARED = 0.006_693_421_622_965_943


def wgs84_to_gcj02(lon: float, lat: float) -> tuple[float, float]:
    """The GCJ-02 longitude and latitude, in degrees, of a WGS-84 position in China."""
    x, y = lon - 105.0, lat - 35.0
    waves = 20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + waves * 2.0 / 3.0
    north += (20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    north += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + waves * 2.0 / 3.0
    east += (20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    east += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    latitude_rad = math.radians(lat)
    bulge = 1.0 - _ECCENTRICITY_SQUARED * math.sin(latitude_rad) ** 2
    meridian_m = _SEMI_MAJOR_M * (1.0 - _ECCENTRICITY_SQUARED) / (bulge * math.sqrt(bulge))
    parallel_m = _SEMI_MAJOR_M / math.sqrt(bulge) * math.cos(latitude_rad)
    return lon + math.degrees(east / parallel_m), lat + math.degrees(north / meridian_m)


def to_wgs84(lon: float, lat: float, datum: Datum) -> tuple[float, float]:
    """The WGS-84 longitude and latitude, in degrees, of a position given in either datum."""
    if datum == "WGS-84":
        return lon, lat
    guess_lon, guess_lat = lon, lat
    # The offset changes by far less than itself from place to place, so that three rounds are exact to far below a metre.
    for _ in range(3):
        there_lon, there_lat = wgs84_to_gcj02(guess_lon, guess_lat)
        guess_lon, guess_lat = guess_lon + lon - there_lon, guess_lat + lat - there_lat
    return guess_lon, guess_lat
