"""Steps that a phone without reception tells later: both times are kept, the order table judges, and a leak in between counts."""

from typing import Any

import pytest

from core.clock import ManualClock
from dispatch.judgement.reasons import Reason
from dispatch.judgement.true_time import AHEAD_MS, true_time
from dispatch.station import Station
from tests.dispatch.played import Line, Records
from tests.dispatch.test_order_life import TEST as PASSES
from tests.dispatch.test_order_life import Visit, assigned

TEST: dict[str, Any] = {**PASSES}

CREATED, NOW = 1_000_000, 2_000_000


@pytest.fixture
async def visit(station: Station, line: Line, records: Records, clock: ManualClock) -> Visit:
    await records.crew("C1")
    return await assigned(line, records, clock)


@pytest.mark.parametrize(
    ("happened_ms", "counts_as"),
    [
        (None, NOW),
        (NOW, NOW),
        (CREATED, CREATED),
        (NOW - 1, NOW - 1),
        (CREATED - 1, "not_then"),
        (NOW + AHEAD_MS, NOW),
        (NOW + AHEAD_MS + 1, "not_then"),
        (0, "not_then"),
    ],
)
def test_what_a_told_time_counts_as(happened_ms: int | None, counts_as: int | str) -> None:
    found = true_time(happened_ms, CREATED, NOW)
    assert (found.code if isinstance(found, Reason) else found) == counts_as


async def _step(records: Records, event: str) -> dict[str, Any]:
    (found,) = await records.rows("SELECT * FROM order_steps WHERE event = %s ORDER BY step_no DESC LIMIT 1", event)
    return found


async def test_a_visit_without_reception_is_told_afterwards_with_its_true_times(visit: Visit, records: Records, clock: ManualClock) -> None:
    told = {}
    done: list[tuple[str, dict[str, Any]]] = [
        ("accept", {}),
        ("on_site", {}),
        ("made_safe", {"reading_lel": 1.0}),
        ("record_cause", {"cause": "hose"}),
    ]
    for kind, _ in done:
        await clock.advance(60)
        told[kind] = clock.now_ms()
    await clock.advance(1800)
    for kind, body in done:
        answer = await visit.ask(kind, happened_ms=told[kind], **body)
        assert answer["asked"] == "done", answer
    row = await visit.row()
    stamps = [row[name] for name in ("accepted_ms", "on_site_ms", "made_safe_ms", "cause_ms")]
    assert stamps == [told[kind] for kind, _ in done]
    step = await _step(records, "arrive")
    assert step["at_ms"] == step["detail"]["happened_ms"] == told["on_site"]
    assert step["detail"]["received_ms"] > told["on_site"] + 1_800_000


async def test_the_order_table_judges_a_late_step_like_any_other(visit: Visit, clock: ManualClock) -> None:
    answer = await visit.ask("made_safe", reading_lel=1.0, happened_ms=clock.now_ms())
    assert (answer["asked"], answer["reason"]) == ("refused", "not_accepted")


@pytest.mark.parametrize("off_ms", [-3_600_000, AHEAD_MS + 5_000])
async def test_a_time_that_cannot_be_true_is_refused_and_changes_nothing(visit: Visit, clock: ManualClock, off_ms: int) -> None:
    answer = await visit.ask("accept", happened_ms=clock.now_ms() + off_ms)
    assert (answer["asked"], answer["reason"]) == ("refused", "not_then")
    assert (await visit.row())["state"] == "assigned"


@pytest.mark.parametrize("happened_ms", ["yesterday", 1.5, -1, 2**60, True])
async def test_a_time_that_is_none_is_refused(visit: Visit, happened_ms: object) -> None:
    assert (await visit.ask("accept", happened_ms=happened_ms))["reason"] == "bad_request"


async def test_the_same_act_told_twice_is_one_step(visit: Visit, records: Records, clock: ManualClock) -> None:
    at_ms = clock.now_ms()
    first = await visit.ask("accept", happened_ms=at_ms)
    await visit.go("on_site")
    second = await visit.ask("accept", happened_ms=at_ms)
    assert (first["asked"], second["asked"], second["again"], second["state"]) == ("done", "done", True, "on_site")
    assert len(await records.rows("SELECT * FROM order_steps WHERE event = 'accept'")) == 1
    other = await visit.ask("accept", happened_ms=at_ms + 1)
    assert (other["asked"], other["reason"]) == ("refused", "already_accepted")


async def test_a_test_told_twice_is_answered_with_its_own_result(visit: Visit, records: Records, clock: ManualClock) -> None:
    await visit.go("accept", "on_site", "made_safe", "record_cause")
    at_ms = clock.now_ms()
    for _ in range(2):
        answer = await visit.ask("tightness_test", **{**TEST, "minutes": 0.5, "happened_ms": at_ms})
        assert (answer["passed"], [why["reason"] for why in answer["reasons"]]) == (False, ["test_too_short"])
    assert len(await records.rows("SELECT * FROM order_steps WHERE event = 'fail_test'")) == 1


