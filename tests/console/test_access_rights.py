"""What each role may do: one table, walked over every route that there is. What the table does not name is refused to everybody."""

from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from console.access.description import describe_access
from console.access.rights import ALL_RIGHTS, RIGHT_NAMES, RIGHTS, ROLE_NAMES, ROLES, Role, roles_with
from console.access.table import NEEDED, OPEN
from console.api.needs import as_the_table_says
from console.app import create_app
from console.settings import ConsoleSettings
from tests.console.stage import Records, Served

STREAM = "GET /events"
# A route that asks for one of two rights, according to who asks.
EITHER = {
    "POST /orders/{order_no}/tightness-test": {"order_step", "order_desk"},
    "GET /handovers": {"handover", "audit"},
    "GET /handovers/{handover_id}": {"handover", "audit"},
}


def _operations() -> list[str]:
    document: dict[str, Any] = create_app(ConsoleSettings()).openapi()
    return [
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, item in document["paths"].items()
        if path.startswith("/api/")
        for method in item
    ]


def test_every_route_has_a_right_and_every_right_a_route() -> None:
    operations = _operations()
    assert set(operations) - set(NEEDED) - OPEN == set(), "declare it in console/access/table.py"
    assert (set(NEEDED) | OPEN) - set(operations) == set(), "there is no such route"
    assert set(NEEDED) & OPEN == set()


def test_every_route_asks_the_table_before_anything_else() -> None:
    routes = [route for route in create_app(ConsoleSettings()).routes if isinstance(route, APIRoute) and route.path.startswith("/api/")]
    assert len(routes) >= len(NEEDED)
    assert {route.dependencies[0].dependency for route in routes} == {as_the_table_says}


def test_changes_need_more_than_looking() -> None:
    lightly = {operation for operation, right in NEEDED.items() if right == "read" and not operation.startswith("GET ")}
    assert lightly <= set(EITHER)


def test_what_lets_somebody_in_is_all_that_is_open() -> None:
    assert {operation.split()[1].split("/")[1] for operation in OPEN} == {"session", "setup"}


def test_the_description_says_what_a_route_needs() -> None:
    document = create_app(ConsoleSettings()).openapi()
    operation = document["paths"]["/api/v1/homes/{home_id}/close-valve"]["post"]
    assert operation["x-right"] == "close_valve"
    assert operation["security"] == [{"session": []}, {"token": []}]
    assert {"401", "403", "413", "429"} <= set(operation["responses"])
    assert "Idempotency-Key" in [parameter["name"] for parameter in operation["parameters"]]
    assert document["paths"]["/api/v1/session"]["post"]["security"] == []
    described: dict[str, Any] = {"components": {}, "paths": {}}
    describe_access(described)
    assert set(described["components"]["securitySchemes"]) == {"session", "token"}


def test_the_table_of_roles_holds_what_was_decided() -> None:
    assert set(RIGHTS) == set(ROLES) == set(ROLE_NAMES)
    assert set(RIGHT_NAMES) == ALL_RIGHTS
    assert all("read" in rights for rights in RIGHTS.values())
    assert roles_with("order_step") == ["technician", "integration"], "nobody takes a step at an order, or opens, from a desk"
    assert roles_with("users") == ["supervisor", "engineer"]
    assert roles_with("unmask") == ["operator", "dispatcher", "supervisor"]
    assert roles_with("demo") == []
    assert RIGHTS["viewer"] == {"read"}
    assert RIGHTS["auditor"] == {"read", "export", "audit"}
    assert not RIGHTS["integration"] & {"unmask", "users", "tokens", "audit", "export"}


