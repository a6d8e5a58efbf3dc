"""Names and telephone numbers: who is shown them, what everybody else is shown, and that looking behind the mask is on record."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from console import masking
from console.access.rights import Role
from tests.console.eyes import HERE, Quarter, city, look_as
from tests.console.stage import T0, Records, Served

API = "/api/v1"
NAME, PHONE = "周敏", "+8613812340001"
PLACES = (
    "homes/{home}",
    "incidents/{incident}",
    "incidents/{incident}/timeline",
    "incidents/{incident}/remarks",
    "homes/{home}/holds",
    "incidents",
    "calls",
    "tasks",
    "commands",
)


@pytest.mark.parametrize(
    ("clear", "shown"),
    [
        ("+8613812341234", "+86138****1234"),
        ("+8673188881234", "+86731****1234"),
        ("0731-8888 1234", "0731****1234"),
        ("sip:10001@sim.invalid", "sip:1***1"),
        ("sip:12", "sip:***"),
        ("95158", "****"),
        ("", ""),
    ],
)
def test_a_number_keeps_what_tells_lines_apart(clear: str, shown: str) -> None:
    assert masking.number(clear) == shown


def test_a_name_keeps_its_first_character_and_not_its_length() -> None:
    assert [masking.name(name) for name in ("张三", "张三丰", "Li", "")] == ["张**", "张**", "L**", ""]


def test_a_made_up_name_says_so_also_when_it_is_masked() -> None:
    made_up = ("模拟·周敏", "模拟物业3号值班室", "模拟", "模仿")
    assert [masking.name(name) for name in made_up] == ["模拟·周**", "模拟物**", "模拟**", "模**"]


@pytest.mark.parametrize(
    ("clear", "shown"),
    [
        ("物业 0731-88881234，张 13812341234", "物业 0731****1234，张 138****1234"),
        ("ring sip:10001@sim.invalid at +8613812341234.", "ring sip:1***1 at +86138****1234."),
        (
            "QX-260402-0017 at 1775120400000 ms, M00001, 0.02 kPa, 4301000001",
            "QX-260402-0017 at 1775120400000 ms, M00001, 0.02 kPa, 4301000001",
        ),
        ("0b6f1388-0123-4567-8901-138123412345", "0b6f1388-0123-4567-8901-138123412345"),
    ],
)
def test_numbers_in_text_are_found_and_nothing_else_is_taken_for_one(clear: str, shown: str) -> None:
    assert masking.text(clear) == shown


def test_a_detail_is_masked_by_its_keys_and_keeps_what_machines_read() -> None:
    found = masking.detail(
        {
            "name": "周敏",
            "phone": PHONE,
            "call_id": "13812341234",
            "people": [{"name": "黄蓉", "note": PHONE}],
            "attempt": 2,
        }
    )
    people = [{"name": "黄**", "note": "+86138****0001"}]
    assert found == {"name": "周**", "phone": "+86138****0001", "call_id": "13812341234", "people": people, "attempt": 2}


def answers(client: httpx.Client, here: Quarter) -> dict[str, str]:
    """What each place says of the home's people."""
    found = {}
    for path in PLACES:
        answer = client.get(f"{API}/{path.format(home=here.home, incident=here.incident)}")
        assert answer.status_code == 200, (path, answer.text)
        found[path] = answer.text
    return found


def test_who_may_see_people_sees_them_while_an_incident_of_the_home_is_open(start_console: Callable[..., Served], records: Records) -> None:
    console = start_console()
    here, _ = city(records)
    records.change("commands", "command_id", here.command, reason=f"住户来电 {PHONE}")
    records.change("valve_holds", "home_id", here.home, lifted_ms=T0 + 1, lifted_by="desk", lifted_why=f"住户来电 {PHONE}")
    roles: list[tuple[Role, dict[str, Any]]] = [
        ("operator", {"districts": [HERE]}),
        ("dispatcher", {}),
        ("supervisor", {}),
        ("technician", {"technician_id": here.technician}),
    ]
    people = {role: look_as(console, role, **more) for role, more in roles}
    others = [look_as(console, role) for role in ("viewer", "engineer", "auditor")]
    for role, client in people.items():
        for path, text in answers(client, here).items():
            assert PHONE in text or NAME in text, (role, path)
    for client in others:
        for path, text in answers(client, here).items():
            assert PHONE not in text, path
            assert NAME not in text, path
            assert "周**" in text or "+86138****0001" in text, path
    records.change("incidents", "incident_id", here.incident, state="closed")
    for role, client in people.items():
        for path, text in answers(client, here).items():
            assert PHONE not in text, (role, path)
            assert NAME not in text, (role, path)