@pytest.mark.parametrize("kind", ["made_safe", "record_cause", "tightness_test"])
async def test_what_was_measured_before_gas_leaked_again_does_not_count(visit: Visit, clock: ManualClock, kind: str) -> None:
    bodies: dict[str, dict[str, Any]] = {"made_safe": {"reading_lel": 1.0}, "record_cause": {"cause": "hose"}, "tightness_test": TEST}
    await visit.go("accept", "on_site")
    measured_ms = clock.now_ms()
    await visit.leak_again()
    way = list(bodies)
    await visit.go(*way[: way.index(kind)])
    answer = await visit.ask(kind, happened_ms=measured_ms, **bodies[kind])
    assert (answer["asked"], answer["reason"]) == ("refused", "leak_since_then")
    await visit.go(kind)


@pytest.mark.parametrize(
    ("simulated", "told", "after_leak_s", "reason"),
    [
        # TEST lasts 5 min: one that ends less than 5 min after the leak was begun before it.
        (False, "by his phone", 299, "leak_during_test"),
        (False, "by his phone", 300, None),
        (False, "by the desk", 299, "leak_during_test"),
        (False, "by the desk", 300, None),
        (True, "by his phone", 299, "leak_during_test"),
        (True, "by the crew of the simulation", 5, None),
    ],
)
async def test_a_test_begun_before_gas_leaked_again_is_none(
    visit: Visit, records: Records, clock: ManualClock, simulated: bool, told: str, after_leak_s: int, reason: str | None
) -> None:
    await records.rows("UPDATE work_orders SET simulated = %s WHERE order_no = %s", simulated, visit.order_no)
    await visit.go("accept", "on_site", "made_safe", "record_cause")
    await visit.leak_again()
    leaked_ms = clock.now_ms()
    await visit.go("made_safe", "record_cause")
    await clock.advance(after_leak_s - 1 - (clock.now_ms() - leaked_ms) / 1000)  # asking takes a second
    at_ms = leaked_ms + after_leak_s * 1000
    body: dict[str, Any] = {**TEST}
    if told == "by his phone":
        body["happened_ms"] = at_ms
    elif told == "by the desk":
        body["technician_id"] = "C1-1"
    answer = await visit.ask("tightness_test", "desk-1" if told == "by the desk" else "C1-1", **body)
    assert (answer["asked"], answer.get("reason")) == (("done", None) if reason is None else ("refused", reason))
    assert (await visit.row())["state"] == ("tightness_passed" if reason is None else "cause_recorded")


async def test_a_leak_from_before_it_was_made_safe_does_not_undo_it(visit: Visit, clock: ManualClock) -> None:
    await visit.go("accept", "on_site")
    leaked_ms = clock.now_ms()
    await clock.advance(60)
    safe_ms = clock.now_ms()
    await clock.advance(600)
    assert (await visit.ask("made_safe", reading_lel=1.0, happened_ms=safe_ms))["asked"] == "done"
    await visit.leak_again(at_ms=leaked_ms)
    assert (await visit.row())["state"] == "made_safe"
    await visit.leak_again(at_ms=safe_ms + 1)
    assert (await visit.row())["state"] == "on_site"


async def test_a_time_a_little_ahead_counts_as_now(visit: Visit, clock: ManualClock, records: Records) -> None:
    await visit.go("accept", "on_site", "made_safe", "record_cause")
    answer = await visit.ask("tightness_test", **{**TEST, "happened_ms": clock.now_ms() + 30_000})
    assert answer["passed"] is True
    row = await visit.row()
    assert row["test_ms"] == clock.now_ms()
    assert (await _step(records, "pass_test"))["detail"]["happened_ms"] == row["test_ms"] + 29_000


async def test_the_newer_of_two_tests_stands(visit: Visit, clock: ManualClock) -> None:
    """The desk entered his pressures on his behalf; then his phone finds reception and tells of an earlier, failed one."""
    await visit.go("accept", "on_site", "made_safe", "record_cause")
    earlier_ms = clock.now_ms()
    await clock.advance(300)
    assert (await visit.ask("tightness_test", "desk-1", technician_id="C1-1", **TEST))["passed"] is True
    answer = await visit.ask("tightness_test", **{**TEST, "end_kpa": 1.0, "happened_ms": earlier_ms})
    assert (answer["asked"], answer["reason"]) == ("refused", "later_test_known")
    assert (await visit.row())["state"] == "tightness_passed"
