"""Users and tokens: the first user, links, what may be given to whom, what ends when, and the record of it all."""

from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest

from tests.console.stage import Records, Served

PASSWORD = "vier Pferde am Xiang"
NEW = {"name": "wang.fang", "display": "王芳", "roles": ["operator"], "districts": ["430102"]}


def _link(console: Served, link: str) -> str:
    where, _, secret = link.partition("#")
    assert where == f"{console.url}/setup", "behind # it comes into no log"
    return secret


def _choose(console: Served, secret: str, password: str = PASSWORD) -> httpx.Response:
    browser = console.anybody()
    return browser.post("/api/v1/session/password", json={"token": secret, "password": password})


# --- the first user, and the demonstration


def test_the_setup_link_makes_the_first_user_once(start_console: Callable[..., Served]) -> None:
    console = start_console(setup_link="the-setup-link")
    browser = console.anybody()
    first = {"token": "the-setup-link", "name": "Chen", "display": "陈刚", "password": PASSWORD}
    assert browser.post("/api/v1/setup", json={**first, "token": "another"}).json()["reason"] == "bad_link"
    assert browser.post("/api/v1/session/link", json={"token": "the-setup-link"}).json()["needs"] == "first_user"
    weak = browser.post("/api/v1/setup", json={**first, "password": "short"})
    assert (weak.status_code, weak.json()["reason"]) == (422, "weak_password")
    session = browser.post("/api/v1/setup", json=first).json()
    assert (session["user"]["name"], session["user"]["roles"]) == ("chen", ["supervisor", "engineer"])
    assert browser.get("/api/v1/users").json()["items"][0]["name"] == "chen"
    for path, body in (("/session/link", {"token": "the-setup-link"}), ("/setup", {**first, "name": "second"})):
        assert console.anybody().post(f"/api/v1{path}", json=body).json()["reason"] == "bad_link", "there is a user now"
    assert console.anybody().post("/api/v1/session", json={"name": "chen", "password": PASSWORD}).status_code == 200


def test_without_the_setting_no_link_lets_anybody_in(console: Served) -> None:
    browser = console.anybody()
    for body in ({"token": "x"}, {}, {"token": None}, {"as": "supervisor"}):
        assert browser.post("/api/v1/session/link", json=body).status_code == 401
    assert browser.post("/api/v1/session/link", json={"token": ""}).status_code == 422


def test_the_demonstration_shows_every_role_to_whoever_is_at_the_machine(start_console: Callable[..., Served], records: Records) -> None:
    records.crew("c1")
    console = start_console(demo_link="the-demo-link")
    browser = console.anybody()
    session = browser.post("/api/v1/session/link", json={"token": "the-demo-link"}).json()
    assert (session["user"]["name"], session["demo"]) == ("demo", True)
    assert {"demo", "users", "close_valve"} <= set(session["rights"])
    eyes = browser.post("/api/v1/session/link", json={"as": "technician"}, headers={"X-CSRF-Token": session["csrf"]}).json()
    assert (eyes["user"]["roles"], eyes["user"]["technician_id"], eyes["user"]["crew_id"]) == (["technician"], "c1-A", "c1")
    assert "demo" in eyes["rights"]
    assert "users" not in eyes["rights"]
    back = browser.post("/api/v1/session/link", json={}, headers={"X-CSRF-Token": eyes["csrf"]}).json()
    assert "users" in back["rights"]


def test_a_session_of_the_demonstration_is_worth_nothing_elsewhere(start_console: Callable[..., Served]) -> None:
    demonstration, real = start_console(demo_link="the-demo-link"), start_console()
    browser = demonstration.anybody()
    browser.post("/api/v1/session/link", json={"token": "the-demo-link"})
    elsewhere = real.anybody()
    elsewhere.cookies.set("gs_session", browser.cookies["gs_session"])
    assert elsewhere.get("/api/v1/session").status_code == 401


# --- users


def test_a_user_is_made_and_chooses_his_password_once(console: Served) -> None:
    boss = console.signed_in("supervisor")
    made = boss.post("/api/v1/users", json=NEW)
    assert made.status_code == 200, made.text
    user, secret = made.json()["user"], _link(console, made.json()["password_link"])
    assert (user["name"], user["districts"], user["has_password"], user["made_by"]) == ("wang.fang", ["430102"], False, "supervisor")
    followed = console.anybody().post("/api/v1/session/link", json={"token": secret}).json()
    assert followed == {"needs": "password", "name": "wang.fang", "display": "王芳"}
    assert _choose(console, secret, "wang.fang 2026").json()["reason"] == "weak_password"
    session = _choose(console, secret)
    assert (session.status_code, session.json()["user"]["districts"]) == (200, ["430102"])
    assert _choose(console, secret).json()["reason"] == "bad_link", "once"
    again = boss.post("/api/v1/users", json={**NEW, "name": "WANG.FANG"})
    assert (again.status_code, again.json()["reason"]) == (409, "name_taken")


