"""Points of a map from the positions of homes, all in one datum, and what goes on at them. Pure.

Decides that a map is drawn in WGS-84 alone: homes measured in the other datum are brought there first, half a kilometre.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from core.registry.datum import to_wgs84

DATUM: Final = "WGS-84"
CONDITIONS: Final = ("blind", "silent", "powerless")
Key = tuple[str, ...]


@dataclass(slots=True)
class Point:
    """Somewhere homes stand: degrees in WGS-84, None where no home of it has a position; ``counts`` by what goes on (blind … open)."""

    key: Key
    homes: int = 0
    lon: float | None = None
    lat: float | None = None
    counts: dict[str, int] = field(default_factory=dict)
    placed: int = 0


def points(rows: Iterable[Mapping[str, Any]], names: Sequence[str]) -> dict[Key, Point]:
    """Points by ``names`` of rows with homes, placed (of them with a position), coord_datum, lon, lat: the mean of their homes."""
    found: dict[Key, Point] = {}
    for row in rows:
        key = tuple(str(row[name]) for name in names)
        point = found.setdefault(key, Point(key))
        point.homes += row["homes"]
        if row["placed"]:
            _move(point, to_wgs84(row["lon"], row["lat"], row["coord_datum"] or DATUM), row["placed"])
    return found


def _move(point: Point, position: tuple[float, float], homes: int) -> None:
    share = homes / (point.placed + homes)
    lon, lat = position
    point.lon = lon if point.lon is None else point.lon + (lon - point.lon) * share
    point.lat = lat if point.lat is None else point.lat + (lat - point.lat) * share
    point.placed += homes


def counted(rows: Iterable[Mapping[str, Any]], names: Sequence[str]) -> dict[Key, dict[str, int]]:
    """What goes on (rows with condition and homes), summed by ``names``."""
    found: dict[Key, dict[str, int]] = {}
    for row in rows:
        counts = found.setdefault(tuple(str(row[name]) for name in names), {})
        counts[row["condition"]] = counts.get(row["condition"], 0) + row["homes"]
    return found