def test_what_is_said_after_the_end_of_an_incident_is_masked_for_all(start_console: Callable[..., Served], records: Records) -> None:
    console = start_console()
    here, _ = city(records)
    operator = look_as(console, "operator", districts=[HERE])
    path = f"{API}/incidents/{here.incident}"
    assert operator.post(f"{path}/remarks", json={"text": f"ring {PHONE}"}).json()["text"] == f"ring {PHONE}"
    records.change("incidents", "incident_id", here.incident, state="closed")
    for said in (
        operator.post(f"{path}/remarks", json={"text": f"ring {PHONE}"}),
        operator.post(f"{path}/acknowledge", json={"note": f"ring {PHONE}"}),
    ):
        assert said.status_code == 200, said.text
        assert said.json()["text"] == "ring +86138****0001"
        assert PHONE not in said.text
    # The home's next incident opens what is known of the home again, as in the story.
    records.incident(1, place=here.home)
    assert PHONE in operator.get(f"{path}/remarks").text
    assert PHONE in operator.get(f"{path}/timeline").text


def test_a_number_typed_into_a_request_is_masked_where_the_request_is_read(start_console: Callable[..., Served], records: Records) -> None:
    console = start_console(answer_wait_s=0.01)
    here, _ = city(records)
    operator = look_as(console, "operator", districts=[HERE])
    put = operator.post(f"{API}/incidents", json={"home_id": here.home, "caller_phone": PHONE, "note": f"ring {PHONE}"})
    assert put.status_code == 202
    read = operator.get(f"{API}/requests/{put.json()['request_id']}")
    assert (read.json()["body"]["caller_phone"], read.json()["body"]["note"]) == ("+86138****0001", "ring +86138****0001")
    assert PHONE not in read.text


def test_a_place_told_with_a_number_is_found_without_it(start_console: Callable[..., Served], records: Records) -> None:
    console = start_console()
    incident = records.incident(1, kind="hotline_report", home_id=None, place="hotline:1", home={})
    records.event(incident, "opened", T0, place=f"云栖花园门口 {PHONE}")
    found = look_as(console, "viewer").get(f"{API}/search", params={"q": str(incident)})
    assert found.json()["items"][0]["title_zh"]
    assert "云栖花园门口 +86138****0001" in found.text
    assert PHONE not in found.text


def test_what_people_need_is_shown_to_those_who_may_see_people_and_nobody_else_is_told_that_it_is_nothing(
    start_console: Callable[..., Served], records: Records
) -> None:
    console = start_console()
    here, there = city(records)
    records.change("homes", "home_id", here.home, flags=["infirm", "lives_alone"])
    for quarter, flags in ((here, ["infirm", "lives_alone"]), (there, [])):
        place = {"place": quarter.home, "district_code": quarter.district, "flags": flags}
        records.change("work_orders", "order_id", quarter.order, place=place)
        records.event(quarter.incident, "opened", T0, home={"flags": flags})

    def shown(role: Role) -> list[Any]:
        client = look_as(console, role)
        homes = {home["home_id"]: home["flags"] for home in client.get(f"{API}/homes").json()["items"]}
        orders = {order["order_no"]: order["place"]["flags"] for order in client.get(f"{API}/orders").json()["items"]}
        assert [client.get(f"{API}/homes/{of.home}").json()["flags"] for of in (here, there)] == [homes[of.home] for of in (here, there)]
        return [*(homes[of.home] for of in (here, there)), *(orders[of.order_no] for of in (here, there))]

    seeing: tuple[Role, ...] = ("operator", "dispatcher", "supervisor")
    others: tuple[Role, ...] = ("viewer", "engineer", "auditor")
    for role in seeing:
        assert shown(role) == [["infirm", "lives_alone"], [], ["infirm", "lives_alone"], []], role
    for role in others:
        assert shown(role) == [None] * 4, role
        client = look_as(console, role)
        for path in (*(place.format(home=here.home, incident=here.incident) for place in PLACES), "orders", f"orders/{here.order_no}"):
            answer = client.get(f"{API}/{path}")
            assert answer.status_code == 200
            assert "infirm" not in answer.text, (role, path)


