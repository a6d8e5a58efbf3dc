"""Dispatch on a real database and a real broker; only the voice worker behind its unix socket is played."""

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from core.clock import ManualClock
from deploy.embedded.testing import TestBroker
from dispatch.settings import DispatchSettings
from dispatch.station import Station
from tests.dispatch.played import MORNING_MS, PATIENCE_S, Line, PlayedVoiceWorker, Records, forget_dispatch, the_line


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(MORNING_MS)


@pytest.fixture
def records(database: str) -> Records:
    return Records(database)


@pytest.fixture
async def worker(clock: ManualClock) -> AsyncIterator[PlayedVoiceWorker]:
    with tempfile.TemporaryDirectory() as folder:  # a unix socket's path must be short
        played = PlayedVoiceWorker(Path(folder) / "voice.sock", clock)
        await played.start()
        yield played
        await played.stop()


@pytest.fixture
async def line(broker: TestBroker) -> AsyncIterator[Line]:
    async with the_line(broker) as said:
        yield said


Life = Callable[..., AbstractAsyncContextManager[Station]]


@pytest.fixture
async def life(database: str, broker: TestBroker, clock: ManualClock, worker: PlayedVoiceWorker) -> Life:
    """Makes one life of the dispatch process: ``async with life() as station``. The broker knows no earlier session of it."""
    await forget_dispatch(broker)

    @asynccontextmanager
    async def living(**settings: Any) -> AsyncIterator[Station]:
        told: dict[str, Any] = {
            "mqtt_host": broker.host,
            "mqtt_port": broker.port,
            "mqtt_username": "dispatch",
            "mqtt_password": broker.accounts["dispatch"],
            "postgres_dsn": database,
            "voice_socket": worker.path,
            "poll_s": 0.1,
        }
        station = Station(DispatchSettings(**{**told, **settings}), clock)
        await station.start()
        try:
            if "mqtt_port" not in settings:
                await station.wait_connected(PATIENCE_S)
            yield station
        finally:
            await station.stop()

    return living


@pytest.fixture
async def station(life: Life) -> AsyncIterator[Station]:
    async with life() as living:
        yield living
