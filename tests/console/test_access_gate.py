"""What a request passes before a route sees it: the page it comes from, its size, its pace, its address, and whether it came before."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.access.idempotency import OnceOnly, request_id
from console.access.rates import Rates
from console.app import create_app
from console.problems import Problem
from console.settings import ConsoleSettings
from console.store import Store
from core.clock import SystemClock
from tests.console.stage import Records, Served

CLOSE = "/api/v1/homes/home-0001/close-valve"
BODY = {"reason": "away"}
PICTURE = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xda\x00\x02" + bytes(range(1, 100))


@pytest.fixture
def stations(records: Records) -> Records:
    """Every request is answered at once."""
    records.home(1)
    records.db.execute(
        "CREATE FUNCTION answer_at_once() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.state := 'done'; NEW.answer := '{}'; RETURN NEW; END $$"
    )
    records.db.execute("CREATE TRIGGER at_once BEFORE INSERT ON requests FOR EACH ROW EXECUTE FUNCTION answer_at_once()")
    return records


def _asked(records: Records) -> int:
    row = records.db.execute("SELECT count(*) FROM requests").fetchone()
    assert row is not None
    return int(row[0])


# --- from which page


@pytest.mark.parametrize(
    "headers",
    [
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "0" * 64},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1"},
    ],
)
def test_a_change_from_a_foreign_page_is_refused(console: Served, stations: Records, headers: dict[str, str]) -> None:
    browser = console.signed_in("operator")
    response = browser.post(CLOSE, json=BODY, headers=headers)
    assert (response.status_code, response.json()["reason"]) == (403, "foreign_page")
    assert _asked(stations) == 0
    assert browser.post(CLOSE, json=BODY).status_code == 200


def test_a_browser_that_names_no_origin_says_whether_it_is_the_same(console: Served, stations: Records) -> None:
    browser = console.signed_in("operator")
    del browser.headers["Origin"]
    assert browser.post(CLOSE, json=BODY, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert browser.post(CLOSE, json=BODY, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_a_foreign_page_cannot_sign_its_visitor_in(console: Served) -> None:
    response = console.anybody().post("/api/v1/session", json={"name": "a", "password": "b"}, headers={"Origin": "http://evil.example"})
    assert (response.status_code, response.json()["reason"]) == (403, "foreign_page")


def test_a_token_needs_no_page(console: Served, stations: Records) -> None:
    assert console.http.post(CLOSE, json=BODY, headers={"Origin": "http://elsewhere.example"}).status_code == 200


# --- how much, how often, from where


def test_what_is_too_large_is_not_read(console: Served) -> None:
    response = console.http.post(CLOSE, content=b"x" * 70_000, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["reason"]) == (413, "too_large")


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "once"}])
def test_what_does_not_say_how_large_it_is_is_read_no_further_than_it_may_be(console: Served, key: dict[str, str]) -> None:
    whole = (b"x" * 1024 for _ in range(65))
    response = console.http.post("/api/v1/incidents", content=whole, headers={"Content-Type": "application/json", **key})
    assert (response.status_code, response.json()["reason"]) == (413, "too_large")


def test_who_asks_without_end_is_slowed_down_and_nobody_else(start_console: Callable[..., Served]) -> None:
    console = start_console(requests_per_s=2)
    greedy, other = console.signed_in("viewer", name="greedy"), console.signed_in("viewer", name="other")
    said = [greedy.get("/api/v1/session") for _ in range(40)]
    assert {response.status_code for response in said} == {200, 429}
    assert said[-1].headers["Retry-After"] == "1"
    assert other.get("/api/v1/session").status_code == 200
    assert all(console.http.get("/api/v1/session").status_code == 200 for _ in range(60)), "the platform itself is not slowed down"


def test_a_bucket_fills_again() -> None:
    rates = Rates(1)
    for _ in range(10):
        rates.take("a", 0.0)
    with pytest.raises(Problem, match="slow down"):
        rates.take("a", 0.5)
    rates.take("a", 1.6)
    rates.take("b", 0.0, 0.5)


def _with(console: Served, token: str) -> httpx.Client:
    client = console.anybody()
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def _guess(client: httpx.Client, token: str) -> int:
    return client.get("/api/v1/homes", headers={"Authorization": f"Bearer {token}"}).status_code


def _token(console: Served, name: str) -> str:
    engineer = console.signed_in("engineer", name=f"maker-of-{name}")
    made = engineer.post("/api/v1/tokens", json={"name": name, "rights": ["read"]})
    assert made.status_code == 200, made.text
    value: str = made.json()["token"]
    return value


class Still(SystemClock):
    """Real time, but for the clock by which requests are counted: it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now_s


