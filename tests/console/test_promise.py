"""Today's promise kept: what counts, what is still pending, and what cannot be promised."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from console.desk.promise_kept import day_of, promises
from tests.console.desk_stage import Desk, person, running_desk
from tests.console.stage import T0, Records

NOW = T0 + 3_600_000


def _leak(T2: int = T0, **values: Any) -> dict[str, Any]:  # noqa: N803  the clock's name
    clocks: dict[str, Any] = {"T2": T2, "T3": T2 + 2, "T6a": T2 + 300, "T8": T2 + 60, "T11": T2 + 900_000}
    return {**clocks, "can_close": True, "can_ring": True, **values}


def test_a_promise_is_kept_up_to_the_last_millisecond() -> None:
    found = promises([_leak(T3=T0 + 1000), _leak(T3=T0 + 1001)], NOW)
    assert (found.close_sent.kept, found.close_sent.of, found.close_sent.worst_ms) == (1, 2, 1001)
    assert (found.on_site.kept, found.on_site.of) == (2, 2)
    late = promises([_leak(T11=T0 + 1_800_000), _leak(T11=T0 + 1_800_001)], NOW)
    assert (late.on_site.kept, late.on_site.of) == (1, 2)


def test_what_has_still_time_is_pending_and_what_has_none_is_missed() -> None:
    waiting = _leak(T2=NOW - 500, T3=None, T6a=None, T8=None, T11=None)
    found = promises([waiting], NOW)
    for kept in (found.close_sent, found.called, found.ordered, found.on_site):
        assert (kept.kept, kept.of, kept.pending, kept.worst_ms) == (0, 0, 1, None)
    missed = promises([waiting], NOW + 501)
    assert (missed.close_sent.of, missed.close_sent.pending) == (1, 0)
    assert (missed.on_site.of, missed.on_site.pending) == (0, 1)
    assert promises([waiting], NOW + 1_800_000).on_site.of == 1


def test_what_cannot_be_promised_is_not_counted() -> None:
    found = promises([_leak(can_close=False, T3=None), _leak(can_ring=False, T6a=None)], NOW)
    assert (found.close_sent.of, found.called.of, found.ordered.of) == (1, 1, 2)


def test_an_order_that_was_there_before_the_leak_counts_as_at_once() -> None:
    found = promises([_leak(T8=T0 - 5000, T6a=T0 - 4000)], NOW)
    assert (found.ordered.kept, found.ordered.worst_ms, found.called.kept) == (1, 0, 1)


def test_a_day_without_leaks_has_nothing_to_keep() -> None:
    found = promises([], NOW)
    assert (found.leaks, found.close_sent.of, found.close_sent.worst_ms) == (0, 0, None)


@pytest.mark.parametrize(
    ("at_ms", "day", "start_ms"),
    [
        (1_775_059_200_000, "2026-04-02", 1_775_059_200_000),
        (1_775_059_199_999, "2026-04-01", 1_774_972_800_000),
        (1_775_145_599_999, "2026-04-02", 1_775_059_200_000),
    ],
)
def test_the_day_is_that_of_changsha(at_ms: int, day: str, start_ms: int) -> None:
    assert day_of(at_ms) == (day, start_ms)


# --- on a real database ---------------------------------------------------------------------------------------------------------


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    async with running_desk(database) as found:
        yield found


def _contacts(**more: Any) -> dict[str, Any]:
    contact = {"position": 1, "name": "周敏", "role": "resident", "phone": "sip:1@sim.invalid"}
    return {"contacts": [contact], "district_code": "430102", **more}


async def test_the_clocks_of_today_are_counted(desk: Desk, records: Records) -> None:
    now = desk.running.clock.now_ms()
    _, start = day_of(now)
    at = max(start, now - 10_000)
    for number in (1, 2, 3):
        records.home(number)
    first = records.incident(1, received_ms=at, close_sent_ms=at + 3, home=_contacts())
    records.order(first, 1, at_ms=at + 70, on_site_ms=at + 1200)
    records.call(first, at_ms=at + 80, placed_ms=at + 400)
    records.call(first, at_ms=at + 90, placed_ms=at + 5000)
    second = records.incident(2, received_ms=at, close_sent_ms=at + 1500, valve="no_meter", home=_contacts(contacts=[]))
    records.order(second, 2, at_ms=at + 1700)
    records.incident(3, received_ms=at, kind="canary")
    records.incident(4, received_ms=start - 1, home_id=None, home={})
    records.incident(5, received_ms=at, kind="past_leak", home_id=None, home={})
    found = await desk.get("/promise")
    assert found["day"] == day_of(now)[0]
    assert found["leaks"] == 2
    assert found["close_sent_1s"] == {"kept": 1, "of": 1, "pending": 0, "worst_ms": 3}
    assert found["called_1s"] == {"kept": 1, "of": 1, "pending": 0, "worst_ms": 400}
    assert found["ordered_1s"] == {"kept": 1, "of": 2, "pending": 0, "worst_ms": 1700}
    assert found["on_site_30min"] == {"kept": 1, "of": 1, "pending": 1, "worst_ms": 1200}


async def test_an_order_and_a_call_of_another_id_of_the_incident_count(desk: Desk, records: Records) -> None:
    now = desk.running.clock.now_ms()
    records.home(1)
    other = records.incident(9, home_id=None, home={}, received_ms=now - 90_000_000, state="closed")
    leak = records.incident(1, received_ms=now - 2000, close_sent_ms=now - 1999, home=_contacts())
    order = records.order(other, 1, at_ms=now - 90_000_000)
    records.put("order_aliases", incident_id=leak, order_id=order, at_ms=now)
    records.call(other, at_ms=now - 1900, placed_ms=now - 1500)
    found = await desk.get("/promise")
    if found["leaks"]:  # a test that runs in the first two seconds of the day has no leak today
        assert (found["ordered_1s"]["kept"], found["called_1s"]["kept"]) == (1, 1)


async def test_a_district_keeps_its_own_promises(desk: Desk, records: Records) -> None:
    records.home(1)
    records.incident(1, received_ms=desk.running.clock.now_ms(), home=_contacts())
    assert (await desk.get("/promise"))["leaks"] == 1
    assert (await desk.get("/promise", person("yuelu", "operator", districts=("430104",))))["leaks"] == 0
    assert (await desk.get("/promise", person("furong", "operator", districts=("430102",))))["leaks"] == 1
