"""Handing a shift over: everything open is in it, nothing goes over unowned, both sign, and what was signed stays as it was."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from console.access.rights import Role
from console.access.who import Who
from console.desk.handover_document import covers, desk_of, districts_of, strangers
from tests.console.desk_stage import OPERATOR, SUPERVISOR, VIEWER, Desk, person, running_desk, told, user
from tests.console.stage import T0, Records, Served

NEXT = person("zhao", "operator", display="赵值班")
HOME = {"home_id": "home-0001", "district_code": "430102", "address_zh": "芙蓉区 云栖花园 3栋 2单元 501室", "address_en": "Room 501"}


@pytest.fixture
async def desk(database: str, records: Records) -> AsyncIterator[Desk]:
    people: tuple[tuple[str, Role], ...] = (("chen", "supervisor"), ("li", "operator"), ("zhao", "operator"))
    for name, role in people:
        user(records, name, role, display=f"{name}'s display")
    async with running_desk(database) as found:
        yield found


def _shift(records: Records) -> tuple[str, str]:
    """An open incident and an open task, with everything around them; their keys."""
    records.home(1)
    incident = records.incident(1, home=HOME, valve="reported_closed", proof="not_yet", proof_due_ms=T0 + 500, clearing="not_clearing")
    records.order(incident, state="no_access", revisit_due_ms=T0 + 100, place={**HOME})
    records.incident(2, home=HOME, home_id=None, place="closed", state="closed")
    records.incident(3, kind="canary", home_id=None, place="CANARY")
    task = records.task(incident, home_id="home-0001", kind="help_needed")
    records.task(None, done_ms=T0)
    records.put("valve_holds", hold_id=uuid4(), home_id="home-0001", hold="safety", set_ms=T0, set_by="line")
    records.put("valve_holds", hold_id=uuid4(), home_id="home-0001", hold="works", set_ms=T0, set_by="li", lifted_ms=T0 + 1)
    records.put(
        "home_conditions", condition_id=uuid4(), home_id="home-0001", device_id="D00001", condition="blind", cause="fault", since_ms=T0
    )
    return f"incident:{incident}", f"task:{task}"


STANDING = {"holds:safety": "zhao", "blind": "zhao", "promises": "zhao"}
"""Who takes the rest of the shift's things: its hold, its building, its two promises."""


async def test_the_draft_holds_everything_that_is_open(desk: Desk, records: Records) -> None:
    incident, task = _shift(records)
    await desk.post(f"/incidents/{incident.partition(':')[2]}/remarks", OPERATOR, text="住户在外地 / they are away")
    await desk.post(f"/incidents/{incident.partition(':')[2]}/acknowledge", OPERATOR)
    draft = await desk.get("/handover", OPERATOR)
    assert (draft["desk"], draft["under_way"]) == ("*", None)
    assert [(each["thing"], each["seen_by"], each["order_no"], each["owner"]) for each in draft["incidents"]] == [
        (incident, "李值班", "QX-260402-0001", None)
    ]
    assert draft["incidents"][0]["address_zh"] == HOME["address_zh"]
    assert draft["incidents"][0]["valve_words"] == {
        "zh": "表端报告：已切断；尚不能证明关严；室内浓度没有下降",
        "en": "the meter reports the valve closed; not yet provable; the methane in the room does not fall",
    }
    assert [(each["thing"], each["words"]["zh"], each["address_zh"]) for each in draft["tasks"]] == [
        (task, "住户需要帮助：请立即联系", "芙蓉区 云栖花园 3栋 2单元 501室")
    ]
    assert [(each["home_id"], each["words"]["zh"]) for each in draft["holds"]] == [("home-0001", "安全")]
    assert [(each["hold"], each["homes"]) for each in draft["hold_counts"]] == [("safety", 1)]
    (group,) = draft["blind_groups"]
    assert (group["estate"], group["building"], group["blind"], group["silent"]) == ("云栖花园", "3", 1, 0)
    assert draft["blind_buildings"] == 1
    assert [(each["kind"], each["due_ms"]) for each in draft["promises"]] == [("revisit", T0 + 100), ("proof", T0 + 500)]
    (said,) = draft["remarks"]
    assert (said["by"], said["zh"], said["en"]) == ("李值班", "李值班：住户在外地", "李值班: they are away")
    assert [each["name"] for each in draft["people"]] == ["chen", "li", "zhao"]