@pytest.fixture
def still(console: Served) -> Still:
    """The clock of a console whose buckets do not fill again by themselves."""
    clock = Still()
    console.server.running.access.clock = clock
    return clock


def test_who_guesses_tokens_is_stopped_before_they_are_looked_up(console: Served, still: Still) -> None:
    known = _with(console, _token(console, "scada"))
    assert known.get("/api/v1/session").status_code == 200
    looked_up = []
    tokens = console.server.running.access.tokens
    find = tokens.find

    async def counted(value: str, origin: str, now_ms: int) -> Any:
        looked_up.append(value)
        return await find(value, origin, now_ms)

    tokens.find = counted  # type: ignore[method-assign]  # it counts, and asks the real one
    stranger = console.anybody()
    said = [_guess(stranger, f"gs_guess-{number}") for number in range(40)]
    assert said == [401] * 20 + [429] * 20
    assert len(looked_up) == 20
    assert known.get("/api/v1/session").status_code == 200, "whose token was right before is not held up by who guesses beside him"
    assert console.signed_in("viewer").get("/api/v1/session").status_code == 200
    still.now_s += 3
    assert [_guess(stranger, f"gs_more-{number}") for number in range(4)] == [401, 401, 401, 429]


def test_a_token_has_a_generous_bucket_of_its_own(console: Served, still: Still) -> None:
    busy, other = _with(console, _token(console, "busy")), _with(console, _token(console, "other"))
    said = [busy.get("/api/v1/session").status_code for _ in range(203)]
    assert said == [200] * 200 + [429] * 3
    assert other.get("/api/v1/session").status_code == 200
    still.now_s += 1
    assert [busy.get("/api/v1/session").status_code for _ in range(51)] == [200] * 50 + [429]


