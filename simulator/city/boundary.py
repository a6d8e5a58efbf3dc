"""Where the real places are: districts with their outlines, communities with a centre.

Decides whether a position lies in a district, and where a community's centre is. The source gives no centres, so each is computed
from the community's administrative code alone: the same in every city and for every seed. All positions here are WGS-84 degrees.
"""

import csv
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

Position = tuple[float, float]
Ring = tuple[Position, ...]
Polygon = tuple[Ring, ...]
"""The outer ring first, then the holes."""

METRES_PER_DEGREE = 111_320.0
# cos(28.2°): how much shorter a degree of longitude is in Changsha.
LONGITUDE_SHRINK = 0.8813


@dataclass(frozen=True, slots=True)
class District:
    """An urban district: its GB/T 2260 code and its outline, one polygon or several."""

    code: str
    polygons: tuple[Polygon, ...]

    def contains(self, position: Position) -> bool:
        """Whether a position lies inside the outline, and in none of its holes."""
        return any(_crossings(outer, position) and not any(_crossings(hole, position) for hole in holes) for outer, *holes in self.polygons)

    def random_inside(self, rng: random.Random) -> Position:
        """A position anywhere inside, each square metre as likely as the next."""
        outer = [position for polygon in self.polygons for position in polygon[0]]
        west, east = min(lon for lon, _ in outer), max(lon for lon, _ in outer)
        south, north = min(lat for _, lat in outer), max(lat for _, lat in outer)
        while True:
            position = (rng.uniform(west, east), rng.uniform(south, north))
            if self.contains(position):
                return position

    def near(self, centre: Position, spread_m: float, rng: random.Random) -> Position:
        """A position inside, `spread_m` metres (one standard deviation) around `centre`; `centre` where none is found."""
        for _ in range(20):
            position = moved(centre, rng.gauss(0.0, spread_m), rng.gauss(0.0, spread_m))
            if self.contains(position):
                return position
        return centre


@dataclass(frozen=True, slots=True)
class Community:
    """A residential community (社区), the smallest real place that we know."""

    code: str
    name: str
    subdistrict: str
    district_code: str
    district: str
    centre: Position


def moved(position: Position, east_m: float, north_m: float) -> Position:
    """A position moved by metres."""
    lon, lat = position
    return lon + east_m / METRES_PER_DEGREE / LONGITUDE_SHRINK, lat + north_m / METRES_PER_DEGREE


def _crossings(ring: Ring, position: Position) -> bool:
    """Whether a ray from the position to the east crosses the ring an odd number of times."""
    lon, lat = position
    inside = False
    before_lon, before_lat = ring[-1]
    for here_lon, here_lat in ring:
        if (here_lat > lat) != (before_lat > lat):
            crosses_at = here_lon + (lat - here_lat) / (before_lat - here_lat) * (before_lon - here_lon)
            inside ^= lon < crosses_at
        before_lon, before_lat = here_lon, here_lat
    return inside


@cache
def districts() -> dict[str, District]:
    """The six urban districts by code."""
    text = files("simulator.data").joinpath("changsha-districts.geojson").read_text(encoding="utf-8")
    found = (_district(feature) for feature in json.loads(text)["features"])
    return {district.code: district for district in found}


def _district(feature: dict[str, dict[str, object]]) -> District:
    return District(str(feature["properties"]["adcode"]), tuple(polygons_of(feature["geometry"])))


def polygons_of(geometry: dict[str, object]) -> Iterator[Polygon]:
    """The polygons of a GeoJSON Polygon or MultiPolygon. Raises ValueError for any other geometry."""
    kind, coordinates = geometry["type"], geometry["coordinates"]
    if kind not in ("Polygon", "MultiPolygon") or not isinstance(coordinates, list):
        raise ValueError(f"a district needs a Polygon or MultiPolygon, got {kind}")
    for rings in coordinates if kind == "MultiPolygon" else [coordinates]:
        yield tuple(tuple((float(lon), float(lat)) for lon, lat in ring) for ring in rings)


@cache
def communities() -> tuple[Community, ...]:
    """Every community of the six districts in the order of their codes, with its centre."""
    text = files("simulator.data").joinpath("changsha-communities.csv").read_text(encoding="utf-8")
    return tuple(_community(row) for row in csv.DictReader(text.splitlines()))


def _community(row: dict[str, str]) -> Community:
    code, subdistrict_code, district_code = row["community_code"], row["subdistrict_code"], row["district_code"]
    district = districts()[district_code]
    # Communities of one subdistrict are neighbours: its middle comes from the subdistrict's part of the code.
    middle = district.random_inside(random.Random(f"subdistrict {subdistrict_code}"))
    centre = district.near(middle, 900.0, random.Random(f"community {code}"))
    return Community(code, row["community"], row["subdistrict"], district_code, row["district"], centre)