async def test_both_sign_and_nothing_goes_over_unowned(desk: Desk, records: Records) -> None:
    incident, task = _shift(records)
    begun = await desk.post("/handovers", OPERATOR, remarks="东门门禁坏了", owners={incident: "zhao"})
    assert (begun["state"], begun["left_by"], begun["left_display"], begun["ended_by"]) == ("begun", "li", "李值班", None)
    path = f"/handovers/{begun['handover_id']}/take"
    response = await desk.answer("POST", path, NEXT, json={})
    problem = response.json()
    assert (response.status_code, problem["reason"]) == (409, "unowned")
    proof = incident.replace("incident", "proof")
    assert [error["where"] for error in problem["errors"]] == [
        f"body.owners.{thing}" for thing in (task, "revisit:QX-260402-0001", proof, "holds:safety", "blind")
    ]
    assert "住户需要帮助" in problem["zh"]
    taken = await desk.post(path, NEXT, owners={task: "chen", **STANDING}, note="已接")
    assert (taken["state"], taken["left_by"], taken["ended_by"], taken["ended_display"]) == ("taken", "li", "zhao", "赵值班")
    assert taken["ended_ms"] >= taken["begun_ms"] > 0
    assert taken["owners"] == {incident: "zhao", task: "chen", **STANDING}
    assert begun["people"] == [{"name": "zhao", "display": "zhao's display"}]
    assert [each["name"] for each in taken["people"]] == ["chen", "zhao"]
    assert [each["owner"] for each in taken["begun_document"]["tasks"]] == [None]
    assert {part: [each["owner"] for each in taken["taken_document"][part]] for part in ("holds", "hold_counts", "blind_groups")} == {
        part: ["zhao"] for part in ("holds", "hold_counts", "blind_groups")
    }
    assert [each["owner"] for each in taken["taken_document"]["promises"]] == ["zhao", "zhao"]
    assert taken["taken_document"]["blind_owner"] == "zhao"
    assert [each["owner"] for each in taken["taken_document"]["incidents"] + taken["taken_document"]["tasks"]] == ["zhao", "chen"]
    assert await desk.get(f"/handovers/{begun['handover_id']}", SUPERVISOR) == taken
    assert await desk.refused("POST", path, NEXT, owners={"*": "zhao"}) == (409, "handover_ended")


@pytest.mark.parametrize("missing", sorted(STANDING))
async def test_a_hold_a_building_or_a_promise_without_an_owner_is_not_taken_over(desk: Desk, records: Records, missing: str) -> None:
    incident, task = _shift(records)
    begun = await desk.post("/handovers", OPERATOR)
    owners = {incident: "zhao", task: "zhao", **{thing: name for thing, name in STANDING.items() if thing != missing}}
    path = f"/handovers/{begun['handover_id']}/take"
    assert await desk.refused("POST", path, NEXT, owners=owners) == (409, "unowned")
    assert (await desk.post(path, NEXT, owners={**owners, missing: "chen"}))["state"] == "taken"


async def test_who_has_a_thing_is_told_where_it_stands(desk: Desk, records: Records) -> None:
    incident, task = _shift(records)
    draft = await desk.get("/handover", OPERATOR)
    hold, building = draft["holds"][0]["thing"], draft["blind_groups"][0]["thing"]
    asked = [incident, task, "revisit:QX-260402-0001", hold, "holds:safety", building, "blind", "task:gone"]
    begun = await desk.post("/handovers", OPERATOR, owners={"*": "zhao"})
    assert (await desk.get("/handover/owners", OPERATOR, thing=asked))["items"] == []
    taken = await desk.post(f"/handovers/{begun['handover_id']}/take", NEXT, owners={hold: "chen", "blind": "chen"})
    items = (await desk.get("/handover/owners", OPERATOR, thing=asked))["items"]
    assert {item["thing"]: item["name"] for item in items} == {
        incident: "zhao",
        task: "zhao",
        "revisit:QX-260402-0001": "zhao",
        hold: "chen",
        "holds:safety": "zhao",
        building: "chen",
        "blind": "chen",
    }
    assert {(item["handover_id"], item["taken_ms"]) for item in items} == {(taken["handover_id"], taken["ended_ms"])}
    # The next handover has the last word, and who may not read handovers is told nothing.
    again = await desk.post("/handovers", NEXT, owners={"*": "li"})
    await desk.post(f"/handovers/{again['handover_id']}/take", OPERATOR)
    (item,) = (await desk.get("/handover/owners", OPERATOR, thing=hold))["items"]
    assert (item["name"], item["handover_id"]) == ("li", again["handover_id"])
    elsewhere = person("yue", "operator", districts=("430104",))
    assert (await desk.get("/handover/owners", elsewhere, thing=hold))["items"] == []
    assert (await desk.answer("GET", "/handover/owners", VIEWER, thing=hold)).status_code == 403


