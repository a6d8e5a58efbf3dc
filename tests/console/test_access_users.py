"""Users and tokens: the first user, links, what may be given to whom, what ends when, and the record of it all."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import psycopg.sql
import pytest

from console.access.access import Access
from console.access.tokens import NewToken
from console.access.users import User, UserChange
from core.clock import ManualClock
from tests.console.access_stage import user
from tests.console.eyes import ELSEWHERE, HERE, city
from tests.console.stage import T0, Records, Served

PASSWORD = "vier Pferde am Xiang"
NEW = {"name": "wang.fang", "display": "王芳", "roles": ["operator"], "districts": ["430102"]}


def _link(console: Served, link: str) -> str:
    where, _, secret = link.partition("#")
    assert where == f"{console.url}/setup", "behind # it comes into no log"
    return secret


def _choose(console: Served, secret: str, password: str = PASSWORD) -> httpx.Response:
    browser = console.anybody()
    return browser.post("/api/v1/session/password", json={"token": secret, "password": password})


_WAITING = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"


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


# --- within one's own districts


@pytest.mark.parametrize("districts", [None, [ELSEWHERE], [HERE, ELSEWHERE]])
def test_nobody_gives_or_takes_districts_that_are_not_his(console: Served, districts: list[str] | None) -> None:
    boss = console.signed_in("supervisor", name="boss", districts=[HERE])
    whole = console.signed_in("supervisor", name="whole")
    refused = boss.post("/api/v1/users", json={**NEW, "districts": districts})
    assert (refused.status_code, refused.json()["reason"]) == (403, "beyond_your_districts")
    found = {each["name"]: each["user_id"] for each in boss.get("/api/v1/users").json()["items"]}
    lifted = boss.patch(f"/api/v1/users/{found['boss']}", json={"districts": districts})
    assert (lifted.status_code, lifted.json()["reason"]) == (403, "beyond_your_districts")
    assert boss.get("/api/v1/session").json()["user"]["districts"] == [HERE]
    of_another = whole.post("/api/v1/users", json={**NEW, "districts": districts}).json()["user"]["user_id"]
    for change in ({"new_password_link": True}, {"disabled": True}, {"districts": [HERE]}):
        taken = boss.patch(f"/api/v1/users/{of_another}", json=change)
        assert taken.status_code == 403, "a link for his password would be his districts"
    assert whole.patch(f"/api/v1/users/{found['boss']}", json={"districts": districts}).status_code == 200


def test_within_ones_own_districts_users_are_made_and_changed(console: Served) -> None:
    boss = console.signed_in("supervisor", districts=[HERE, ELSEWHERE])
    made = boss.post("/api/v1/users", json={**NEW, "districts": [HERE]}).json()["user"]
    changed = boss.patch(f"/api/v1/users/{made['user_id']}", json={"districts": [ELSEWHERE, HERE], "display": "王 芳"})
    assert (changed.status_code, changed.json()["user"]["districts"]) == (200, [ELSEWHERE, HERE])


def test_a_technicians_crew_lies_within_the_districts_of_who_makes_him(console: Served, records: Records) -> None:
    records.crew("here", district_code=HERE)
    records.crew("there", district_code=ELSEWHERE)
    boss = console.signed_in("supervisor", districts=[HERE])
    new = {**NEW, "roles": ["technician"]}
    refused = boss.post("/api/v1/users", json={**new, "technician_id": "there-A"})
    assert (refused.status_code, refused.json()["reason"]) == (403, "beyond_your_districts")
    made = boss.post("/api/v1/users", json={**new, "technician_id": "here-A"})
    assert made.status_code == 200, made.text
    path = f"/api/v1/users/{made.json()['user']['user_id']}"
    assert boss.patch(path, json={"technician_id": "there-A"}).status_code == 403


def test_a_lost_phone_is_the_matter_of_the_district_of_its_crew(console: Served, records: Records) -> None:
    records.crew("here", district_code=HERE)
    records.crew("there", district_code=ELSEWHERE)
    boss, whole = console.signed_in("supervisor", name="boss", districts=[HERE]), console.signed_in("supervisor", name="whole")
    said = []
    for crew in ("here", "there"):
        new = {**NEW, "name": crew, "roles": ["technician"], "districts": None, "technician_id": f"{crew}-A"}
        path = f"/api/v1/users/{whole.post('/api/v1/users', json=new).json()['user']['user_id']}"
        said.append([boss.patch(path, json=change).status_code for change in ({"new_password_link": True}, {"disabled": True})])
        assert boss.patch(path, json={"roles": ["technician", "operator"]}).status_code == 403, "an operator of all districts"
    assert said == [[200, 200], [403, 403]]


@pytest.mark.parametrize("change", [{"roles": ["engineer", "technician"], "technician_id": "c1-A"}, {"technician_id": "c1-A"}])
def test_an_engineer_makes_no_technician_of_himself(console: Served, records: Records, change: dict[str, Any]) -> None:
    records.crew("c1")
    engineer, boss = console.signed_in("engineer"), console.signed_in("supervisor")
    found = {each["name"]: f"/api/v1/users/{each['user_id']}" for each in boss.get("/api/v1/users").json()["items"]}
    refused = engineer.patch(found["engineer"], json=change)
    assert (refused.status_code, refused.json()["reason"]) == (403, "not_of_yourself")
    assert engineer.get("/api/v1/session").json()["user"]["technician_id"] is None
    assert engineer.patch(found["engineer"], json={"display": "工程师", "language": "en"}).status_code == 200
    assert boss.patch(found["engineer"], json=change).status_code == 200


def test_a_technician_of_the_registry_is_one_user(console: Served, records: Records) -> None:
    records.crew("c1")
    boss = console.signed_in("supervisor")
    new = {**NEW, "roles": ["technician"], "technician_id": "c1-A"}
    first = f"/api/v1/users/{boss.post('/api/v1/users', json=new).json()['user']['user_id']}"
    again = boss.post("/api/v1/users", json={**new, "name": "another"})
    assert (again.status_code, again.json()["reason"]) == (409, "technician_taken")
    assert boss.patch(first, json={"disabled": True}).status_code == 200
    second = boss.post("/api/v1/users", json={**new, "name": "another"})
    assert second.status_code == 200, "who left no longer acts as him"
    back = boss.patch(first, json={"disabled": False})
    assert (back.status_code, back.json()["reason"]) == (409, "technician_taken")
    third = boss.post("/api/v1/users", json={**NEW, "name": "third"}).json()["user"]["user_id"]
    assert boss.patch(f"/api/v1/users/{third}", json={"technician_id": "c1-A"}).json()["reason"] == "technician_taken"
    assert boss.patch(first, json={"display": "已离职"}).status_code == 200, "nothing else of him is held up by it"


# --- two at once


def test_what_is_left_out_stays_as_another_set_it_meanwhile(console: Served) -> None:
    boss, other = console.signed_in("supervisor", name="boss"), console.signed_in("supervisor", name="other")
    user_id = boss.post("/api/v1/users", json=NEW).json()["user"]["user_id"]
    path = f"/api/v1/users/{user_id}"
    users = console.server.running.access.users
    read, was_read, go = users.read, threading.Event(), threading.Event()

    async def slowly(user_id: UUID) -> User:
        found = await read(user_id)
        if not was_read.is_set():
            was_read.set()
            await asyncio.to_thread(go.wait)
        return found

    users.read = slowly  # type: ignore[method-assign]  # the real one, held up between two others
    said: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: said.append(boss.patch(path, json={"display": "王 芳"})))
    thread.start()
    was_read.wait()
    disabled = other.patch(path, json={"disabled": True, "roles": ["viewer"], "districts": [ELSEWHERE]})
    go.set()
    thread.join()
    assert (disabled.status_code, said[0].status_code) == (200, 200)
    now = said[0].json()["user"]
    assert (now["display"], now["roles"], now["districts"]) == ("王 芳", ["viewer"], [ELSEWHERE])
    assert now["disabled_ms"] == disabled.json()["user"]["disabled_ms"] is not None


@pytest.mark.parametrize("change", [{"disabled": True}, {"roles": ["viewer"]}])
def test_of_the_last_two_supervisors_who_go_at_once_one_stays(console: Served, database: str, change: dict[str, Any]) -> None:
    boss = console.signed_in("supervisor", name="boss")
    console.signed_in("supervisor", name="other")
    found = {each["name"]: each["user_id"] for each in boss.get("/api/v1/users").json()["items"]}
    said: list[httpx.Response] = []

    def ask() -> None:
        said.append(boss.patch(f"/api/v1/users/{found['boss']}", json=change))
        while said[-1].status_code == 503:
            # Waited for longer than a statement may wait, on a machine that is very busy.
            said.append(boss.patch(f"/api/v1/users/{found['boss']}", json=change))

    with psycopg.connect(database, autocommit=True) as look, psycopg.connect(database) as first:
        look.execute("UPDATE users SET password_hash = 'x'")
        first.execute("UPDATE users SET disabled_ms = 1 WHERE user_id = %s", [found["other"]])
        thread = threading.Thread(target=ask)
        thread.start()
        while thread.is_alive() and look.execute(_WAITING).fetchone() != (True,):
            pass
        first.commit()
        thread.join()
    assert (said[-1].status_code, said[-1].json()["reason"]) == (409, "last_supervisor")


async def test_a_change_that_waited_for_another_of_the_same_user_adds_to_it(access: Access, database: str) -> None:
    found = await access.users.read(await user(access, "zhou"))
    async with await psycopg.AsyncConnection.connect(database) as first:
        await first.execute("UPDATE users SET disabled_ms = 1, districts = %s WHERE user_id = %s", [[HERE], found.user_id])
        waiting = asyncio.create_task(access.users.change(found, UserChange(display="周 敏", roles=["viewer"]), T0))
        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as look:
            while not waiting.done() and await (await look.execute(_WAITING)).fetchone() != (True,):
                pass
        await first.commit()
    await waiting
    now = await access.users.read(found.user_id)
    assert (now.display, now.roles, now.disabled_ms, now.districts) == ("周 敏", ["viewer"], 1, [HERE])


# --- told once


def _stored(database: str, secret: str) -> list[str]:
    """The tables in which a secret stands, as text or as bytes, in whatever column."""
    with psycopg.connect(database) as db:
        tables = db.execute("SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")
        found = []
        for schema, table in tables.fetchall():
            count = psycopg.sql.SQL("SELECT count(*) FROM {} t WHERE strpos(t::text, %s) > 0 OR strpos(t::text, %s) > 0").format(
                psycopg.sql.Identifier(schema, table)
            )
            if db.execute(count, [secret, secret.encode().hex()]).fetchone() != (0,):
                found.append(table)
    return found


def test_what_is_told_once_stands_in_no_table(console: Served, database: str) -> None:
    boss = console.signed_in("supervisor", "engineer")
    new_token = {"name": "scada", "rights": ["read"]}
    token = boss.post("/api/v1/tokens", json=new_token, headers={"Idempotency-Key": "t"})
    made = boss.post("/api/v1/users", json=NEW, headers={"Idempotency-Key": "u"})
    path = f"/api/v1/users/{made.json()['user']['user_id']}"
    linked = boss.patch(path, json={"new_password_link": True}, headers={"Idempotency-Key": "l"})
    for answer in (token, made, linked):
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    first, second = (_link(console, answer.json()["password_link"]) for answer in (made, linked))
    assert set(_stored(database, "wang.fang")) == {"users", "audit"}, "so that the search below can fail"
    for secret in (token.json()["token"], first, second):
        assert _stored(database, secret) == []
    for path, body, key in (("/api/v1/tokens", new_token, "t"), ("/api/v1/users", NEW, "u")):
        again = boss.post(path, json=body, headers={"Idempotency-Key": key})
        assert (again.status_code, again.json()["reason"]) == (409, "name_taken")
        assert "make a new one" in again.json()["en"], "what to do who did not see the first answer"


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


@pytest.mark.parametrize(("rights", "status"), [(["users"], 422), (["unmask", "read"], 422), ([], 422), (["device_command"], 200)])
def test_no_token_gets_a_persons_eye_or_the_keys(console: Served, rights: list[str], status: int) -> None:
    assert console.signed_in("engineer").post("/api/v1/tokens", json={"name": "scada", "rights": rights}).status_code == status


def test_an_export_by_the_api_is_a_persons_and_no_tokens(console: Served) -> None:
    """As docs/how-to/export-incidents-and-orders.md does it: no browser, a password, and the word that signing in answers."""
    made = console.signed_in("supervisor", name="boss").post("/api/v1/users", json={**NEW, "name": "zhou.min", "roles": ["auditor"]})
    assert _choose(console, _link(console, made.json()["password_link"])).status_code == 200
    person, asked = console.anybody(), {"reason": "quarterly report", "from_ms": T0, "to_ms": T0 + 1, "language": "en"}
    csrf = person.post("/api/v1/session", json={"name": "zhou.min", "password": PASSWORD}).json()["csrf"]
    file = person.post("/api/v1/exports/incidents", json=asked, headers={"X-CSRF-Token": csrf})
    assert (file.status_code, file.content[:3]) == (200, b"\xef\xbb\xbf")
    assert person.delete("/api/v1/session", headers={"X-CSRF-Token": csrf}).status_code == 204
    token = console.signed_in("supervisor", "engineer").post("/api/v1/tokens", json={"name": "erp", "rights": ["read", "export"]})
    assert (token.status_code, token.json()["reason"]) == (422, "invalid")
    refused = console.http.post("/api/v1/exports/incidents", json=asked)
    assert (refused.status_code, refused.json()["reason"]) == (403, "not_allowed")


@pytest.mark.parametrize("rights", [["order_step"], ["read", "read_people"], ["close_valve"]])
def test_a_token_has_no_more_rights_than_its_maker_unless_he_is_a_supervisor(console: Served, rights: list[str]) -> None:
    wanted = {"name": "scada", "rights": rights}
    refused = console.signed_in("engineer").post("/api/v1/tokens", json=wanted)
    assert (refused.status_code, refused.json()["reason"]) == (403, "beyond_your_rights")
    assert console.signed_in("supervisor", "engineer").post("/api/v1/tokens", json=wanted).status_code == 200


@pytest.mark.parametrize("districts", [None, [ELSEWHERE], [HERE, ELSEWHERE]])
def test_a_token_sees_no_further_than_its_maker(console: Served, districts: list[str] | None) -> None:
    maker = console.signed_in("supervisor", "engineer", districts=[HERE])
    wanted = {"name": "scada", "rights": ["read"]}
    refused = maker.post("/api/v1/tokens", json={**wanted, "districts": districts})
    assert (refused.status_code, refused.json()["reason"]) == (403, "beyond_your_districts")
    assert maker.post("/api/v1/tokens", json={**wanted, "districts": [HERE]}).json()["districts"] == [HERE]
    assert maker.post("/api/v1/tokens", json={**wanted, "name": "left-out"}).json()["districts"] == [HERE]


def test_a_request_in_anothers_name_says_which_token_asked(console: Served, records: Records) -> None:
    records.home(1)
    records.order(records.incident(1), crew_id=records.crew("c1"))
    keeper = console.signed_in("supervisor", "engineer")
    rights = ["read", "order_step", "close_valve"]
    machine = console.anybody()
    machine.headers["Authorization"] = f"Bearer {keeper.post('/api/v1/tokens', json={'name': 'scada', 'rights': rights}).json()['token']}"
    close = "/api/v1/homes/home-0001/close-valve"
    for path, body in (("/api/v1/orders/QX-260402-0001/accept", {"actor": "c1-A"}), (close, {"actor": "wei", "reason": "x"})):
        answer = machine.post(path, json=body)
        assert answer.status_code in {200, 202}, answer.text
        read = keeper.get(f"/api/v1/requests/{answer.json()['request_id']}").json()
        assert (read["actor"], read["body"]["asked_by"]) == (body["actor"], "scada")
    assert machine.post(close, json={"reason": "y"}).status_code in {200, 202}
    forged = machine.post(close, json={"reason": "y", "asked_by": "somebody"})
    assert forged.status_code == 422
    assert records.db.execute("SELECT body ->> 'asked_by' FROM requests WHERE actor = 'scada'").fetchall() == [(None,)], "in its own name"


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
    assert [record["about_name"] for record in reversed(records)] == [NEW["name"]] * 3 + ["scada"] * 2
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


async def test_whence_is_where_each_request_comes_from(access: Access, clock: ManualClock) -> None:
    """Also within the seconds in which whoever was found is known without asking the database again."""
    cookie = await access.sessions.begin(await user(access), "10.0.0.1", clock.now_ms())
    with_token = await access.tokens.make(NewToken(name="scada", rights=["read"]), "zhou", clock.now_ms())
    for idle_ms in (0, None):
        found = [await access.of_cookie(cookie, origin, idle_ms) for origin in ("10.0.0.1", "10.0.0.2", "10.0.0.1")]
        assert [who and who.origin for who in found] == ["10.0.0.1", "10.0.0.2", "10.0.0.1"]
    machines = [await access.of_token(with_token.token, origin, here=False) for origin in ("10.0.0.3", "10.0.0.4", "10.0.0.3")]
    assert [who and who.origin for who in machines] == ["10.0.0.3", "10.0.0.4", "10.0.0.3"]
    listening = await access.of_cookie(cookie, "10.0.0.1")
    assert listening is not None
    await access.of_cookie(cookie, "10.0.0.2")
    again = await access.again(listening)
    assert again is not None
    assert again.origin == "10.0.0.1"


def test_the_record_of_a_look_at_a_home_is_read_within_its_district(console: Served, records: Records) -> None:
    quarters = city(records)
    boss = console.signed_in("supervisor", name="boss")
    for of in quarters:
        unmasked = boss.post(f"/api/v1/homes/{of.home}/people", json={"reason": "call back"})
        assert unmasked.status_code == 200, unmasked.text
        assert boss.get("/api/v1/homes", params={"q": of.values["estate"]}).status_code == 200
        for what, about, detail in (
            ("recording_heard", str(of.call), {}),
            ("picture_seen", str(uuid4()), {"order_no": of.order_no, "kind": "photo"}),
        ):
            records.put("audit", at_ms=T0, who="boss", via="password", what=what, about=about, detail=detail)
    boss.post("/api/v1/users", json=NEW)
    here, there = quarters
    kinds = {"unmasked", "searched_by_address", "recording_heard", "picture_seen"}
    for districts, seen in ((None, quarters), ([HERE], (here,)), ([ELSEWHERE], (there,))):
        reader = console.signed_in("auditor", name=f"reader-{len(seen)}{seen[0].number}", districts=districts)
        text = reader.get("/api/v1/audit").text
        assert [of for of in quarters if of.find_in(text)] == list(seen)
        records_read = reader.get("/api/v1/audit").json()["items"]
        assert {record["what"] for record in records_read} == kinds | {"user_made", "password_link_made"}, (
            "what is of no home is read by all"
        )
        assert len([record for record in records_read if record["what"] in kinds]) == len(kinds) * len(seen)


def test_users_and_tokens_are_listed_whatever_the_districts_of_who_keeps_them(console: Served) -> None:
    """As docs/privacy.md says: who may look into one's districts is no secret there. Changed is another matter, see above."""
    whole = console.signed_in("supervisor", "engineer", name="whole")
    assert whole.post("/api/v1/tokens", json={"name": "scada", "rights": ["read"]}).status_code == 200
    keeper = console.signed_in("supervisor", "engineer", name="keeper", districts=[HERE])
    assert {each["name"] for each in keeper.get("/api/v1/users").json()["items"]} == {"whole", "keeper"}
    assert [each["name"] for each in keeper.get("/api/v1/tokens").json()["items"]] == ["scada"]