def test_a_newer_link_ends_the_older_and_a_day_ends_both(console: Served, database: str) -> None:
    boss = console.signed_in("supervisor")
    made = boss.post("/api/v1/users", json=NEW).json()
    first = _link(console, made["password_link"])
    path = f"/api/v1/users/{made['user']['user_id']}"
    second = _link(console, boss.patch(path, json={"new_password_link": True}).json()["password_link"])
    assert _choose(console, first).status_code == 401
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("UPDATE one_time_links SET ends_ms = made_ms")
    assert _choose(console, second).status_code == 401


def test_whoever_is_disabled_is_signed_out_at_once(console: Served) -> None:
    boss, desk = console.signed_in("supervisor"), console.signed_in("operator", name="zhou")
    assert desk.get("/api/v1/incidents").status_code == 200
    zhou = next(user for user in boss.get("/api/v1/users").json()["items"] if user["name"] == "zhou")
    boss.patch(f"/api/v1/users/{zhou['user_id']}", json={"disabled": True})
    assert desk.get("/api/v1/incidents").status_code == 401


def test_a_new_password_signs_out_everywhere_else(console: Served) -> None:
    boss, first = console.signed_in("supervisor"), console.anybody()
    made = boss.post("/api/v1/users", json=NEW).json()
    first.post("/api/v1/session/password", json={"token": _link(console, made["password_link"]), "password": PASSWORD})
    second = console.anybody()
    session = second.post("/api/v1/session", json={"name": "wang.fang", "password": PASSWORD}).json()
    csrf = {"X-CSRF-Token": session["csrf"]}
    wrong = second.post("/api/v1/session/password", json={"old_password": "x", "password": "another one, longer"}, headers=csrf)
    assert (wrong.status_code, wrong.json()["reason"]) == (401, "wrong_name_or_password")
    changed = second.post("/api/v1/session/password", json={"old_password": PASSWORD, "password": "another one, longer"}, headers=csrf)
    assert changed.status_code == 200, changed.text
    assert second.get("/api/v1/session").status_code == 200
    assert first.get("/api/v1/session").status_code == 401
    assert console.anybody().post("/api/v1/session", json={"name": "wang.fang", "password": PASSWORD}).status_code == 401


def test_roles_change_for_who_is_signed_in(console: Served) -> None:
    boss, desk = console.signed_in("supervisor"), console.signed_in("operator", name="zhou")
    zhou = next(user for user in boss.get("/api/v1/users").json()["items"] if user["name"] == "zhou")
    changed = boss.patch(f"/api/v1/users/{zhou['user_id']}", json={"roles": ["viewer"], "districts": ["430103"]}).json()["user"]
    assert (changed["roles"], changed["districts"]) == (["viewer"], ["430103"])
    session = desk.get("/api/v1/session").json()
    assert (session["rights"], session["user"]["districts"]) == (["read"], ["430103"])
    everywhere = boss.patch(f"/api/v1/users/{zhou['user_id']}", json={"districts": None}).json()["user"]
    assert (everywhere["roles"], everywhere["districts"]) == (["viewer"], None)


def test_nobody_gives_powers_that_he_lacks(console: Served) -> None:
    boss, engineer = console.signed_in("supervisor"), console.signed_in("engineer")
    for roles, status in ((["operator"], 403), (["supervisor"], 403), (["viewer", "auditor"], 200)):
        assert engineer.post("/api/v1/users", json={**NEW, "roles": roles}).status_code == status, roles
    found = {user["name"]: user["user_id"] for user in boss.get("/api/v1/users").json()["items"]}
    for change in ({"new_password_link": True}, {"disabled": True}, {"roles": ["viewer"]}):
        refused = engineer.patch(f"/api/v1/users/{found['supervisor']}", json=change)
        assert refused.status_code == 403, "a supervisor's password would be a supervisor's powers"


def test_the_last_supervisor_stays(console: Served, database: str) -> None:
    boss = console.signed_in("supervisor")
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("UPDATE users SET password_hash = 'x'")
    [me] = boss.get("/api/v1/users").json()["items"]
    for change in ({"disabled": True}, {"roles": ["viewer"]}):
        response = boss.patch(f"/api/v1/users/{me['user_id']}", json=change)
        assert (response.status_code, response.json()["reason"]) == (409, "last_supervisor")


@pytest.mark.parametrize(
    "change",
    [
        {"name": "x"},
        {"name": "two words"},
        {"name": "demo"},
        {"roles": []},
        {"roles": ["integration"]},
        {"roles": ["king"]},
        {"roles": ["technician"]},
        {"roles": ["technician"], "technician_id": "nobody"},
        {"districts": []},
        {"districts": ["everywhere"]},
    ],
)
def test_a_user_that_makes_no_sense_is_not_made(console: Served, change: dict[str, Any]) -> None:
    response = console.signed_in("supervisor").post("/api/v1/users", json={**NEW, **change})
    assert response.status_code == 422, response.text
    assert len(console.signed_in("auditor", name="a2").get("/api/v1/audit?what=user_made").json()["items"]) == 0