async def test_who_took_a_kind_took_it_in_his_desks_districts_and_everybody_is_told_what_is_his(desk: Desk, records: Records) -> None:
    _shift(records)
    user(records, "fu", "operator", districts=["430102"])
    user(records, "yue", "operator", districts=["430104"])
    furong, yuelu = person("fu", "operator", districts=("430102",)), person("yue", "operator", districts=("430104",))
    begun = await desk.post("/handovers", OPERATOR, owners={"*": "zhao", "blind": "fu"})
    whole = await desk.post(f"/handovers/{begun['handover_id']}/take", NEXT)
    records.home(4, district_code="430104")
    records.put("valve_holds", hold_id=uuid4(), home_id="home-0004", hold="safety", set_ms=T0, set_by="line")
    theirs = await desk.post("/handovers", person("yue2", "operator", districts=("430104",)), owners={"*": "yue"})
    await desk.post(f"/handovers/{theirs['handover_id']}/take", yuelu)
    asked = ["blind", "holds:safety"]
    items = (await desk.get("/handover/owners", OPERATOR, thing=asked))["items"]
    assert {(item["thing"], item["desk"], item["name"]) for item in items} == {
        ("blind", "*", "fu"),
        ("blind", "430104", "yue"),
        ("holds:safety", "*", "zhao"),
        ("holds:safety", "430104", "yue"),
    }
    (mine,) = (await desk.get("/handover/owners", furong, thing=asked))["items"]
    assert (mine["thing"], mine["name"], mine["desk"], mine["handover_id"]) == ("blind", "fu", "*", None), "he may not read the whole"
    assert (mine["taken_ms"], mine["display"]) == (whole["ended_ms"], "fu")
    (his,) = (await desk.get("/handover/owners", yuelu, thing="holds:safety"))["items"]
    assert (his["thing"], his["desk"], his["handover_id"]) == ("holds:safety", "430104", theirs["handover_id"])


async def test_who_was_named_for_what_is_closed_meanwhile_is_no_stranger(desk: Desk, records: Records) -> None:
    incident, task = _shift(records)
    begun = await desk.post("/handovers", OPERATOR, owners={incident: "chen", task: "zhao", **STANDING})
    path = f"/handovers/{begun['handover_id']}/take"
    records.change("users", "name", "chen", disabled_ms=5)
    assert await desk.refused("POST", path, NEXT) == (422, "unknown_owner")
    records.change("incidents", "incident_id", incident.partition(":")[2], state="closed")
    taken = await desk.post(path, NEXT)
    assert (taken["state"], taken["taken_document"]["incidents"]) == ("taken", [])


async def test_a_document_signed_before_holds_had_owners_is_still_read(desk: Desk, records: Records) -> None:
    _shift(records)
    begun = await desk.post("/handovers", OPERATOR)
    records.db.execute("ALTER TABLE handovers DISABLE TRIGGER ALL")
    records.db.execute(
        """UPDATE handovers SET document = document - 'blind_owner' || jsonb_build_object(
           'holds', jsonb_build_array(document -> 'holds' -> 0 #- '{thing}' #- '{owner}' #- '{hold}'),
           'promises', jsonb_build_array(document -> 'promises' -> 0 #- '{thing}' #- '{owner}'))"""
    )
    document = (await desk.get(f"/handovers/{begun['handover_id']}", OPERATOR))["begun_document"]
    assert [(each["home_id"], each["thing"], each["owner"]) for each in document["holds"]] == [("home-0001", "", None)]
    assert (document["promises"][0]["owner"], document["blind_owner"]) == (None, None)


