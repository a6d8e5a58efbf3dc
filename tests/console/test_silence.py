"""A database that falls silent, with its connections open: it is said within seconds, and nobody waits for it."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from console import listener, store
from console.listener import Listener
from console.store import DatabaseAway, Store
from tests.console.stage import frames, running_console
from tests.core.mqtt_stage import PATIENCE_S, Wire, until


@pytest.fixture
async def wire(database: str) -> AsyncIterator[Wire]:
    """Between a console and its database."""
    with psycopg.connect(database) as db:
        found = Wire(db.info.host, db.info.port)
    yield found
    await found.close()


@pytest.fixture
async def dsn(wire: Wire, database: str) -> str:
    """To the database, over the wire."""
    return make_conninfo(database, host="127.0.0.1", port=await wire.open())


@pytest.fixture
async def asked(wire: Wire, dsn: str) -> AsyncIterator[Store]:
    """A store that asks over the wire."""
    found = Store(dsn)
    await found.start()
    yield found
    wire.cut()
    await found.stop()


async def test_whoever_listens_to_a_silent_database_says_so_and_finds_it_again(wire: Wire, dsn: str, database: str) -> None:
    heard: list[str] = []
    states: list[bool] = []
    ear = Listener(dsn, "changes", heard.append, states.append)
    ear.start()
    await until(lambda: states == [True])
    wire.freeze()
    await until(lambda: states == [True, False])
    wire.cut()
    await until(lambda: states == [True, False, True])
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as db:
        await db.execute("NOTIFY changes, 'again'")
    await until(lambda: heard == ["again"])
    await ear.stop()
    assert listener._PROBE_SECONDS + listener._ANSWER_SECONDS < 3, "it is to be said within 3 s"


async def test_a_read_of_a_silent_database_is_refused_and_the_next_has_another_connection(wire: Wire, asked: Store) -> None:
    async with asyncio.timeout(PATIENCE_S):
        assert await asked.row("SELECT 1 AS one") == {"one": 1}
        wire.freeze()
        for ask in (asked.rows, asked.row, asked.own):
            with pytest.raises(DatabaseAway):
                await ask("SELECT 1 AS one")
        wire.cut()
        assert await said_again(asked) == {"one": 1}


async def test_a_database_that_falls_silent_in_the_middle_of_a_read_ends_it(
    wire: Wire, asked: Store, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_ANSWER_SECONDS", 1.0)
    async with asyncio.timeout(PATIENCE_S), await psycopg.AsyncConnection.connect(database, autocommit=True) as db:
        reading = asyncio.create_task(asked.row("SELECT pg_sleep(600)"))
        while not await (await db.execute("SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'")).fetchone():
            await asyncio.sleep(0)
        wire.freeze()
        with pytest.raises(DatabaseAway):
            await reading
        wire.cut()
        assert await said_again(asked) == {"one": 1}


async def said_again(asked: Store) -> store.Row | None:
    while True:
        try:
            return await asked.row("SELECT 1 AS one")
        except DatabaseAway:
            continue


def live_is(events: Iterator[tuple[str, Any]], wanted: bool) -> None:
    """Wait until the clock says so, for so many of its beats."""
    beats = (data for name, data in events if name == "clock")
    assert any(data["live"] is wanted for data in itertools.islice(beats, 600))


async def test_pages_are_told_that_a_database_fell_silent_and_what_they_read_is_refused(wire: Wire, dsn: str) -> None:
    loop = asyncio.get_running_loop()

    def watch() -> list[httpx.Response]:
        with running_console(dsn, heartbeat_s=0.1) as console, console.http.stream("GET", "/api/v1/events") as response:
            events = frames(response.iter_lines())
            live_is(events, True)
            answers = [console.http.get("/api/v1/incidents")]
            loop.call_soon_threadsafe(wire.freeze)
            live_is(events, False)
            answers.append(console.http.get("/api/v1/incidents"))
            loop.call_soon_threadsafe(wire.cut)
            live_is(events, True)
            return answers

    before, silent = await asyncio.to_thread(watch)
    assert before.status_code == 200
    assert (silent.status_code, silent.json()["reason"]) == (503, "database_away")