def _ask(browser: httpx.Client, operation: str) -> httpx.Response:
    method, path = operation.split(" ")
    for name in ("incident_id", "user_id", "token_id", "call_id", "task_id", "request_id", "handover_id", "attachment_id"):
        path = path.replace(f"{{{name}}}", "00000000-0000-0000-0000-000000000001")
    path = "/api/v1" + path.replace("{", "").replace("}", "")
    return browser.request(method, path, json={} if method in {"POST", "PATCH"} else None)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_what_the_table_says_and_nothing_else(console: Served, records: Records, role: Role) -> None:
    technician = None
    if role == "technician":
        records.crew("c1")
        technician = "c1-A"
    browser = console.signed_in(role, technician_id=technician)
    wrong = []
    for operation, right in NEEDED.items():
        may = right in RIGHTS[role]
        if operation == STREAM and may:
            continue
        response = _ask(browser, operation)
        refused = response.status_code == 403 and response.json()["reason"] == "not_allowed"
        if operation in EITHER:
            may = bool(EITHER[operation] & RIGHTS[role])
            refused = refused or (response.status_code == 422 and not may)
        assert response.status_code < 500 or response.status_code == 503, f"{operation}: {response.text}"
        if refused is may:
            wrong.append(f"{operation}: {response.status_code} {response.text[:100]}")
    assert wrong == []


def test_a_refusal_says_who_may(console: Served) -> None:
    response = console.signed_in("viewer").post("/api/v1/homes/h/close-valve", json={"reason": "x"})
    problem = response.json()
    assert (response.status_code, problem["reason"]) == (403, "not_allowed")
    assert "值班员、调度员、值班长" in problem["zh"]
    assert "operator, dispatcher, supervisor" in problem["en"]


def test_nobody_gets_anything_who_is_not_signed_in(console: Served) -> None:
    browser = console.anybody()
    for operation in NEEDED:
        response = _ask(browser, operation)
        assert (response.status_code, response.json()["reason"]) == (401, "not_signed_in"), operation
    assert browser.get("/api/v1/nothing").status_code == 401, "not even what there is not"
    for path in ("/health", "/metrics", "/openapi.json"):
        assert browser.get(path).status_code in {200, 503}


@pytest.mark.parametrize("token", ["gs_wrong", "wrong", "gs_"])
def test_a_wrong_token_is_no_token(console: Served, token: str) -> None:
    browser = console.signed_in("operator")
    response = browser.get("/api/v1/incidents", headers={"Authorization": f"Bearer {token}"})
    assert (response.status_code, response.json()["reason"]) == (401, "bad_token"), "nor is the cookie looked at instead"


def test_a_technician_acts_as_himself_alone(console: Served, records: Records) -> None:
    records.home(1)
    records.order(records.incident(1), crew_id=records.crew("c1"))
    records.put("technicians", technician_id="c1-B", crew_id="c1", name="王", phone="sip:1@sim.invalid")
    browser = console.signed_in("technician", technician_id="c1-A")
    response = browser.post("/api/v1/orders/QX-260402-0001/accept", json={"actor": "c1-B"})
    assert (response.status_code, response.json()["reason"]) == (403, "not_your_name")
    nobody = console.signed_in("supervisor", name="boss")
    assert nobody.post("/api/v1/orders/QX-260402-0001/accept", json={}).status_code == 403
    close = nobody.post("/api/v1/homes/home-0001/close-valve", json={"actor": "operator", "reason": "x"})
    assert (close.status_code, close.json()["reason"]) == (403, "not_your_name")
    assert records.db.execute("SELECT count(*) FROM requests").fetchone() == (0,)


def answered_at_once(records: Records) -> None:
    """Every request is answered as it is put."""
    records.db.execute(
        "CREATE FUNCTION answer_at_once() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.state := 'done'; NEW.answer := '{}'; RETURN NEW; END $$"
    )
    records.db.execute("CREATE TRIGGER at_once BEFORE INSERT ON requests FOR EACH ROW EXECUTE FUNCTION answer_at_once()")


