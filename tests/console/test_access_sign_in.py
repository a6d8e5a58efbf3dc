"""Signing in: who gets in, who has to wait, how long it lasts, and what of it is written down."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from argon2 import PasswordHasher

from console.access import passwords
from console.access.access import Access
from console.access.attempts import FREE, KNOWN_FOR_MS, LONGEST_WAIT_S
from console.access.passwords import Passwords
from console.access.secret import csrf_of, digest
from console.problems import Problem
from core.clock import ManualClock
from tests.console.access_stage import NOW, PASSWORD, user
from tests.console.stage import Records, Served


@pytest.fixture
def guesses_are_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of many guesses: how often one may guess has nothing to do with what a guess costs."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


async def refused(access: Access, name: str, password: str, origin: str = "10.0.0.1") -> str:
    with pytest.raises(Problem) as problem:
        await access.way.prove(name, password, origin, access.clock.now_ms())
    return problem.value.details.reason


async def test_the_right_password_gets_in_however_the_name_is_typed(access: Access) -> None:
    user_id = await user(access, "zhou.min")
    for name in ("zhou.min", " Zhou.Min ", "ＺＨＯＵ.min"):
        proven = await access.way.prove(name, PASSWORD, "10.0.0.1", NOW)
        assert (proven.user_id, proven.name) == (user_id, "zhou.min")


async def test_nobody_can_tell_a_wrong_name_from_a_wrong_password(access: Access, database: str) -> None:
    await user(access, "zhou")
    await user(access, "newcomer", password=None)
    told = []
    for name, password in (("zhou", "wrong"), ("nobody", PASSWORD), ("newcomer", ""), ("<not a name>", "x")):
        with pytest.raises(Problem) as problem:
            await access.way.prove(name, password, "10.0.0.1", NOW)
        told.append(problem.value.details)
    assert {problem.reason for problem in told} == {"wrong_name_or_password"}
    assert all(problem == told[0] for problem in told)
    with psycopg.connect(database) as db:
        assert db.execute("SELECT who FROM audit WHERE what = 'sign_in_failed' ORDER BY audit_no").fetchall() == [
            ("zhou",),
            ("?",),
            ("newcomer",),
            ("?",),
        ], "what was typed where a name should stand may be a password"


async def test_nobodys_password_costs_as_much_work_as_somebodys() -> None:
    passwords = Passwords()
    hashed = await passwords.hash(PASSWORD)
    assert hashed.startswith("$argon2id$")
    assert await passwords.verify(hashed, PASSWORD)
    assert not await passwords.verify(hashed, "other")
    assert not await passwords.verify(None, "nobody has this password"), "the stand-in lets nobody in"
    passwords.stop()


async def test_hashing_leaves_the_loop_free() -> None:
    passwords, here = Passwords(), threading.current_thread()
    seen: list[threading.Thread] = []
    await passwords._run(lambda: seen.append(threading.current_thread()))
    assert seen != [here]
    passwords.stop()


async def test_too_many_at_once_are_told_so() -> None:
    passwords, held = Passwords(), threading.Event()
    waiting = [asyncio.ensure_future(passwords._run(held.wait)) for _ in range(16)]
    await asyncio.sleep(0)  # each of them has begun
    with pytest.raises(Problem) as problem:
        await passwords.hash(PASSWORD)
    assert problem.value.details.reason == "busy"
    held.set()
    await asyncio.gather(*waiting)
    passwords.stop()


@pytest.mark.usefixtures("guesses_are_cheap")
async def test_the_waits_grow_to_a_minute_and_are_forgotten(access: Access, clock: ManualClock) -> None:
    await user(access)
    waits = []
    for _ in range(60):
        try:
            await access.way.prove("zhou", "wrong", "10.0.0.1", clock.now_ms())
        except Problem as problem:
            if problem.retry_after_s is not None:
                waits.append(problem.retry_after_s)
                await clock.advance(problem.retry_after_s)
    assert waits == sorted(waits)
    assert waits[0] == 1
    assert max(waits) == LONGEST_WAIT_S
    await clock.advance(900)
    assert await refused(access, "zhou", "wrong") == "wrong_name_or_password"
    await access.way.prove("zhou", PASSWORD, "10.0.0.1", clock.now_ms())


async def test_while_one_has_to_wait_even_the_right_password_is_not_looked_at(access: Access, clock: ManualClock) -> None:
    await user(access)
    for _ in range(FREE["both"]):
        await refused(access, "zhou", "wrong")
    assert await refused(access, "zhou", PASSWORD) == "locked_out"
    await clock.advance(LONGEST_WAIT_S)
    await access.way.prove("zhou", PASSWORD, "10.0.0.1", clock.now_ms())
    assert await refused(access, "zhou", "wrong") == "wrong_name_or_password", "the count of this desk begins anew"


@pytest.mark.usefixtures("guesses_are_cheap")
async def test_a_stranger_does_not_lock_the_control_room_out(access: Access, clock: ManualClock) -> None:
    await user(access)
    await access.way.prove("zhou", PASSWORD, "10.0.0.1", clock.now_ms())
    for number in range(40):
        await refused(access, "zhou", "guess", origin=f"203.0.113.{number}")
    assert await refused(access, "zhou", PASSWORD, origin="203.0.113.99") == "locked_out", "the name is guessed at from all over"
    await access.way.prove("zhou", PASSWORD, "10.0.0.1", clock.now_ms())
    await clock.advance(KNOWN_FOR_MS / 1000 + 1)
    for number in range(FREE["name"]):
        await refused(access, "zhou", "guess", origin=f"203.0.113.{number}")
    assert await refused(access, "zhou", PASSWORD) == "locked_out", "he has not been here for a month"


@pytest.mark.usefixtures("guesses_are_cheap")
async def test_one_origin_cannot_try_many_names(access: Access) -> None:
    said = [await refused(access, f"name-{number}", "guess") for number in range(FREE["origin"] + 1)]
    assert said == ["wrong_name_or_password"] * FREE["origin"] + ["locked_out"]


async def test_many_tries_at_the_same_time_gain_nothing(access: Access) -> None:
    await user(access)

    async def guess() -> str:
        try:
            await access.attempts.charge("zhou", "10.0.0.1", NOW)
        except Problem as problem:
            return problem.details.reason
        return "judged"

    said = await asyncio.gather(*(guess() for _ in range(30)))
    assert said.count("judged") == FREE["both"]


async def test_a_desk_is_signed_out_when_nobody_asks_anything(access: Access, clock: ManualClock) -> None:
    cookie = await access.sessions.begin(await user(access), "10.0.0.1", clock.now_ms())
    for _ in range(5):
        await clock.advance(29 * 60)
        who = await access.of_cookie(cookie, "10.0.0.1")
        assert who is not None
        assert who.expires_ms == clock.now_ms() + 30 * 60_000
    await clock.advance(31 * 60)
    assert await access.of_cookie(cookie, "10.0.0.1") is None


async def test_listening_is_not_asking(access: Access, clock: ManualClock) -> None:
    cookie = await access.sessions.begin(await user(access), "10.0.0.1", clock.now_ms())
    who = await access.of_cookie(cookie, "10.0.0.1")
    assert who is not None
    for _ in range(3):
        await clock.advance(9 * 60)
        assert await access.still(who)
    await clock.advance(4 * 60)
    assert not await access.still(who)


@pytest.mark.parametrize("role", ["viewer", "operator"])
async def test_a_wall_stays_for_the_whole_day_and_nobody_longer(access: Access, clock: ManualClock, role: Any) -> None:
    cookie = await access.sessions.begin(await user(access, "wall", role), "10.0.0.1", clock.now_ms())
    asked = [11.9] if role == "viewer" else [0.4] * 29
    for hours in asked:
        await clock.advance(hours * 3600)
        assert await access.of_cookie(cookie, "10.0.0.1") is not None
    await clock.advance(12 * 3600 - sum(asked) * 3600 + 1)
    assert await access.of_cookie(cookie, "10.0.0.1") is None


async def test_who_is_disabled_is_out_at_the_next_look(access: Access, clock: ManualClock, database: str) -> None:
    user_id = await user(access)
    cookie = await access.sessions.begin(user_id, "10.0.0.1", clock.now_ms())
    assert await access.of_cookie(cookie, "10.0.0.1") is not None
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("UPDATE users SET disabled_ms = 1")
    await clock.advance(6)
    assert await access.of_cookie(cookie, "10.0.0.1") is None
    assert await refused(access, "zhou", PASSWORD) == "wrong_name_or_password"


async def test_signed_in_people_stay_so_while_the_database_is_away(access: Access, clock: ManualClock) -> None:
    cookie = await access.sessions.begin(await user(access), "10.0.0.1", clock.now_ms())
    known = await access.of_cookie(cookie, "10.0.0.1")
    await access._store.stop()
    await clock.advance(60)
    found = await access.of_cookie(cookie, "10.0.0.1")
    assert known is not None
    assert found is not None
    assert found.name == known.name


def test_only_hashes_are_stored(console: Served, database: str) -> None:
    browser = console.signed_in("operator")
    cookie = browser.cookies["gs_session"]
    with psycopg.connect(database) as db:
        rows = str(db.execute("SELECT * FROM sessions").fetchall())
        assert cookie not in rows
        assert digest(cookie).hex() in db.execute("SELECT encode(session_hash, 'hex') FROM sessions").fetchall()[0][0]


@pytest.fixture
def desk(start_console: Callable[..., Served], records: Records) -> tuple[Served, str]:
    """A console with one user, and his password."""
    hashed = asyncio.run(_hash())
    records.put(
        "users",
        user_id=uuid4(),
        name="zhou",
        display="周敏",
        roles=["operator"],
        password_hash=hashed,
        made_ms=1,
        made_by="t",
        changed_ms=1,
    )
    return start_console(), PASSWORD


async def _hash() -> str:
    passwords = Passwords()
    try:
        return await passwords.hash(PASSWORD)
    finally:
        passwords.stop()


def _sign_in(browser: httpx.Client, password: str) -> httpx.Response:
    return browser.post("/api/v1/session", json={"name": "zhou", "password": password})


def test_a_browser_signs_in_and_out(desk: tuple[Served, str]) -> None:
    console, password = desk
    browser = console.anybody()
    assert browser.get("/api/v1/session").status_code == 401
    assert _sign_in(browser, "wrong").json()["reason"] == "wrong_name_or_password"
    response = _sign_in(browser, password)
    assert response.status_code == 200, response.text
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("gs_session=")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "expires" not in cookie.lower()
    session = response.json()
    assert session == browser.get("/api/v1/session").json() | {name: session[name] for name in ("expires_ms", "now_ms")}
    assert session["csrf"] == csrf_of(browser.cookies["gs_session"])
    assert (session["user"]["name"], session["user"]["display"], session["demo"]) == ("zhou", "周敏", False)
    assert "close_valve" in session["rights"]
    assert "users" not in session["rights"]
    old = browser.cookies["gs_session"]
    assert browser.delete("/api/v1/session", headers={"X-CSRF-Token": session["csrf"]}).status_code == 204
    assert "gs_session" not in browser.cookies
    browser.cookies.set("gs_session", old)
    assert browser.get("/api/v1/session").status_code == 401


def test_signing_in_gives_a_new_cookie_and_ends_the_old_one(desk: tuple[Served, str]) -> None:
    console, password = desk
    browser = console.anybody()
    first = _sign_in(browser, password)
    old = browser.cookies["gs_session"]
    again = browser.post("/api/v1/session", json={"name": "zhou", "password": password}, headers={"X-CSRF-Token": first.json()["csrf"]})
    assert again.status_code == 200
    assert browser.cookies["gs_session"] != old
    planted = console.anybody()
    planted.cookies.set("gs_session", old)
    assert planted.get("/api/v1/session").status_code == 401


def test_failures_make_the_next_try_wait(desk: tuple[Served, str], records: Records) -> None:
    console, password = desk
    browser = console.anybody()
    for _ in range(FREE["both"]):
        assert _sign_in(browser, "wrong").status_code == 401
    # The first wait is a second, which a busy machine takes to ask again.
    longer = records.db.execute("UPDATE sign_in_failures SET until_ms = until_ms + 30000 WHERE until_ms > 0")
    assert longer.rowcount == 1
    response = _sign_in(browser, password)
    assert (response.status_code, response.json()["reason"]) == (429, "locked_out")
    assert 1 <= int(response.headers["Retry-After"]) <= LONGEST_WAIT_S
    assert console.get("/api/v1/incidents")["items"] == [], "who is in already goes on"