# --- tokens


def test_a_token_may_what_it_names_until_it_ends(console: Served, database: str, records: Records) -> None:
    records.home(1)
    keeper = console.signed_in("engineer")
    made = keeper.post("/api/v1/tokens", json={"name": "scada", "rights": ["read", "remark"], "districts": ["430102"], "days": 1}).json()
    assert made["token"].startswith("gs_")
    assert "token" not in keeper.get("/api/v1/tokens").json()["items"][0]
    with psycopg.connect(database) as db:
        assert made["token"] not in str(db.execute("SELECT * FROM api_tokens").fetchall())
    machine = console.anybody()
    machine.headers["Authorization"] = f"Bearer {made['token']}"
    session = machine.get("/api/v1/session").json()
    assert (session["user"]["name"], session["rights"], session["csrf"]) == ("scada", ["read", "remark"], "")
    assert machine.get("/api/v1/incidents").status_code == 200
    assert machine.post("/api/v1/homes/home-0001/close-valve", json={"reason": "x"}).status_code == 403
    assert keeper.delete(f"/api/v1/tokens/{made['token_id']}").json()["ended_by"] == "engineer"
    assert machine.get("/api/v1/incidents").json()["reason"] == "bad_token"
    assert keeper.delete(f"/api/v1/tokens/{made['token_id']}").status_code == 404


def test_a_token_ends_by_itself(console: Served, database: str) -> None:
    made = console.signed_in("engineer").post("/api/v1/tokens", json={"name": "scada", "rights": ["read"]}).json()
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("UPDATE api_tokens SET ends_ms = made_ms")
    response = console.anybody().get("/api/v1/session", headers={"Authorization": f"Bearer {made['token']}"})
    assert (response.status_code, response.json()["reason"]) == (401, "bad_token")


@pytest.mark.parametrize(("rights", "status"), [(["users"], 422), (["unmask", "read"], 422), ([], 422), (["order_step"], 200)])
def test_no_token_gets_a_persons_eye_or_the_keys(console: Served, rights: list[str], status: int) -> None:
    assert console.signed_in("engineer").post("/api/v1/tokens", json={"name": "scada", "rights": rights}).status_code == status


def test_a_name_is_one_users_or_one_tokens(console: Served) -> None:
    boss = console.signed_in("supervisor", "engineer")
    assert boss.post("/api/v1/tokens", json={"name": "wang.fang", "rights": ["read"]}).status_code == 200
    assert boss.post("/api/v1/users", json=NEW).json()["reason"] == "name_taken"
    assert boss.post("/api/v1/tokens", json={"name": "supervisor", "rights": ["read"]}).json()["reason"] == "name_taken"


# --- the record


def test_every_change_is_on_record_with_who_and_whence(console: Served) -> None:
    boss = console.signed_in("supervisor", "engineer", "auditor", name="boss")
    user_id = boss.post("/api/v1/users", json=NEW).json()["user"]["user_id"]
    boss.patch(f"/api/v1/users/{user_id}", json={"display": "王 芳", "disabled": True})
    token_id = boss.post("/api/v1/tokens", json={"name": "scada", "rights": ["read"]}).json()["token_id"]
    boss.delete(f"/api/v1/tokens/{token_id}")
    records = boss.get("/api/v1/audit").json()["items"]
    assert [(record["what"], record["about"]) for record in reversed(records)] == [
        ("user_made", user_id),
        ("password_link_made", user_id),
        ("user_changed", user_id),
        ("token_made", token_id),
        ("token_ended", token_id),
    ]
    assert {(record["who"], record["via"], record["origin"]) for record in records} == {("boss", "password", "127.0.0.1")}
    assert records[2]["detail"] == {"display": "王 芳", "disabled": True}
    assert records[0]["zh"] == "停用接口令牌"
    first = boss.get("/api/v1/audit", params={"limit": 2}).json()
    second = boss.get("/api/v1/audit", params={"limit": 2, "after": first["next"]}).json()
    assert [record["audit_no"] for record in (*first["items"], *second["items"])] == [record["audit_no"] for record in records[:4]]
    assert len(boss.get("/api/v1/audit", params={"about": user_id, "what": "user_changed"}).json()["items"]) == 1
    assert boss.get("/api/v1/audit", params={"who": "nobody"}).json()["items"] == []


@pytest.mark.parametrize("change", ["UPDATE audit SET who = 'x'", "DELETE FROM audit", "TRUNCATE audit"])
def test_the_record_cannot_be_changed(console: Served, database: str, change: str) -> None:
    console.signed_in("engineer").post("/api/v1/tokens", json={"name": "scada", "rights": ["read"]})
    with psycopg.connect(database, autocommit=True) as db:
        for role in ("origin", "replica"):
            db.execute(f"SET session_replication_role = {role}".encode())
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
                db.execute(change.encode())
        assert db.execute("SELECT count(*) FROM audit").fetchone() == (1,)