async def test_what_opens_between_the_two_signatures_needs_an_owner_too(desk: Desk, records: Records) -> None:
    _shift(records)
    begun = await desk.post("/handovers", OPERATOR, owners={"*": "zhao"})
    records.home(7)
    late = records.incident(7, at_ms=T0 + 1000)
    taken = await desk.post(f"/handovers/{begun['handover_id']}/take", NEXT)
    assert len(begun["begun_document"]["incidents"]) == 1
    assert [(each["incident_id"], each["owner"]) for each in taken["taken_document"]["incidents"]][1:] == [(str(late), "zhao")]
    named = await desk.post("/handovers", NEXT, owners={f"incident:{late}": "li"})
    assert await desk.refused("POST", f"/handovers/{named['handover_id']}/take", OPERATOR) == (409, "unowned")


async def test_two_at_once_are_refused(desk: Desk, records: Records) -> None:
    _shift(records)
    asked = [desk.answer("POST", "/handovers", who, json={}) for who in (OPERATOR, SUPERVISOR, NEXT, OPERATOR)]
    statuses = sorted(response.status_code for response in await asyncio.gather(*asked))
    assert statuses == [200, 409, 409, 409]
    assert await desk.refused("POST", "/handovers", NEXT) == (409, "handover_under_way")
    (row,) = records.db.execute("SELECT handover_id, actor FROM handovers").fetchall()
    taker = NEXT if row[1] != "zhao" else OPERATOR
    takes = [desk.answer("POST", f"/handovers/{row[0]}/take", taker, json={"owners": {"*": taker.name}}) for _ in range(4)]
    answers = await asyncio.gather(*takes)
    assert sorted(response.status_code for response in answers) == [200, 409, 409, 409]
    assert (await desk.post("/handovers", taker))["state"] == "begun"


async def test_who_leaves_cannot_take_and_strangers_own_nothing(desk: Desk, records: Records) -> None:
    _shift(records)
    user(records, "gone", "operator", disabled_ms=5)
    user(records, "wall", "viewer")
    for owner in ("li", "gone", "wall", "nobody"):
        assert await desk.refused("POST", "/handovers", OPERATOR, owners={"*": owner}) == (422, "unknown_owner")
    begun = await desk.post("/handovers", OPERATOR)
    path = f"/handovers/{begun['handover_id']}/take"
    assert await desk.refused("POST", path, OPERATOR, owners={"*": "zhao"}) == (409, "same_person")
    assert await desk.refused("POST", path, NEXT, owners={"*": "li"}) == (422, "unknown_owner")
    assert await desk.refused("POST", path, VIEWER) == (403, "not_allowed")
    assert await desk.refused("POST", f"/handovers/{UUID(int=3)}/take", NEXT) == (404, "not_found")


async def test_a_handover_begun_by_mistake_is_withdrawn_and_stays_in_the_record(desk: Desk, records: Records) -> None:
    begun = await desk.post("/handovers", OPERATOR, remarks="too early")
    withdrawn = await desk.post(f"/handovers/{begun['handover_id']}/withdraw", SUPERVISOR, note="交早了")
    assert (withdrawn["state"], withdrawn["ended_by"], withdrawn["note"]) == ("withdrawn", "chen", "交早了")
    assert await desk.refused("POST", f"/handovers/{begun['handover_id']}/take", NEXT) == (409, "handover_ended")
    again = await desk.post("/handovers", OPERATOR)
    await desk.post(f"/handovers/{again['handover_id']}/take", NEXT)
    items = (await desk.get("/handovers"))["items"]
    assert [item["state"] for item in items] == ["taken", "withdrawn"]
    first = await desk.get("/handovers", limit=1)
    assert [item["state"] for item in (await desk.get("/handovers", limit=1, after=first["next"]))["items"]] == ["withdrawn"]


async def test_the_shift_begins_with_the_last_that_was_taken(desk: Desk, records: Records) -> None:
    incident, _ = _shift(records)
    await desk.post(f"/incidents/{incident.partition(':')[2]}/remarks", OPERATOR, text="of the first shift")
    begun = await desk.post("/handovers", OPERATOR, owners={"*": "zhao"})
    taken = await desk.post(f"/handovers/{begun['handover_id']}/take", NEXT)
    assert [each["zh"] for each in taken["taken_document"]["remarks"]] == ["李值班：of the first shift"]
    records.db.execute("ALTER TABLE incident_remarks DISABLE TRIGGER ALL")
    records.db.execute("UPDATE incident_remarks SET at_ms = at_ms - 60000")
    draft = await desk.get("/handover", NEXT)
    assert (draft["shift_began_ms"], draft["remarks"]) == (taken["ended_ms"], [])