def test_a_number_in_a_homes_texts_is_shown_as_the_contacts_own_are(start_console: Callable[..., Served], records: Records) -> None:
    console = start_console()
    here, there = city(records)
    texts = {"access_note": f"门禁找物业 {PHONE}", "meter_location": f"表箱钥匙 {PHONE}"}
    for quarter in (here, there):
        records.change("homes", "home_id", quarter.home, **texts)
    records.change("incidents", "incident_id", there.incident, state="closed")
    masked = {name: text.replace(PHONE, "+86138****0001") for name, text in texts.items()}

    def shown(client: httpx.Client) -> list[dict[str, str]]:
        listed = {home["home_id"]: home for home in client.get(f"{API}/homes").json()["items"]}
        found = [[listed[of.home], client.get(f"{API}/homes/{of.home}").json()] for of in (here, there)]
        assert [{name: one[name] for name in texts} for one, _ in found] == [{name: other[name] for name in texts} for _, other in found]
        return [{name: one[name] for name in texts} for one, _ in found]

    operator = look_as(console, "operator")
    assert shown(operator) == [texts, masked], "in clear while an incident of the home is open"
    assert shown(look_as(console, "viewer")) == [masked, masked]
    people = operator.post(f"{API}/homes/{there.home}/people", json={"reason": "回访 / call back"}).json()
    assert {name: people[name] for name in texts} == texts


def test_a_detail_keeps_a_devices_flags_and_not_its_peoples() -> None:
    assert masking.detail({"flags": ["tamper", "infirm"], "home": {"flags": ("infant",)}}) == {"flags": ["tamper"], "home": {"flags": []}}


def test_looking_behind_the_mask_needs_a_reason_and_is_recorded(start_console: Callable[..., Served], records: Records) -> None:
    console = start_console()
    here, _ = city(records)
    records.change("incidents", "incident_id", here.incident, state="closed")
    operator = console.signed_in("operator", name="wang")
    path = f"{API}/homes/{here.home}/people"
    for role in ("viewer", "technician", "engineer", "auditor"):
        refused = look_as(console, role).post(path, json={"reason": "curious"})
        assert (refused.status_code, refused.json()["reason"]) == (403, "not_allowed"), role
    for blank in ({}, {"reason": ""}, {"reason": "   "}):
        assert operator.post(path, json=blank).status_code == 422
    assert records.db.execute("SELECT count(*) FROM audit").fetchone() == (0,)
    found = operator.post(path, json={"reason": "回访 / call back"})
    assert found.status_code == 200, found.text
    assert found.headers["cache-control"] == "no-store"
    assert found.json()["contacts"] == [{"position": 1, "name": NAME, "role": "resident", "phone": PHONE}]
    assert [(call["name"], call["address"]) for call in found.json()["called"]] == [(NAME, PHONE)]
    rows = records.db.execute("SELECT who, what, about, reason, detail FROM audit").fetchall()
    assert rows == [("wang", "unmasked", here.home, "回访 / call back", {"contacts": 1, "called": 1})]
    assert PHONE not in str(rows)


def test_names_in_clear_are_not_kept_for_whoever_asks_again(start_console: Callable[..., Served], records: Records) -> None:
    console = start_console()
    here, _ = city(records)
    operator = look_as(console, "operator")
    for _ in range(2):
        looked = operator.post(f"{API}/homes/{here.home}/people", json={"reason": "call back"}, headers={"Idempotency-Key": "one-look"})
        assert PHONE in looked.text
    assert records.db.execute("SELECT count(*) FROM idempotency_keys").fetchone() == (0,)
    assert records.db.execute("SELECT count(*) FROM audit WHERE what = 'unmasked'").fetchone() == (2,)


def test_what_cannot_be_recorded_is_not_shown(start_console: Callable[..., Served], records: Records) -> None:
    console = start_console()
    here, _ = city(records)
    operator = look_as(console, "operator")
    with records.db.transaction():
        records.db.execute("LOCK TABLE audit")
        found = operator.post(f"{API}/homes/{here.home}/people", json={"reason": "call back"})
    assert (found.status_code, found.json()["reason"]) == (503, "database_away")
    assert PHONE not in found.text


def test_a_crew_is_known_to_itself_to_who_sends_it_and_to_the_desk_while_it_works(
    start_console: Callable[..., Served], records: Records
) -> None:
    console = start_console()
    here, _ = city(records)
    clients = {
        "own": look_as(console, "technician", technician_id=here.technician),
        "dispatcher": look_as(console, "dispatcher"),
        "operator": look_as(console, "operator"),
        "viewer": look_as(console, "viewer"),
    }

    def shown() -> dict[str, tuple[str, float | None]]:
        crews = {who: client.get(f"{API}/crews").json()["items"][0] for who, client in clients.items()}
        return {who: (crew["technicians"][0]["phone"], crew["lon"]) for who, crew in crews.items()}

    clear, masked = "+8613912340001", "+86139****0001"
    assert shown() == {"own": (clear, 114.5), "dispatcher": (clear, 114.5), "operator": (clear, 114.5), "viewer": (masked, 114.5)}
    records.change("work_orders", "order_id", here.order, state="archived", archived_ms=T0 + 9_000_000)
    assert shown() == {"own": (clear, None), "dispatcher": (clear, None), "operator": (masked, None), "viewer": (masked, None)}