@pytest.mark.parametrize(
    ("roles", "technician_id", "named", "recorded"),
    [
        # His own test, whether he names himself or nobody: the technician speaks, and no desk stands beside him.
        (("operator", "technician"), "c1-A", None, ("c1-A", "c1-A", None)),
        (("operator", "technician"), "c1-A", "c1-A", ("c1-A", "c1-A", None)),
        (("operator", "technician"), "c1-A", "wei", ("c1-A", "c1-A", None)),
        # A colleague without reception told it to him: the desk speaks, and both names are on record.
        (("operator", "technician"), "c1-A", "c1-B", ("wei", "c1-B", "wei")),
        # The role without a technician of the registry behind it: he measured nothing himself.
        (("operator", "technician"), None, None, ("wei", "c1-A", "wei")),
        (("operator", "technician"), None, "c1-B", ("wei", "c1-B", "wei")),
        # And a technician who is no desk enters nobody else's.
        (("technician",), "c1-A", "c1-B", None),
    ],
)
def test_who_is_technician_and_desk_enters_his_own_test_as_the_one_and_anothers_as_the_other(
    console: Served,
    records: Records,
    roles: tuple[Role, ...],
    technician_id: str | None,
    named: str | None,
    recorded: tuple[str, str, str | None] | None,
) -> None:
    records.home(1)
    records.order(records.incident(1), crew_id=records.crew("c1"), technician_id="c1-A")
    answered_at_once(records)
    both = console.signed_in(*roles, name="wei", technician_id=technician_id)
    body = {"start_kpa": 3, "end_kpa": 3, "minutes": 5, **({} if named is None else {"actor": named})}
    answer = both.post("/api/v1/orders/QX-260402-0001/tightness-test", json=body)
    rows = records.db.execute("SELECT actor, body ->> 'technician_id', body ->> 'entered_by' FROM requests").fetchall()
    if recorded is None:
        assert (answer.status_code, answer.json()["reason"], rows) == (403, "not_allowed", [])
    else:
        assert (answer.status_code, rows) == (200, [recorded])


def test_a_request_carries_the_name_of_who_is_signed_in(console: Served, records: Records) -> None:
    records.home(1)
    records.order(records.incident(1), crew_id=records.crew("c1"), technician_id="c1-A")
    answered_at_once(records)
    step, test = "/api/v1/orders/QX-260402-0001/accept", "/api/v1/orders/QX-260402-0001/tightness-test"
    pressures = {"start_kpa": 3, "end_kpa": 3, "minutes": 5}
    technician = console.signed_in("technician", name="li", technician_id="c1-A")
    assert technician.post(step, json={"happened_ms": 7}).status_code == 200
    assert technician.post(test, json={**pressures, "entered_by": "zhou"}).status_code == 200
    desk = console.signed_in("operator", name="zhou")
    assert desk.post(test, json={**pressures, "entered_by": "somebody else"}).status_code == 200
    assert desk.post("/api/v1/homes/home-0001/close-valve", json={"reason": "x"}).status_code == 200
    rows = records.db.execute(
        "SELECT kind, actor, body ->> 'technician_id', body ->> 'entered_by', body ->> 'happened_ms' FROM requests ORDER BY made_at"
    ).fetchall()
    assert rows == [
        ("accept", "c1-A", "c1-A", None, "7"),
        ("tightness_test", "c1-A", "c1-A", None, None),
        ("tightness_test", "zhou", "c1-A", "zhou", None),
        ("close_valve", "zhou", None, None, None),
    ]


def test_everybody_reads_his_own_requests_only(console: Served, records: Records) -> None:
    records.home(1)
    mine = console.signed_in("operator", name="zhou")
    request_id = mine.post("/api/v1/homes/home-0001/close-valve", json={"reason": "x"}, timeout=90).json()["request_id"]
    assert mine.get(f"/api/v1/requests/{request_id}").status_code == 200
    assert console.signed_in("dispatcher").get(f"/api/v1/requests/{request_id}").status_code == 404
    assert console.signed_in("auditor").get(f"/api/v1/requests/{request_id}").status_code == 200
