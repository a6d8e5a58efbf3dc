"""The line: both lanes, the engine, the ledger and the readings in one process and one event loop.

Starts from the registry and what was open when it stopped; then it decides until it is told to stop.
"""

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar, get_args

import psycopg
import structlog

from alarm_engine import metrics
from alarm_engine.engine import Engine
from alarm_engine.ledger import Ledger
from alarm_engine.recovery import recover, resume
from alarm_engine.registry_view import RegistryView
from alarm_engine.requests import Requests
from alarm_engine.rows import Rows
from alarm_engine.settings import LineSettings
from alarm_engine.state import LineState
from core import observe, topics
from core.clock import Clock
from core.mqtt.link import Link
from core.mqtt.port import Incoming, RetainHandling, Subscription
from core.observe import Health
from core.registry.reading import load_registry
from core.station import ValveKnowledge
from gateway.decode import Rejection
from gateway.down import Downlink
from gateway.lane import Lane
from gateway.quarantine import Quarantine
from gateway.readings import Readings

log = structlog.get_logger()

_TICK_S = 0.05
_LOOK_S = 1.0
_PIECE = 1_000
_Row = TypeVar("_Row")


class Line:
    """Everything that runs in the line's process."""

    def __init__(self, settings: LineSettings, clock: Clock) -> None:
        dsn = settings.postgres_dsn.get_secret_value()
        self._settings, self._clock, self._dsn = settings, clock, dsn
        self.quarantine = Quarantine()
        self.ledger = Ledger(dsn, clock, self._refused)
        registry = RegistryView()
        self.downlink = Downlink(registry, clock)
        self.state = LineState(clock, settings, down=self.downlink, keeper=self.ledger, registry=registry)
        self.engine = Engine(self.state)
        self.requests = Requests(self.engine)
        self.readings = Readings(dsn, settings, clock, self.state.devices, self.quarantine)
        lane = Lane(self.engine, self.readings, self.quarantine, self.downlink.ack, clock)
        # A RETAIN flag where none belongs is seen and counted; retained status comes once, not at every reconnect.
        alarm, ack, telemetry = (
            Subscription(topic, 1, RetainHandling.NEW, keep_retain_flag=True)
            for topic in (topics.UP_ALARM, topics.UP_ACK, topics.UP_TELEMETRY)
        )
        status = Subscription(topics.UP_STATUS, 1, RetainHandling.NEW)
        self.alarm_link = self._link("line", lane, (alarm, ack, topics.TO_LINE))
        self.telemetry_link = self._link("line-telemetry", lane, (telemetry, status))
        self.downlink.attach(self.alarm_link)
        self._ready = False
        self._answering = asyncio.Lock()

    def _link(self, client_id: str, lane: Lane, subscriptions: tuple[str | Subscription, ...]) -> Link:
        def on_message(incoming: Incoming) -> None:
            if incoming.topic == topics.TO_LINE:
                self.downlink.station_messages.taken(incoming.payload)
                incoming.ack()
            else:
                lane.on_message(incoming)

        settings = self._settings
        return Link(
            settings.mqtt_host,
            settings.mqtt_port,
            client_id,
            settings.mqtt_username,
            settings.mqtt_password.get_secret_value(),
            subscriptions=subscriptions,
            on_message=on_message,
            on_state=lambda up: metrics.link_up.labels(client_id).set(up),
        )

    def _refused(self, rows: Rows, error: str) -> None:
        """A bundle that the database will not take is kept with its reason."""
        sample = f"{error}\n{rows}".encode(errors="replace")[:2048]
        self.quarantine.add("", "ledger", Rejection("not_stored", sample, ""), self._clock.now_ms())

    async def run(self, stop: asyncio.Event) -> None:
        """Start, decide until ``stop`` is set, then leave nothing behind."""
        connection = await self._database(stop)
        if connection is None:
            return
        await self._load_registry(connection)
        found = await recover(self.engine, connection)
        await connection.close()
        log.info("line starts", homes=len(self.state.registry.homes), devices=len(self.state.registry.devices), open_incidents=found)
        tasks = [
            asyncio.create_task(self.ledger.run()),
            asyncio.create_task(self.readings.run()),
            asyncio.create_task(self._tick()),
            asyncio.create_task(self._look()),
            asyncio.create_task(self._ear()),
        ]
        await self.alarm_link.start()
        await self.telemetry_link.start()
        resume(self.engine)
        self._ready = True
        stopping = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        self._ready = False
        await self.telemetry_link.stop()
        # A request that was acted on is answered too; nothing is cut off in the middle of a look at the registry.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._answering.acquire(), 5.0)
        await self.ledger.drain(5.0)
        await self.readings.flush()
        await self.alarm_link.stop()
        for task in (stopping, *tasks):
            task.cancel()
        await asyncio.gather(stopping, *tasks, return_exceptions=True)
        for task in done:
            if task is not stopping and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _database(self, stop: asyncio.Event) -> psycopg.AsyncConnection[Any] | None:
        """Wait for the database at the start. None when told to stop meanwhile."""
        while not stop.is_set():
            try:
                return await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=5)
            except psycopg.OperationalError as error:
                log.warning("waiting for the database", error=str(error))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 1.0)
        return None

    async def _load_registry(self, connection: psycopg.AsyncConnection[Any]) -> None:
        rows = await load_registry(connection, self.state.registry.version)
        if rows.version > self.state.registry.version:
            # A city in one go would stop the loop for a second; in pieces no leak waits for it.
            fresh = self.state.registry.copy()
            for homes in _pieces(rows.homes):
                fresh.apply(homes, (), rows.version)
                await asyncio.sleep(0)
            for devices in _pieces(rows.devices):
                fresh.apply((), devices, rows.version)
                await asyncio.sleep(0)
            self.state.registry.take_over(fresh)
            metrics.registry_version.set(rows.version)

    async def _tick(self) -> None:
        """The line's own timer: what is due is done at most a twentieth of a second late."""
        while True:
            before = self._clock.monotonic()
            await self._clock.sleep(_TICK_S)
            metrics.loop_lag.set(max(0.0, self._clock.monotonic() - before - _TICK_S))
            try:
                self.engine.valves.tick()
                self.downlink.station_messages.tick()
            except Exception:
                # One bad command must not stop the timer of all others.
                log.exception("timer step failed")

    async def _look(self) -> None:
        """Figures and the database's pulse, once a second."""
        while True:
            known = Counter(incident.valve for incident in self.state.incidents.values())
            for valve in get_args(ValveKnowledge):
                metrics.open_by_valve.labels(valve).set(known[valve])
            metrics.ledger_depth.set(self.ledger.depth)
            metrics.oldest_alarm.set(self.ledger.oldest_alarm_s())
            metrics.station_waiting.set(self.downlink.station_messages.depth)
            metrics.readings_waiting.set(self.readings.waiting)
            metrics.commands_under_way.set(sum(1 for i in self.state.incidents.values() if i.close is not None and i.close.under_way))
            await self.ledger.ping()
            await asyncio.sleep(_LOOK_S)

    async def _ear(self) -> None:
        """Requests and registry changes: NOTIFY first, a look every second behind it."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=5) as connection:
                    await connection.execute("LISTEN requests_line")
                    await connection.execute("LISTEN registry")
                    await _listen(connection, self._answer)
            except psycopg.Error as error:
                log.warning("requests wait for the database", error=str(error))
                await asyncio.sleep(_LOOK_S)

    async def _answer(self, connection: psycopg.AsyncConnection[Any]) -> None:
        async with self._answering:
            await self._load_registry(connection)
            await self.requests.answer_pending(connection)

    def health(self) -> Health:
        """Red when a leak could not be handled now."""
        reasons = []
        if not self._ready:
            reasons.append("starting")
        if not self.alarm_link.connected:
            reasons.append("alarm_lane_down")
        if not self.telemetry_link.connected:
            reasons.append("telemetry_lane_down")
        if not self.ledger.database_up:
            reasons.append("database_away")
        oldest = self.ledger.oldest_alarm_s()
        if oldest > self._settings.unprocessed_alarm_red_s:
            reasons.append("alarms_waiting")
        return Health(
            ok=not reasons,
            reasons=tuple(reasons),
            detail={
                "open_incidents": len(self.state.incidents),
                "oldest_unprocessed_alarm_s": round(oldest, 3),
                "homes": len(self.state.registry.homes),
                "registry_version": self.state.registry.version,
            },
        )


def _pieces(rows: list[_Row]) -> Iterator[list[_Row]]:
    return (rows[start : start + _PIECE] for start in range(0, len(rows), _PIECE))


async def _listen(connection: psycopg.AsyncConnection[Any], act: Callable[[psycopg.AsyncConnection[Any]], Awaitable[None]]) -> None:
    """Act at once, on every notice, and every second without one."""
    while True:
        await act(connection)
        async for _ in connection.notifies(timeout=_LOOK_S, stop_after=1):
            pass


async def main(settings: LineSettings) -> None:
    """Run the line until SIGTERM or SIGINT."""
    clock = settings.clock()
    line = Line(settings, clock)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    observer = observe.serve(settings.observe_port, line.health) if settings.observe_port else None
    try:
        await line.run(stop)
    finally:
        if observer is not None:
            observer.stop()