async def test_a_draft_shows_the_handover_that_is_under_way_and_its_owners(desk: Desk, records: Records) -> None:
    incident, task = _shift(records)
    begun = await desk.post("/handovers", OPERATOR, owners={incident: "zhao"})
    draft = await desk.get("/handover", NEXT)
    assert draft["under_way"]["handover_id"] == begun["handover_id"]
    assert [each["owner"] for each in draft["incidents"]] == ["zhao"]
    assert [(each["thing"], each["owner"]) for each in draft["tasks"]] == [(task, None)]


async def test_desks_of_districts_hand_over_apart(desk: Desk, records: Records) -> None:
    _shift(records)
    furong, yuelu = (person(name, "operator", districts=(code,)) for name, code in (("fu", "430102"), ("yue", "430104")))
    other = person("fu2", "operator", districts=("430102", "430103"))
    user(records, "fu2", "operator", districts=["430102", "430103"])
    user(records, "yue", "operator", districts=["430104"])
    assert len((await desk.get("/handover", furong))["incidents"]) == 1
    assert (await desk.get("/handover", yuelu))["incidents"] == []
    assert [each["name"] for each in (await desk.get("/handover", furong))["people"]] == ["chen", "fu2", "li", "zhao"]
    mine = await desk.post("/handovers", furong)
    theirs = await desk.post("/handovers", yuelu)
    assert mine["desk"] == "430102"
    assert await desk.refused("GET", f"/handovers/{theirs['handover_id']}", furong) == (404, "not_found")
    assert await desk.refused("POST", f"/handovers/{mine['handover_id']}/take", yuelu, owners={"*": "fu2"}) == (404, "not_found")
    assert [item["desk"] for item in (await desk.get("/handovers", yuelu))["items"]] == ["430104"]
    assert len((await desk.get("/handovers", SUPERVISOR))["items"]) == 2
    assert (await desk.post(f"/handovers/{mine['handover_id']}/take", other, owners={"*": "fu2"}))["state"] == "taken"


async def test_what_was_signed_cannot_be_changed(desk: Desk, records: Records) -> None:
    begun = await desk.post("/handovers", OPERATOR)
    await desk.post(f"/handovers/{begun['handover_id']}/take", NEXT)
    for statement in (
        "UPDATE handovers SET remarks = 'x'",
        "DELETE FROM handover_ends",
        "UPDATE handover_ends SET document = '{}'",
        "TRUNCATE handovers CASCADE",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation):
            records.db.execute(statement.encode())


