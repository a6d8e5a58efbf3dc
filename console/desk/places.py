"""Which estates a person means by the names that he typed. Pure: takes the estates there are, gives the fitting ones, best first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from console.desk.asked import Address, runs_through


@dataclass(frozen=True, slots=True)
class Place:
    """An estate, with the names around it. ``rank``: 0 fits best. ``whole``: its own name holds all that was typed, numbers too."""

    district_code: str
    community: str
    estate: str
    rank: int
    whole: bool = False


def fitting(rows: Iterable[Mapping[str, Any]], asked: Address, limit: int) -> list[Place]:
    """At most ``limit`` of the estates (rows with district_code, district, subdistrict, community, estate), best first."""
    found = [place for row in rows if (place := _place(row, asked)) is not None]
    return sorted(
        found, key=lambda place: (place.rank, not place.whole, len(place.estate), place.estate, place.district_code, place.community)
    )[:limit]


def _place(row: Mapping[str, Any], asked: Address) -> Place | None:
    if asked.district_code is not None and row["district_code"] != asked.district_code:
        return None
    estate = row["estate"].lower()
    around = [row[name].lower() for name in ("district", "subdistrict", "community")]
    whole = bool(asked.whole) and asked.numbered and asked.whole in estate
    rank = 0 if whole else _rank(estate, around, asked.words)
    return None if rank is None else Place(row["district_code"], row["community"], row["estate"], rank, whole)


def _rank(estate: str, around: list[str], words: tuple[str, ...]) -> int | None:
    """How well the words name the estate: 0 by its name, 1 by its beginning, 2 by a part of it, 3 by a name around, 4 loosely."""
    if not words:
        return 3
    best, joined = 3, "".join([*around, estate])
    for word in words:
        if word == estate:
            best = 0
        elif estate.startswith(word):
            best = min(best, 1)
        elif word in estate:
            best = min(best, 2)
        elif not any(word in name for name in around):
            return _loosely(estate, joined, words)
    return best


def _loosely(estate: str, joined: str, words: tuple[str, ...]) -> int | None:
    """Names written together (芙蓉区云栖花园), or with some of their characters left out."""
    typed = "".join(words)
    if estate and typed.endswith(estate) and runs_through(joined, typed):
        return 0
    return 4 if len(typed) >= 2 and runs_through(joined, typed) else None
