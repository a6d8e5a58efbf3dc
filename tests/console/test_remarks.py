"""Remarks and acknowledgements: they stand for good, stop nothing, and are told to everybody who watches."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from console.desk.alarmed_again import alarmed_again_ms
from console.desk.remarks_rows import ACKNOWLEDGED, of_remark
from tests.alarm_engine.stage import Stage
from tests.console.desk_stage import OPERATOR, SUPERVISOR, VIEWER, Desk, person, running_desk, told
from tests.console.stage import T0, Records, Served, frames


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    async with running_desk(database) as found:
        yield found


@pytest.fixture
def incident(records: Records) -> UUID:
    records.home(1)
    return records.incident(1)


def _heard(listener: psycopg.Connection[tuple[object, ...]]) -> list[tuple[str, str]]:
    return [(notice["what"], notice["id"]) for notice in told(listener)]


async def test_a_remark_stands_in_the_record_and_is_told(desk: Desk, database: str, incident: UUID) -> None:
    with psycopg.connect(database, autocommit=True) as listener:
        listener.execute("LISTEN changes")
        said = await desk.post(f"/incidents/{incident}/remarks", OPERATOR, text=" 邻居说闻到臭鸡蛋味 ")
        assert _heard(listener) == [("remark", said["remark_id"])]
    assert (said["by"], said["display"], said["text"]) == ("li", "李值班", "邻居说闻到臭鸡蛋味")
    assert (said["zh"], said["en"]) == ("李值班：邻居说闻到臭鸡蛋味", "李值班: 邻居说闻到臭鸡蛋味")
    items = (await desk.get(f"/incidents/{incident}/remarks", VIEWER))["items"]
    assert items == [said]


async def test_an_acknowledgement_says_who_saw_it_and_stops_nothing(desk: Desk, database: str, records: Records, incident: UUID) -> None:
    before = records.db.execute("SELECT * FROM incidents").fetchall()
    with psycopg.connect(database, autocommit=True) as listener:
        listener.execute("LISTEN changes")
        first = await desk.post(f"/incidents/{incident}/acknowledge", OPERATOR)
        assert _heard(listener) == [("remark", first["remark_id"]), ("incident", str(incident))]
        again = await desk.post(f"/incidents/{incident}/acknowledge", OPERATOR, note="second press")
        assert again == first
        assert _heard(listener) == []
    second = await desk.post(f"/incidents/{incident}/acknowledge", SUPERVISOR, note="已安排 / arranged")
    assert (second["zh"], second["en"]) == ("陈班长：已知悉（已安排）", "陈班长 has seen it (arranged)")
    assert records.db.execute("SELECT * FROM incidents").fetchall() == before
    row = records.db.execute(f"SELECT {ACKNOWLEDGED} FROM incidents".encode()).fetchone()
    assert row == ({"by": "李值班", "at_ms": first["at_ms"]},)


def _known(records: Records, incident: UUID) -> tuple[int | None, Any]:
    """When it alarmed anew, and who has seen it since, of the incident as the lists read it."""
    row = records.db.execute(
        f"SELECT {alarmed_again_ms('incidents')}, {ACKNOWLEDGED} FROM incidents WHERE incident_id = %s".encode(), [incident]
    ).fetchone()
    assert row is not None
    return row[0], row[1] and row[1]["by"]


def _order_goes_back(records: Records, order: UUID, said_ms: int, from_state: str, to_state: str, **detail: Any) -> None:
    """As dispatch writes it, a minute after the line has told the leak."""
    records.put(
        "order_steps", order_id=order, at_ms=said_ms + 60_000, event="leak_again", from_state=from_state, to_state=to_state, actor="line",
        detail={"said_ms": said_ms, **detail},
    )  # fmt: skip


async def test_who_has_seen_a_leak_is_asked_again_when_it_comes_anew(desk: Desk, records: Records, incident: UUID) -> None:
    first = await desk.post(f"/incidents/{incident}/acknowledge", OPERATOR)
    # It lasts: a close that failed is tried once more, and its order hears of it every ten seconds.
    order = records.order(incident, state="on_site")
    records.event(incident, "leak_again", T0 + 5_000, ch4_lel=23.0)
    for at_s in (10, 20):
        _order_goes_back(records, order, T0 + at_s * 1000, "on_site", "on_site")
    assert _known(records, incident) == (None, "李值班")

    anew = T0 + 600_000
    records.event(incident, "leak_again", anew, after="clear", ch4_lel=23.0)
    assert _known(records, incident) == (anew, None)
    second = await desk.post(f"/incidents/{incident}/acknowledge", OPERATOR, note="again")
    assert second["remark_id"] != first["remark_id"]
    assert await desk.post(f"/incidents/{incident}/acknowledge", OPERATOR) == second
    await desk.post(f"/incidents/{incident}/acknowledge", SUPERVISOR)
    assert _known(records, incident) == (anew, "李值班")
    assert records.db.execute("SELECT alarm_ms, count(*) FROM incident_remarks GROUP BY alarm_ms ORDER BY 1").fetchall() == [
        (0, 1),
        (anew, 2),
    ]
    # Dispatch takes its time to send the order back for this leak: it is the same alarm.
    _order_goes_back(records, order, anew, "tightness_passed", "on_site")
    assert _known(records, incident) == (anew, "李值班")


@pytest.mark.parametrize(
    ("from_state", "to_state"), [("made_safe", "on_site"), ("restored", "on_site"), ("archived", "waiting")], ids=lambda state: str(state)
)
async def test_a_leak_that_sends_the_order_back_is_one_anew(
    desk: Desk, records: Records, incident: UUID, from_state: str, to_state: str
) -> None:
    order = records.order(uuid4(), state=to_state)
    records.put("order_aliases", incident_id=incident, order_id=order, at_ms=T0)
    # What sent it back before this incident was, and what joined the two, is no alarm anew of it.
    _order_goes_back(records, order, T0 - 900_000, from_state, to_state)
    _order_goes_back(records, order, T0 + 50, from_state, to_state, alias=str(incident))
    await desk.post(f"/incidents/{incident}/acknowledge", OPERATOR)
    assert _known(records, incident) == (None, "李值班")
    _order_goes_back(records, order, T0 + 900_000, from_state, to_state)
    assert _known(records, incident) == (T0 + 900_000, None)


async def test_a_call_to_the_hotline_and_an_opened_valve_are_alarms_anew(desk: Desk, records: Records, incident: UUID) -> None:
    details: list[dict[str, Any]] = [{"hotline": True}, {"after": "opened", "lane": "alarm"}]
    for number, detail in enumerate(details, 1):
        await desk.post(f"/incidents/{incident}/acknowledge", OPERATOR)
        assert _known(records, incident)[1] == "李值班"
        records.event(incident, "leak_again", T0 + number * 60_000, **detail)
        assert _known(records, incident) == (T0 + number * 60_000, None)


def test_what_the_line_writes_of_a_leak_that_lasts_and_of_one_anew_is_told_apart(records: Records, incident: UUID) -> None:
    line = Stage()
    line.alarm()
    written = 0
    heard: list[int | None] = []
    for deeds in (
        (lambda: line.ack("rejected"), lambda: line.reading(ch4=15.0, state="alarm"), lambda: line.ack("done", "closed")),
        (lambda: line.reading(ch4=0.0), lambda: line.reading(ch4=15.0, state="alarm")),
    ):
        line.clock.step(60_000)
        for deed in deeds:
            deed()
        for rows in line.ports.written[written:]:
            for entry in rows.events:
                records.put("incident_events", **{**entry, "incident_id": incident})
        written = len(line.ports.written)
        heard.append(_known(records, incident)[0])
    assert records.db.execute("SELECT count(*) FROM incident_events WHERE kind = 'leak_again'").fetchone() == (2,)
    assert heard == [None, line.clock.now_ms()]


async def test_a_leak_that_is_written_while_he_presses_is_not_seen(desk: Desk, records: Records, incident: UUID) -> None:
    """The line writes what came before he pressed only after it: by the clock his acknowledgement is later."""
    await desk.post(f"/incidents/{incident}/acknowledge", OPERATOR)
    records.event(incident, "leak_again", T0 + 1_000, after="clear")
    assert _known(records, incident) == (T0 + 1_000, None)


async def test_a_leak_that_comes_while_he_writes_is_not_seen(desk: Desk, records: Records, incident: UUID) -> None:
    records.event(incident, "leak_again", T0 + 60_000, after="clear")
    await desk.post(f"/incidents/{incident}/acknowledge", OPERATOR, alarm_ms=0)
    assert _known(records, incident) == (T0 + 60_000, None)
    await desk.post(f"/incidents/{incident}/acknowledge", OPERATOR, alarm_ms=T0 + 60_000)
    assert _known(records, incident) == (T0 + 60_000, "李值班")
    # Nobody has seen what is still to come.
    records.event(incident, "leak_again", T0 + 120_000, after="clear")
    await desk.post(f"/incidents/{incident}/acknowledge", OPERATOR, alarm_ms=T0 + 900_000)
    records.event(incident, "leak_again", T0 + 180_000, after="clear")
    assert _known(records, incident) == (T0 + 180_000, None)


async def test_two_who_press_at_once_are_both_recorded_once(desk: Desk, records: Records, incident: UUID) -> None:
    presses = [desk.post(f"/incidents/{incident}/acknowledge", who) for who in (OPERATOR, SUPERVISOR) for _ in range(4)]
    answers = await asyncio.gather(*presses)
    assert len({answer["remark_id"] for answer in answers}) == 2
    assert records.db.execute("SELECT count(*) FROM incident_remarks").fetchone() == (2,)


async def test_an_alias_leads_to_the_incident(desk: Desk, records: Records, incident: UUID) -> None:
    alias = UUID(int=9)
    records.put("incident_aliases", alias_id=alias, incident_id=incident, at_ms=1, reason="other_lane")
    said = await desk.post(f"/incidents/{alias}/remarks", text="x")
    assert said["incident_id"] == str(incident)
    assert len((await desk.get(f"/incidents/{alias}/remarks"))["items"]) == 1


@pytest.mark.parametrize(
    "statement", ["UPDATE incident_remarks SET note = 'y'", "DELETE FROM incident_remarks", "TRUNCATE incident_remarks"]
)
async def test_nothing_that_was_said_can_be_taken_back(desk: Desk, records: Records, incident: UUID, statement: str) -> None:
    await desk.post(f"/incidents/{incident}/remarks", text="x")
    with pytest.raises(psycopg.errors.RestrictViolation):
        records.db.execute(statement.encode())
    assert records.db.execute("SELECT note FROM incident_remarks").fetchall() == [("x",)]


async def test_who_may_not_and_who_does_not_see_it(desk: Desk, records: Records, incident: UUID) -> None:
    path = f"/incidents/{incident}/remarks"
    assert await desk.refused("POST", path, VIEWER, text="x") == (403, "not_allowed")
    assert await desk.refused("POST", f"/incidents/{incident}/acknowledge", VIEWER) == (403, "not_allowed")
    records.db.execute("""UPDATE incidents SET home = home || '{"district_code": "430102"}'""")
    elsewhere = person("yuelu", "operator", districts=("430104",))
    for method, which in (("POST", path), ("GET", path), ("POST", f"/incidents/{incident}/acknowledge")):
        body = {"text": "x"} if which == path and method == "POST" else {}
        assert await desk.refused(method, which, elsewhere, **body) == (404, "not_found")
    assert (await desk.get(path, person("furong", "operator", districts=("430102",))))["items"] == []
    technician = person("tech", "technician", crew_id="c1")
    assert await desk.refused("GET", path, technician) == (404, "not_found")
    records.crew("c1")
    records.order(incident, crew_id="c1")
    assert (await desk.get(path, technician))["items"] == []
    assert records.db.execute("SELECT count(*) FROM incident_remarks").fetchone() == (0,)


async def test_a_number_in_a_remark_is_masked_for_who_reads_no_people(desk: Desk, incident: UUID) -> None:
    await desk.post(f"/incidents/{incident}/remarks", OPERATOR, text="回拨 13812345678")
    (seen,) = (await desk.get(f"/incidents/{incident}/remarks", VIEWER))["items"]
    assert "13812345678" not in json.dumps(seen)
    (clear,) = (await desk.get(f"/incidents/{incident}/remarks", OPERATOR))["items"]
    assert clear["text"] == "回拨 13812345678"


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "  "}, {"text": "x" * 1001}, {"text": "x", "at_ms": 1}, {"text": "a\0b"}])
async def test_a_remark_that_says_nothing_is_refused(desk: Desk, incident: UUID, body: dict[str, object]) -> None:
    response = await desk.answer("POST", f"/incidents/{incident}/remarks", OPERATOR, json=body)
    assert response.status_code == 422


def test_a_row_becomes_an_entry_of_the_story() -> None:
    row = {"remark_id": UUID(int=1), "incident_id": UUID(int=2), "at_ms": 5, "kind": "remark", "actor": "li", "display": "李", "note": "x"}
    entry = of_remark(row)
    assert entry["entry_id"] == f"remark:{UUID(int=1)}"
    assert (entry["at_ms"], entry["kind"], entry["actor"], entry["zh"], entry["en"]) == (5, "remark", "li", "李：x", "李: x")


def test_what_is_asked_again_after_a_crash_is_said_once(console: Served, records: Records, incident: UUID) -> None:
    li = console.signed_in("operator", name="li")
    for what, body in (("remarks", {"text": "邻居已通知"}), ("acknowledge", {})):
        key = {"Idempotency-Key": f"one-{what}"}
        path = f"/api/v1/incidents/{incident}/{what}"
        first = li.post(path, json=body, headers=key)
        # The console died over its answer: the key is there, unanswered, for longer than an answer takes.
        records.db.execute("UPDATE idempotency_keys SET status = NULL, answer = NULL, made_ms = made_ms - 31000")
        again = li.post(path, json=body, headers=key)
        assert (first.status_code, again.status_code) == (200, 200), again.text
        assert again.json() == first.json()
        assert "idempotency-replayed" not in again.headers
    assert records.db.execute("SELECT kind, count(*) FROM incident_remarks GROUP BY kind ORDER BY kind").fetchall() == [
        ("acknowledge", 1),
        ("remark", 1),
    ]


def test_what_is_said_reaches_everybody_who_watches_and_the_incident(console: Served, records: Records, incident: UUID) -> None:
    with console.signed_in("operator", name="li") as li, console.signed_in("viewer", name="wall") as wall:
        with wall.stream("GET", "/api/v1/events") as stream:
            told = frames(stream.iter_lines())
            next(told)
            said = li.post(f"/api/v1/incidents/{incident}/acknowledge", json={})
            assert said.status_code == 200, said.text
            heard: dict[str, Any] = {}
            while not {"remark", "incident", "timeline"} <= set(heard):
                name, data = next(told)
                heard[name] = data
        assert heard["remark"]["kind"] == "acknowledge"
        assert heard["timeline"]["zh"] == "li：已知悉"
        assert heard["incident"]["acknowledged"]["by"] == "li"
        found = wall.get(f"/api/v1/incidents/{incident}").json()
        assert (found["state"], found["acknowledged"]["by"]) == ("open", "li")
        li.post(f"/api/v1/incidents/{incident}/remarks", json={"text": "邻居已通知"})
        story = wall.get(f"/api/v1/incidents/{incident}/timeline").json()["items"]
        assert [entry["zh"] for entry in story if entry["kind"] in {"remark", "acknowledge"}] == ["li：已知悉", "li：邻居已通知"]
        assert wall.post(f"/api/v1/incidents/{incident}/remarks", json={"text": "x"}).status_code == 403


def test_an_alarm_anew_reaches_everybody_and_the_figures(console: Served, records: Records, incident: UUID) -> None:
    with console.signed_in("operator", name="li") as li, console.signed_in("viewer", name="wall") as wall:
        assert li.post(f"/api/v1/incidents/{incident}/acknowledge", json={}).status_code == 200
        assert wall.get("/api/v1/overview").json()["oldest_unhandled_ms"] is None
        with wall.stream("GET", "/api/v1/events") as stream:
            told = frames(stream.iter_lines())
            next(told)
            for at_ms in (T0 + 60_000, T0 + 120_000):
                with records.db.transaction():
                    records.event(incident, "leak_again", at_ms, after="clear")
                    records.change("incidents", "incident_id", incident, last_leak_ms=at_ms)
            heard = next(data for name, data in told if name == "incident" and data["alarmed_again_ms"] == T0 + 120_000)
        assert heard["acknowledged"] is None
        (listed,) = wall.get("/api/v1/incidents").json()["items"]
        assert (listed["alarmed_again_ms"], listed["acknowledged"]) == (T0 + 120_000, None)
    # What was counted is kept for a second, in each scope. The oldest is the first that nobody has seen, however often it comes anew.
    later = console.signed_in("viewer", name="later", districts=["430102"]).get("/api/v1/overview").json()
    assert later["oldest_unhandled_ms"] == T0 + 60_000
    records.order(incident, state="accepted", accepted_ms=T0 + 90_000)
    accepted = console.signed_in("viewer", name="accepted", districts=["430102", "430104"]).get("/api/v1/overview").json()
    assert accepted["oldest_unhandled_ms"] == T0 + 120_000