async def test_each_signature_is_told_to_who_listens(desk: Desk, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as listener:
        listener.execute("LISTEN changes")
        begun = await desk.post("/handovers", OPERATOR)
        await desk.post(f"/handovers/{begun['handover_id']}/take", NEXT)
        heard = told(listener)
    assert heard == [{"what": "handover", "id": begun["handover_id"], "incident_id": None}] * 2


async def test_who_may_look(desk: Desk) -> None:
    auditor = person("shen", "auditor")
    begun = await desk.post("/handovers", OPERATOR)
    assert (await desk.get(f"/handovers/{begun['handover_id']}", auditor))["state"] == "begun"
    assert await desk.refused("GET", "/handovers", VIEWER) == (403, "not_allowed")
    assert await desk.refused("GET", f"/handovers/{begun['handover_id']}", VIEWER) == (403, "not_allowed")
    assert await desk.refused("GET", "/handover", auditor) == (403, "not_allowed")
    assert await desk.refused("POST", "/handovers", auditor) == (403, "not_allowed")


async def test_numbers_in_what_was_said_are_masked_once_the_incident_is_closed(desk: Desk, records: Records) -> None:
    clear, masked = "ring 13812345678", "ring 138****5678"
    incident, _ = _shift(records)
    incident_id = incident.partition(":")[2]
    records.change("incidents", "incident_id", incident_id, home={**HOME, "address_zh": clear})
    await desk.post(f"/incidents/{incident_id}/remarks", OPERATOR, text=clear)
    begun = await desk.post("/handovers", OPERATOR, owners={"*": "zhao"})
    taken = await desk.post(f"/handovers/{begun['handover_id']}/take", NEXT)
    auditor = person("shen", "auditor")

    async def shown(who: Who) -> set[str]:
        """What is told of the incident, without who said it."""
        whole = await desk.get(f"/handovers/{taken['handover_id']}", who)
        documents = [whole["begun_document"], whole["taken_document"]]
        if who is not auditor:
            documents.append(await desk.get("/handover", who))
        found = {remark["zh"].removeprefix("李值班：") for document in documents for remark in document["remarks"]}
        # The revisit stands under the address of its order.
        placed = [each for document in documents for part in ("incidents", "promises") for each in document[part]]
        return found | {each["address_zh"] for each in placed if not each["thing"].startswith("revisit:")}

    assert await shown(NEXT) == {clear}
    assert await shown(auditor) == {masked}
    records.change("incidents", "incident_id", incident_id, state="closed")
    assert await shown(NEXT) == {masked}


async def test_a_number_in_the_words_of_a_shift_is_masked_once_the_next_one_is_taken_over(desk: Desk) -> None:
    begun = await desk.post("/handovers", OPERATOR, remarks="ring 13812345678")
    path = f"/handovers/{begun['handover_id']}"
    taken = await desk.post(f"{path}/take", NEXT, note="rang 13812345678")
    assert (taken["remarks"], taken["note"]) == ("ring 13812345678", "rang 13812345678")
    hidden = ("ring 138****5678", "rang 138****5678")
    seen = await desk.get(path, person("shen", "auditor"))
    assert (seen["remarks"], seen["note"]) == hidden
    again = await desk.post("/handovers", NEXT)
    assert (await desk.get(path, NEXT))["remarks"] == "ring 13812345678", "the next is not taken yet"
    await desk.post(f"/handovers/{again['handover_id']}/take", OPERATOR)
    seen = await desk.get(path, NEXT)
    assert (seen["remarks"], seen["note"]) == hidden


async def test_the_demonstration_may_hand_over_to_itself(desk: Desk, records: Records) -> None:
    _shift(records)
    demo = person("demo", "supervisor", via="demo")
    assert "demo" in [each["name"] for each in (await desk.get("/handover", demo))["people"]]
    begun = await desk.post("/handovers", demo, owners={"*": "demo"})
    assert (await desk.post(f"/handovers/{begun['handover_id']}/take", demo))["state"] == "taken"


@pytest.mark.parametrize("body", [{"owners": {"": "li"}}, {"owners": {"*": ""}}, {"owners": []}, {"remarks": "x" * 4001}, {"actor": "li"}])
async def test_what_cannot_be_read_is_refused(desk: Desk, body: dict[str, Any]) -> None:
    assert (await desk.answer("POST", "/handovers", OPERATOR, json=body)).status_code == 422


def test_desks_and_districts() -> None:
    assert (desk_of(None), desk_of(("430104", "430102"))) == ("*", "430102,430104")
    assert (districts_of("*"), districts_of("430102,430104")) == (None, ("430102", "430104"))
    assert covers(None, "*")
    assert covers(("430102", "430103"), "430102")
    assert not covers(("430102",), "*")
    assert not covers(("430102",), "430102,430103")
    assert strangers(["x", "y", "z"], ["y"]) == ["x", "z"]


def test_two_people_hand_a_shift_over_each_in_his_own_browser(console: Served, records: Records) -> None:
    incident, task = _shift(records)
    leaving, taking = console.signed_in("operator", name="li"), console.signed_in("dispatcher", name="wang")
    begun = leaving.post("/api/v1/handovers", json={"remarks": "平安", "owners": {incident: "wang"}})
    assert begun.status_code == 200, begun.text
    path = f"/api/v1/handovers/{begun.json()['handover_id']}"
    refused = taking.post(f"{path}/take", json={})
    assert (refused.status_code, refused.json()["errors"][0]["where"]) == (409, f"body.owners.{task}")
    assert leaving.post(f"{path}/take", json={"owners": {"*": "wang"}}).json()["reason"] == "same_person"
    taken = taking.post(f"{path}/take", json={"owners": {"*": "wang"}})
    assert taken.status_code == 200, taken.text
    seen = console.signed_in("auditor", name="shen").get(path).json()
    assert (seen["left_by"], seen["ended_by"], seen["remarks"]) == ("li", "wang", "平安")
    assert console.signed_in("viewer", name="wall").get(path).status_code == 403