@pytest.mark.parametrize(("client", "status"), [("127.0.0.1", 200), ("::1", 200), ("::ffff:127.0.0.1", 200), ("10.0.0.5", 404)])
@pytest.mark.parametrize("path", ["/metrics"])
async def test_state_is_for_this_machine_alone(path: str, client: str, status: int) -> None:
    transport = httpx.ASGITransport(create_app(ConsoleSettings()), client=(client, 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        assert (await http.get(path)).status_code == status


async def test_the_platforms_own_token_is_good_at_this_machine_alone() -> None:
    app = create_app(ConsoleSettings(platform_token="gs_platform", demo_link="demo"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app, client=("10.0.0.5", 5)), base_url="http://127.0.0.1") as http:
        http.headers["Authorization"] = "Bearer gs_platform"
        assert (await http.get("/api/v1/session")).status_code in {401, 503}


# --- cut off on the way


async def _cut_off_after(app: ASGIApp, path: str, headers: dict[str, str], *pieces: bytes) -> list[Message]:
    """Ask, send these pieces of a body, and be gone; gives what was said to nobody."""
    coming: list[Message] = [*({"type": "http.request", "body": piece, "more_body": True} for piece in pieces), {"type": "http.disconnect"}]
    said: list[Message] = []

    async def receive() -> Message:
        return coming.pop(0) if len(coming) > 1 else coming[0]

    async def send(message: Message) -> None:
        said.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    return said


@pytest.mark.parametrize("arrived", [(), (PICTURE[:40],)])
async def test_what_is_cut_off_is_neither_taken_for_the_whole_nor_holds_its_key(
    database: str, records: Records, arrived: tuple[bytes, ...]
) -> None:
    records.home(1)
    records.order(records.incident(1), crew_id=records.crew("c1"))
    app = create_app(ConsoleSettings(postgres_dsn=database, platform_token="gs_platform"))
    await app.state.running.store.start()
    path = "/api/v1/orders/QX-260402-0001/attachments"
    headers = {"Host": "127.0.0.1", "Authorization": "Bearer gs_platform", "Content-Type": "image/jpeg", "Idempotency-Key": "once"}
    assert await _cut_off_after(app, path, headers, *arrived) == []
    assert records.db.execute("SELECT count(*) FROM order_attachments").fetchone() == (0,)
    assert records.db.execute("SELECT count(*) FROM idempotency_keys").fetchone() == (0,)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
        sent_again = await http.post(path, content=PICTURE, headers=headers)
    assert sent_again.status_code == 201, sent_again.text
    assert records.db.execute("SELECT size FROM order_attachments").fetchall() == [(len(PICTURE),)]
    await app.state.running.store.stop()


# --- and again


def test_the_same_key_gives_the_same_answer_and_one_request(console: Served, stations: Records) -> None:
    browser = console.signed_in("operator")
    first, again = (browser.post(CLOSE, json=BODY, headers={"Idempotency-Key": "a key"}) for _ in range(2))
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert _asked(stations) == 1
    assert browser.post(CLOSE, json=BODY, headers={"Idempotency-Key": "another"}).status_code == 200
    assert _asked(stations) == 2


def test_a_key_belongs_to_one_request_of_one_user(console: Served, stations: Records) -> None:
    browser, other = console.signed_in("operator"), console.signed_in("dispatcher")
    assert browser.post(CLOSE, json=BODY, headers={"Idempotency-Key": "k"}).status_code == 200
    reused = browser.post(CLOSE, json={"reason": "other"}, headers={"Idempotency-Key": "k"})
    assert (reused.status_code, reused.json()["reason"]) == (422, "idempotency_key_reused")
    assert other.post(CLOSE, json={"reason": "other"}, headers={"Idempotency-Key": "k"}).status_code == 200


def test_a_refusal_is_repeated(console: Served, stations: Records) -> None:
    browser = console.signed_in("operator")
    refusal = '{"reason": "no_meter", "zh": "无表", "en": "no meter"}'
    body = f"BEGIN NEW.state := 'refused'; NEW.answer := '{refusal}'; RETURN NEW; END"
    stations.db.execute(f"CREATE OR REPLACE FUNCTION answer_at_once() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$".encode())
    said = [browser.post(CLOSE, json=BODY, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [response.status_code for response in said] == [409, 409]
    assert said[0].json() == said[1].json()
    assert said[1].headers["Content-Type"] == "application/problem+json"
    assert _asked(stations) == 1


@pytest.fixture
async def once(database: str) -> AsyncIterator[Callable[..., Awaitable[int]]]:
    """Asks an application under a key; gives the status that came out."""
    store = Store(database)
    await store.start()

    async def ask(app: ASGIApp, key: str = "k", now_ms: int = 1_000_000) -> int:
        said: list[Message] = []

        async def send(message: Message) -> None:
            said.append(message)

        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        scope = {"type": "http", "method": "POST", "path": "/x", "query_string": b""}
        await OnceOnly(store).answer(app, scope, receive, send, owner="o", key=key, body=b"", now_ms=now_ms)
        status: int = said[0]["status"]
        return status

    yield ask
    await store.stop()


def _answering(*statuses: int) -> tuple[ASGIApp, list[int]]:
    """An application that answers with one status after the other, and those that it gave."""
    given: list[int] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        given.append(statuses[len(given)])
        await send({"type": "http.response.start", "status": given[-1], "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app, given


@pytest.mark.parametrize("status", [500, 503, 401, 429])
async def test_a_fault_is_not_kept(once: Callable[..., Awaitable[int]], status: int) -> None:
    app, given = _answering(status, 200, 400)
    assert [await once(app), await once(app), await once(app)] == [status, 200, 200]
    assert given == [status, 200]


async def test_what_breaks_leaves_the_key_free(once: Callable[..., Awaitable[int]]) -> None:
    async def breaks(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        await once(breaks)
    assert await once(_answering(200)[0]) == 200


async def test_a_key_is_forgotten_after_a_day(once: Callable[..., Awaitable[int]]) -> None:
    app, given = _answering(200, 409)
    said = [await once(app, now_ms=1_000), await once(app, now_ms=86_400_000), await once(app, now_ms=86_402_000)]
    assert said == [200, 200, 409]
    assert given == [200, 409]


def test_the_same_key_at_the_same_time_is_one_request(console: Served, stations: Records) -> None:
    browser = console.signed_in("operator")
    said: list[httpx.Response] = []
    threads = [
        threading.Thread(target=lambda: said.append(browser.post(CLOSE, json=BODY, headers={"Idempotency-Key": "k"}))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [response.status_code for response in said] == [200] * 4
    assert len({response.content for response in said}) == 1
    assert _asked(stations) == 1


def test_a_crash_between_request_and_answer_doubles_nothing(console: Served, stations: Records, database: str) -> None:
    browser = console.signed_in("operator")
    first = browser.post(CLOSE, json=BODY, headers={"Idempotency-Key": "k"})
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("UPDATE idempotency_keys SET status = NULL, answer = NULL, made_ms = made_ms - 31000")
    again = browser.post(CLOSE, json=BODY, headers={"Idempotency-Key": "k"})
    assert again.json() == first.json()
    assert UUID(again.json()["request_id"]).version == 5
    assert _asked(stations) == 1


@pytest.mark.parametrize("key", ["", "x" * 65, "tab\there"])
def test_a_key_that_is_none_is_refused(console: Served, stations: Records, key: str) -> None:
    response = console.signed_in("operator").post(CLOSE, json=BODY, headers={"Idempotency-Key": key})
    assert response.status_code == 422
    assert _asked(stations) == 0


async def test_requests_without_a_key_have_ids_of_their_own() -> None:
    assert len({request_id() for _ in range(10)}) == 10
    assert (await asyncio.to_thread(request_id)).version == 4
