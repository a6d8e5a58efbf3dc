"""Which crew goes, and which waiting order is next. Knows places, shifts and who is free; refuses to know roads and traffic.

Distances are as the crow flies, both ends brought to WGS-84 first (``core.registry.datum``).
A simulated crew only ever works for a simulated home, and a real one for a real home.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from core.local_time import AHEAD_MS
from core.registry.datum import Datum, to_wgs84
from dispatch.judgement.reasons import Reason

POSITION_HOLDS_MS: Final = 30 * 60_000
"""A crew is where it told, for so long; after that it is taken to be at its post again: it went home, or its phone is silent."""

EARTH_RADIUS_M: Final = 6_371_008.8
_DAY_MIN: Final = 24 * 60

CREW_GONE: Final = Reason("crew_gone", "该抢修队已撤销", "that crew is no more")
TECHNICIAN_GONE: Final = Reason("technician_gone", "抢修人员已离队", "the technician has left that crew")
OFF_DUTY: Final = Reason("crew_off_duty", "该抢修队已下班，未接单", "that crew has gone off duty without accepting")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where somebody is wanted or stands: degrees with their datum, None where unknown, and the district."""

    lon: float | None
    lat: float | None
    coord_datum: Datum | None
    district_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """A crew, its last known position, its shift as HH:MM local time, and the technician who leads it (None = nobody)."""

    crew_id: str
    place: Place
    shift_start: str
    shift_end: str
    simulated: bool
    free: bool
    technician_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingOrder:
    """An order without a crew."""

    order_id: str
    place: Place
    simulated: bool
    priority: int
    created_ms: int


@dataclass(frozen=True, slots=True)
class Choice:
    """The crew that goes, and how far away it is in metres (None where a position is unknown)."""

    crew: Crew
    distance_m: float | None


def on_duty(shift_start: str, shift_end: str, now_ms: int) -> bool:
    """Whether ``now_ms`` (Unix ms) lies in the shift, local time of Shanghai, start included and end not.

    ``22:00``-``06:00`` runs across midnight; ``00:00``-``24:00`` and equal times are always on duty. An unreadable time is off duty.
    """
    start, end = _minute(shift_start), _minute(shift_end)
    if start is None or end is None:
        return False
    minute = ((now_ms + AHEAD_MS) // 60_000) % _DAY_MIN
    if start == end or (start == 0 and end == _DAY_MIN):
        return True
    if start < end:
        return start <= minute < end
    return minute >= start or minute < end


def gone(shift_start: str, shift_end: str, *, in_service: bool, technician_there: bool, now_ms: int) -> Reason | None:
    """Why nobody will accept what was assigned to a crew, None while somebody may.

    ``in_service``: the crew stands in the registry. ``technician_there``: who was told of the order is still one of it.
    """
    if not in_service:
        return CREW_GONE
    if not technician_there:
        return TECHNICIAN_GONE
    return None if on_duty(shift_start, shift_end, now_ms) else OFF_DUTY


def nearest(place: Place, simulated: bool, crews: Iterable[Crew], now_ms: int) -> Choice | None:
    """The nearest crew that is free, on duty, manned and of the same world as the home; None when there is none.

    Where the home or a crew has no position, a crew of the home's own district comes before the others. Equal crews go by id, so that
    the same facts always give the same answer.
    """
    able = [
        c
        for c in crews
        if c.free and c.technician_id is not None and c.simulated is simulated and on_duty(c.shift_start, c.shift_end, now_ms)
    ]
    if not able:
        return None
    choices = [Choice(crew, _between(place, crew.place)) for crew in able]

    def nearness(choice: Choice) -> tuple[bool, float, bool, str]:
        away = choice.distance_m
        elsewhere = choice.crew.place.district_code != place.district_code
        return (away is None, away if away is not None else 0.0, elsewhere, choice.crew.crew_id)

    return min(choices, key=nearness)


def in_turn(orders: Iterable[WaitingOrder]) -> list[WaitingOrder]:
    """Waiting orders in the order in which they get a crew: by priority, then the oldest."""
    return sorted(orders, key=lambda order: (order.priority, order.created_ms, order.order_id))


def share_out(
    orders: Iterable[WaitingOrder], crews: Iterable[Crew], now_ms: int, not_to: Mapping[str, str]
) -> list[tuple[WaitingOrder, Choice]]:
    """Which waiting order gets which free crew now. No crew is given two orders.

    ``not_to`` maps an order's id to a crew that must not get it.
    """
    left = {crew.crew_id: crew for crew in crews}
    given = []
    for order in in_turn(orders):
        able = (crew for crew in left.values() if crew.crew_id != not_to.get(order.order_id))
        choice = nearest(order.place, order.simulated, able, now_ms)
        if choice is not None:
            del left[choice.crew.crew_id]
            given.append((order, choice))
    return given


def distance_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance in metres between two (longitude, latitude) in degrees of one datum (haversine)."""
    lat_a, lat_b = math.radians(a[1]), math.radians(b[1])
    half_lat, half_lon = (lat_b - lat_a) / 2, math.radians(b[0] - a[0]) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, chord)))


def _between(home: Place, crew: Place) -> float | None:
    if home.lon is None or home.lat is None or crew.lon is None or crew.lat is None:
        return None
    here = to_wgs84(home.lon, home.lat, home.coord_datum or "WGS-84")
    there = to_wgs84(crew.lon, crew.lat, crew.coord_datum or "WGS-84")
    return distance_m(here, there)


def _minute(clock: str) -> int | None:
    hours, colon, minutes = clock.partition(":")
    if not (colon and hours.isdigit() and minutes.isdigit()):
        return None
    minute = int(hours) * 60 + int(minutes)
    return minute if minute <= _DAY_MIN and int(minutes) < 60 else None
