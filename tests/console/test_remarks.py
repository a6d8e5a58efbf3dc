"""Remarks and acknowledgements: they stand for good, stop nothing, and are told to everybody who watches."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from console.desk.remarks_rows import ACKNOWLEDGED, of_remark
from tests.console.desk_stage import OPERATOR, SUPERVISOR, VIEWER, Desk, person, running_desk, told
from tests.console.stage import Records, Served, frames


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
