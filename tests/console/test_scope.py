"""Nobody sees, or acts on, what lies outside his districts or his crew: over every route that the console describes of itself."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest

from console.access.rights import ROLES
from tests.console.eyes import ELSEWHERE, HERE, Quarter, city, look_as
from tests.console.stage import T0, Records, Served, running_console

API = "/api/v1"
# Of nobody's home: signing in, and the demonstration's own panel, which has no districts. On their own are tested: users, tokens and the
# audit record (test_access_users.py), and the stream (test_stream.py).
ELSEWHERE_TESTED = re.compile(r"^/api/v1/(session|setup|users|tokens|demo|events|audit)(/|$)")
# What each route that changes something is asked, so that nothing but the place can be wrong with it.
BODIES: dict[str, dict[str, Any]] = {
    "/incidents": {"note": "smell", "home_id": "{home_id}"},
    "/incidents/{incident_id}/acknowledge": {},
    "/incidents/{incident_id}/remarks": {"text": "seen"},
    "/homes/{home_id}/people": {"reason": "call back"},
    "/homes/{home_id}/close-valve": {"reason": "smell"},
    "/homes/{home_id}/holds": {"hold": "works", "reason": "riser"},
    "/homes/{home_id}/holds/lift": {"hold": "works", "why": "done"},
    "/devices/{device_id}/self-test": {},
    "/devices/{device_id}/report": {},
    "/orders/{order_no}/accept": {},
    "/orders/{order_no}/on-site": {},
    "/orders/{order_no}/no-access": {},
    "/orders/{order_no}/made-safe": {"reading_lel": 1.0},
    "/orders/{order_no}/cause": {"cause": "hose"},
    "/orders/{order_no}/tightness-test": {"start_kpa": 5.0, "end_kpa": 5.0, "minutes": 10},
    "/orders/{order_no}/open-valve": {},
    "/orders/{order_no}/restore": {},
    "/orders/{order_no}/archive": {},
    "/orders/{order_no}/reassign": {},
    "/orders/{order_no}/attachments": {},
    "/tasks/{task_id}/done": {},
    "/crews/{crew_id}/position": {"lon": 113.0, "lat": 28.2, "coord_datum": "WGS-84"},
}
# They are of a desk or of a station's answer, and lead to nothing of a home by an id in their path.
NOT_BY_PLACE = {"/exports/incidents", "/exports/orders", "/handovers", "/handovers/{handover_id}/take", "/handovers/{handover_id}/withdraw"}


class Streets(NamedTuple):
    """A console on a city of two districts."""

    console: Served
    records: Records
    here: Quarter
    there: Quarter


@pytest.fixture(scope="module")
def streets(postgres: Any) -> Iterator[Streets]:
    """One console for all of this module: nothing here changes what is told."""
    dsn = postgres.clone()
    records = Records(dsn)
    here, there = city(records)
    with running_console(dsn, answer_wait_s=0.2) as console:
        yield Streets(console, records, here, there)
    records.close()


def described(console: Served) -> dict[str, Any]:
    found: dict[str, Any] = console.http.get("/openapi.json").json()
    return found


def routes(console: Served, method: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        (path.removeprefix(API), item[method])
        for path, item in described(console)["paths"].items()
        if method in item and path.startswith(API) and not ELSEWHERE_TESTED.match(path)
    ]


def parameters(operation: dict[str, Any], where: str) -> list[str]:
    return [each["name"] for each in operation.get("parameters", []) if each["in"] == where]


def filled(path: str, quarter: Quarter) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: quarter.values.get(found[1], str(uuid4())), path)


def test_a_user_of_every_district_is_shown_both(streets: Streets) -> None:
    """So that the tests below can fail: each list does hold things of both districts."""
    console = streets.console
    here = streets.here
    there = streets.there
    everybody = look_as(console, "supervisor", "engineer")
    lists = ("/homes", "/devices", "/incidents", "/orders", "/calls", "/commands", "/tasks", "/crews", "/conditions", "/conditions/homes")
    for path in lists:
        text = everybody.get(API + path).text
        assert here.find_in(text), path
        assert there.find_in(text), path


def test_no_list_and_no_filter_tells_of_another_district(streets: Streets) -> None:
    console = streets.console
    there = streets.there
    looker = look_as(console, *(role for role in ROLES if role != "technician"), districts=[HERE])
    asked = 0
    for path, operation in routes(console, "get"):
        if "{" in path:
            continue
        names = parameters(operation, "query")
        required = {e["name"] for e in operation.get("parameters", []) if e["in"] == "query" and e.get("required")}
        for question in ({}, *({name: there.values[name]} for name in names if name in there.values)):
            whole = {**{name: there.values.get(name, "1") for name in required}, **question}
            answer = looker.get(API + path, params=whole)
            assert answer.status_code < 500, (path, whole, answer.text)
            leaked = [mark for mark in there.find_in(answer.text) if mark not in whole.values()]
            assert not leaked, (path, whole, leaked)
            asked += 1
    assert asked > 30


def test_nothing_of_another_district_is_there_when_it_is_asked_for_by_id(streets: Streets) -> None:
    console = streets.console
    here = streets.here
    there = streets.there
    looker = look_as(console, *(role for role in ROLES if role != "technician"), districts=[HERE])
    everybody = look_as(console, *(role for role in ROLES if role != "technician"))
    asked = 0
    for path, _operation in routes(console, "get"):
        if "{" not in path:
            continue
        names = re.findall(r"\{(\w+)\}", path)
        assert set(names) <= {*there.values, "request_id", "handover_id", "attachment_id"}, f"{path}: say what lies behind {names}"
        answer = looker.get(API + filled(path, there))
        assert answer.status_code == 404, (path, answer.text)
        assert not [mark for mark in there.find_in(answer.text) if mark not in there.values.values()], path
        if set(names) <= there.values.keys() - {"call_id"}:
            assert everybody.get(API + filled(path, there)).status_code == 200, path
            assert looker.get(API + filled(path, here)).status_code == 200, path
            asked += 1
    assert asked >= 9


def test_nothing_of_another_district_can_be_acted_on(streets: Streets) -> None:
    console = streets.console
    records = streets.records
    there = streets.there
    actor = look_as(console, *ROLES, districts=[HERE])
    before = records.db.execute("SELECT count(*) FROM requests").fetchone()
    asked = 0
    for path, _ in routes(console, "post"):
        if path in NOT_BY_PLACE:
            continue
        assert path in BODIES, f"{path}: say in BODIES what it is asked"
        body = json.loads(re.sub(r"\{(\w+)\}", lambda found: there.values[found[1]], json.dumps(BODIES[path])))
        if path.endswith("/attachments"):
            answer = actor.post(API + filled(path, there), content=b"\xff\xd8\xff", headers={"Content-Type": "image/jpeg"})
        else:
            answer = actor.post(API + filled(path, there), json=body)
        assert answer.status_code == 404, (path, answer.status_code, answer.text)
        asked += 1
    assert records.db.execute("SELECT count(*) FROM requests").fetchone() == before
    assert records.db.execute("SELECT count(*) FROM audit WHERE about = %s", [there.home]).fetchone() == (0,)
    assert asked >= 18


def test_a_thing_of_no_known_place_is_shown_to_every_desk(streets: Streets) -> None:
    console = streets.console
    records = streets.records
    unknown = records.incident(9, at_ms=T0 + 5, kind="unknown_sender", home_id=None, home={}, valve="none")
    desk = look_as(console, "operator", districts=[HERE])
    crew = look_as(console, "technician", technician_id="crew-1-A")
    assert str(unknown) in desk.get(f"{API}/incidents").text
    assert desk.get(f"{API}/incidents/{unknown}").status_code == 200
    assert str(unknown) not in crew.get(f"{API}/incidents").text
    assert crew.get(f"{API}/incidents/{unknown}").status_code == 404


def test_what_was_made_under_an_alias_stays_in_its_district(streets: Streets) -> None:
    """The line opened it without its database: order, call and command carry another id than the incident that is stored."""
    console = streets.console
    records = streets.records
    there = streets.there
    alias = uuid4()
    records.put("incident_aliases", alias_id=alias, incident_id=there.incident, at_ms=T0, reason="opened_without_database")
    call = records.call(alias, home_id=None, at_ms=T0 + 500)
    command = records.command(alias, device_id="gone", at_ms=T0 + 501)
    task = records.task(alias)
    desk, everybody = look_as(console, "operator", districts=[HERE]), look_as(console, "operator")
    for path, thing in (("calls", call), ("commands", command), ("tasks", task)):
        assert str(thing) in everybody.get(f"{API}/{path}").text, path
        assert str(thing) not in desk.get(f"{API}/{path}").text, path


def test_a_dark_building_is_told_to_its_own_district(streets: Streets) -> None:
    console = streets.console
    records = streets.records
    dark = records.task(uuid4(), kind="building_dark", detail={"district_code": ELSEWHERE, "estate": "远处"})
    assert str(dark) in look_as(console, "operator", districts=[ELSEWHERE]).get(f"{API}/tasks").text
    mine = look_as(console, "operator", districts=[HERE])
    assert str(dark) not in mine.get(f"{API}/tasks").text
    assert look_as(console, "operator", districts=[ELSEWHERE]).post(f"{API}/tasks/{dark}/done", json={}).status_code in {200, 202}
    assert mine.post(f"{API}/tasks/{dark}/done", json={}).status_code == 404, "nobody finishes what he is not shown"


def test_figures_count_what_their_reader_sees(streets: Streets) -> None:
    console = streets.console
    whole = look_as(console, "viewer").get(f"{API}/overview").json()
    mine = look_as(console, "viewer", districts=[HERE]).get(f"{API}/overview").json()
    for figure in ("homes", "blind", "valves_closed_by_hold", "orders_open", "crews"):
        assert (whole[figure], mine[figure]) == (2, 1), figure
    for figures in (whole, mine):
        assert sum(figures["incidents_by_step"].values()) == figures["incidents_open"]


def test_a_request_is_of_the_place_that_it_is_about(streets: Streets) -> None:
    """Also whoever put it, or reads all of them, sees it no longer where its place is not his."""
    console, records, here, there = streets
    readers = {
        "auditor": look_as(console, "auditor", districts=[HERE]),
        "integration": look_as(console, "integration", districts=[HERE]),
        "own": console.signed_in("supervisor", name="moved-away", districts=[HERE]),
    }
    everybody = look_as(console, "auditor")
    bodies: list[tuple[str, str, Callable[[Quarter], dict[str, str]]]] = [
        ("line", "close_valve", lambda of: {"home_id": of.home, "reason": of.name}),
        ("line", "self_test", lambda of: {"device_id": of.values["device_id"]}),
        ("dispatch", "accept", lambda of: {"order_no": of.order_no}),
        ("dispatch", "task_done", lambda of: {"task_id": str(of.task), "note": of.name}),
        ("dispatch", "crew_position", lambda of: {"crew_id": of.crew}),
    ]
    for station, kind, body in bodies:
        for of, status in ((here, 200), (there, 404)):
            request = uuid4()
            records.put(
                "requests", request_id=request, station=station, kind=kind, body=body(of), actor="moved-away", state="done", answer={}
            )
            path = f"{API}/requests/{request}"
            assert everybody.get(path).status_code == 200, kind
            for name, reader in readers.items():
                answer = reader.get(path)
                assert answer.status_code == status, (kind, name, answer.text)
                assert not there.find_in(answer.text), (kind, name)


def test_a_request_about_no_known_place_is_shown_to_whoever_put_it(streets: Streets) -> None:
    console, records, *_ = streets
    own = console.signed_in("operator", name="hotline-desk", districts=[HERE])
    for body in (
        {"home_id": None, "place": "八一路"},
        {"task_id": "none such", "device_id": "gone", "order_no": "QX-0", "home_id": "gone"},
    ):
        request = uuid4()
        records.put("requests", request_id=request, station="line", kind="hotline_report", body=body, actor="hotline-desk")
        assert own.get(f"{API}/requests/{request}").status_code == 200, body


def test_a_technician_is_told_what_became_of_his_own_request_and_of_no_other(streets: Streets) -> None:
    """Also where the order went to another crew meanwhile: that is what he has to be told."""
    console, records, here, there = streets
    technician = look_as(console, "technician", technician_id=here.technician)
    for actor, status in ((here.technician, 200), (there.technician, 404)):
        request = uuid4()
        records.put("requests", request_id=request, station="dispatch", kind="accept", body={"order_no": there.order_no}, actor=actor)
        assert technician.get(f"{API}/requests/{request}").status_code == status, actor


# -- a technician -----------------------------------------------------------------------------------------------------------------------


def test_a_technician_sees_what_his_crew_has_an_order_for(streets: Streets) -> None:
    console = streets.console
    here = streets.here
    there = streets.there
    crew = look_as(console, "technician", technician_id="crew-1-A")
    asked = 0
    for path, operation in routes(console, "get"):
        if "{" in path:
            answer = crew.get(API + filled(path, there))
            assert answer.status_code in {403, 404}, (path, answer.text)
            continue
        for question in ({}, *({name: there.values[name]} for name in parameters(operation, "query") if name in there.values)):
            answer = crew.get(API + path, params=question)
            assert answer.status_code < 500, (path, answer.text)
            assert not [mark for mark in there.find_in(answer.text) if mark not in question.values()], (path, question)
            asked += 1
    assert asked > 20
    own = {path: crew.get(f"{API}/{path}").json()["items"] for path in ("homes", "incidents", "orders", "calls", "commands", "crews")}
    assert {path: len(items) for path, items in own.items()} == dict.fromkeys(own, 1)
    assert own["incidents"][0]["incident_id"] == str(here.incident), "not the one of the day before, which was another order's"
    assert crew.get(f"{API}/homes/{here.home}").status_code == 200


def test_an_order_of_today_stays_with_its_crew_and_one_of_yesterday_does_not(
    start_console: Callable[..., Served], records: Records
) -> None:
    console = start_console()
    here, _ = city(records)
    crew = look_as(console, "technician", technician_id="crew-1-A")
    now: int = crew.get(f"{API}/overview").json()["at_ms"]
    for archived, seen in ((now, True), (now - 2 * 86_400_000, False)):
        records.change("work_orders", "order_id", here.order, state="archived", archived_ms=archived)
        assert bool(crew.get(f"{API}/orders").json()["items"]) is seen
        assert (crew.get(f"{API}/orders/{here.order_no}").status_code == 200) is seen
        assert (crew.get(f"{API}/incidents/{here.incident}").status_code == 200) is seen
        assert (crew.get(f"{API}/homes/{here.home}").status_code == 200) is seen


def test_a_technician_of_no_crew_sees_nothing(streets: Streets) -> None:
    console = streets.console
    nobody = look_as(console, "technician", technician_id="left-long-ago")
    for path in ("homes", "incidents", "orders", "calls", "commands", "tasks", "crews", "conditions"):
        assert nobody.get(f"{API}/{path}").json()["items"] == [], path


def test_an_order_under_an_alias_shows_its_crew_the_incident(start_console: Callable[..., Served], records: Records) -> None:
    console = start_console()
    _, there = city(records)
    alias = uuid4()
    records.put("incident_aliases", alias_id=alias, incident_id=there.closed, at_ms=T0, reason="opened_without_database")
    records.order(alias, 7, crew_id="crew-1", home_id=there.home)
    crew = look_as(console, "technician", technician_id="crew-1-A")
    assert crew.get(f"{API}/incidents/{there.closed}").status_code == 200
    assert crew.get(f"{API}/incidents/{alias}").json()["incident_id"] == str(there.closed)
    assert crew.get(f"{API}/incidents/{there.incident}").status_code == 404, "another crew works that one"
    assert [order["order_no"] for order in crew.get(f"{API}/incidents/{there.closed}").json()["orders"]] == ["QX-260402-0007"]


def test_nobody_at_all_sees_anything(streets: Streets) -> None:
    console = streets.console
    here = streets.here
    with httpx.Client(base_url=console.url, trust_env=False) as stranger:
        for method in ("get", "post"):
            for path, _ in routes(console, method):
                answer = stranger.request(method, API + filled(path, here), json={} if method == "post" else None)
                assert answer.status_code in {401, 429}, (method, path, answer.text)
