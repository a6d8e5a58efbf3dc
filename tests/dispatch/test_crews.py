"""Which crew goes: near, free, on duty, of the same world."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.registry.datum import wgs84_to_gcj02
from dispatch.judgement.crews import Crew, Place, WaitingOrder, in_turn, nearest, on_duty, share_out

HOUR_MS = 3_600_000
MIDNIGHT_MS = 1_775_059_200_000  # 2 April 2026, 00:00 in Shanghai
HOME = Place(lon=112.94, lat=28.23, coord_datum="WGS-84", district_code="430104")


def crew(crew_id: str, lon: float | None = 112.95, lat: float | None = 28.23, **changes: Any) -> Crew:
    facts: dict[str, Any] = {
        "place": Place(lon=lon, lat=lat, coord_datum="WGS-84", district_code=changes.pop("district", "430104")),
        "shift_start": "00:00",
        "shift_end": "24:00",
        "simulated": True,
        "free": True,
        "technician_id": f"{crew_id}-1",
    }
    return Crew(crew_id=crew_id, **{**facts, **changes})


def chosen(*crews: Crew, now_ms: int = MIDNIGHT_MS, home: Place = HOME, simulated: bool = True) -> str | None:
    choice = nearest(home, simulated, crews, now_ms)
    return None if choice is None else choice.crew.crew_id


def test_the_nearest_goes() -> None:
    assert chosen(crew("far", 113.1), crew("near", 112.945), crew("middle", 112.98)) == "near"
    choice = nearest(HOME, True, [crew("one", 112.95)], MIDNIGHT_MS)
    assert choice is not None
    assert choice.distance_m == pytest.approx(979, abs=2)


@pytest.mark.parametrize(
    "why_not", [{"free": False}, {"technician_id": None}, {"simulated": False}, {"shift_start": "08:00", "shift_end": "17:00"}]
)
def test_the_nearest_that_can(why_not: dict[str, Any]) -> None:
    assert chosen(crew("near", 112.945, **why_not), crew("far", 113.1)) == "far"


def test_a_real_home_never_gets_a_simulated_crew() -> None:
    assert chosen(crew("played"), simulated=False) is None
    assert chosen(crew("real", simulated=False), simulated=True) is None


def test_the_two_datums_are_brought_together() -> None:
    lon, lat = wgs84_to_gcj02(112.9402, 28.23)
    beside = crew("beside", place=Place(lon=lon, lat=lat, coord_datum="GCJ-02"))
    choice = nearest(HOME, True, [beside, crew("in between", 112.9425)], MIDNIGHT_MS)
    assert choice is not None
    assert choice.crew.crew_id == "beside"
    assert choice.distance_m == pytest.approx(19.6, abs=3)


def test_without_a_position_the_own_district_comes_first() -> None:
    nowhere = Place(lon=None, lat=None, coord_datum=None, district_code="430104")
    assert chosen(crew("a", district="430102"), crew("b", district="430104"), home=nowhere) == "b"
    assert chosen(crew("a", None, None), crew("b", 113.4)) == "b"


@pytest.mark.parametrize(
    ("start", "end", "hour", "duty"),
    [
        ("08:00", "20:00", 8, True),
        ("08:00", "20:00", 20, False),
        ("08:00", "20:00", 3, False),
        ("22:00", "06:00", 23, True),
        ("22:00", "06:00", 5, True),
        ("22:00", "06:00", 6, False),
        ("22:00", "06:00", 12, False),
        ("00:00", "24:00", 0, True),
        ("20:00", "24:00", 23, True),
        ("20:00", "24:00", 0, False),
        ("soon", "24:00", 0, False),
        ("08:00", "25:00", 9, False),
    ],
)
def test_shifts_are_local_time_and_may_cross_midnight(start: str, end: str, hour: int, duty: bool) -> None:
    assert on_duty(start, end, MIDNIGHT_MS + hour * HOUR_MS) is duty


def order(order_id: str, priority: int, created_ms: int) -> WaitingOrder:
    return WaitingOrder(order_id=order_id, place=HOME, simulated=True, priority=priority, created_ms=created_ms)


def test_waiting_orders_go_by_priority_then_age() -> None:
    waiting = [order("old", 3, 1), order("new", 3, 9), order("urgent", 1, 5), order("visit", 6, 0)]
    assert [o.order_id for o in in_turn(waiting)] == ["urgent", "old", "new", "visit"]
    given_out = share_out(waiting, [crew("a"), crew("b")], MIDNIGHT_MS, {})
    assert [o.order_id for o, _ in given_out] == ["urgent", "old"]


def test_an_order_does_not_go_back_to_the_crew_it_was_taken_from() -> None:
    assert share_out([order("x", 3, 1)], [crew("a")], MIDNIGHT_MS, {"x": "a"}) == []


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5), st.booleans()), max_size=12),
    st.lists(st.tuples(st.floats(112, 114), st.booleans(), st.booleans()), max_size=12),
)
def test_no_crew_is_given_two_orders_nor_an_order_of_another_world(
    orders: list[tuple[int, int, bool]], able: list[tuple[float, bool, bool]]
) -> None:
    waiting = [
        WaitingOrder(order_id=f"o{i}", place=HOME, simulated=simulated, priority=priority, created_ms=created)
        for i, (priority, created, simulated) in enumerate(orders)
    ]
    crews = [crew(f"c{i}", lon, free=free, simulated=simulated) for i, (lon, free, simulated) in enumerate(able)]
    given_out = share_out(waiting, crews, MIDNIGHT_MS, {})
    assert len({choice.crew.crew_id for _, choice in given_out}) == len(given_out)
    assert all(o.simulated is choice.crew.simulated and choice.crew.free for o, choice in given_out)
    for simulated in (True, False):
        free = sum(c.free and c.simulated is simulated for c in crews)
        assert sum(o.simulated is simulated for o, _ in given_out) == min(free, sum(o.simulated is simulated for o in waiting))
