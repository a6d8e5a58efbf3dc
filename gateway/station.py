"""The line: both lanes, the engine, the keeper and the readings in one process and one event loop.

Starts from the database and what was open when it stopped, or, with the database away, from its own snapshot and journal; then it
decides until it is told to stop.
"""

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, get_args

import psycopg
import structlog

from alarm_engine import metrics
from alarm_engine.canary_rows import CanaryRows
from alarm_engine.conditions import Conditions
from alarm_engine.engine import Engine
from alarm_engine.incident import Incident
from alarm_engine.keeper import Keeper, journal_of
from alarm_engine.ledger import Ledger
from alarm_engine.recovery import resume
from alarm_engine.registry_view import RegistryView
from alarm_engine.requests import Requests
from alarm_engine.rows import Rows
from alarm_engine.settings import LineSettings
from alarm_engine.snapshot import Snapshots
from alarm_engine.state import LineState
from alarm_engine.watchman import Watchman
from core import collector, observe, topics
from core.clock import Clock
from core.ids import CANARY_HOME
from core.mqtt.link import RECEIVE_MAX, Link
from core.mqtt.port import Incoming, RetainHandling, Subscription
from core.observe import Health
from core.station import ValveKnowledge
from gateway.canary import Canary
from gateway.decode import Rejection
from gateway.down import Downlink
from gateway.knowledge import Knowledge
from gateway.lane import Lane
from gateway.line_lock import LineLock
from gateway.quarantine import Quarantine
from gateway.readings import Readings
from gateway.window import Window

log = structlog.get_logger()

_TICK_S = 0.05
_LOOK_S = 1.0


class Line:
    """Everything that runs in the line's process."""

    def __init__(self, settings: LineSettings, clock: Clock) -> None:
        dsn = settings.postgres_dsn.get_secret_value()
        self._settings, self._clock, self._dsn = settings, clock, dsn
        folder = Path(settings.state_dir) if settings.state_dir else None
        self.lock = LineLock(dsn, folder)
        self.quarantine = Quarantine()
        self.ledger = Ledger(dsn, clock, self._refused)
        self.keeper = Keeper(self.ledger, journal_of(folder, settings.journal_max_mb * 1024 * 1024))
        registry = RegistryView()
        self.downlink = Downlink(registry, clock)
        self.state = LineState(clock, settings, down=self.downlink, keeper=self.keeper, registry=registry)
        self.engine = Engine(self.state)
        self.requests = Requests(self.engine)
        self.readings = Readings(dsn, settings, clock, self.state.devices, self.quarantine)
        self.conditions = Conditions(self.state, lambda: self.telemetry_link.connected)
        self.watchman = Watchman(self.engine, dsn)
        self.canary = Canary(self.engine, settings)
        self.snapshots = (
            None if folder is None else Snapshots(folder, self.state, self.keeper.position, self.downlink.station_messages.unconfirmed)
        )
        if self.snapshots is not None:
            saved = self.snapshots
            self.keeper.pictured = lambda: saved.number
        self.knowledge = Knowledge(dsn, self.state, self.engine, self.keeper, self.ledger, self.snapshots, self.conditions, self.lock)
        lane = Lane(self.engine, self.readings, self.quarantine, self.downlink.ack, clock, self.conditions)
        # A RETAIN flag where none belongs is seen and counted; retained status comes once, not at every reconnect.
        alarm, ack, telemetry = (
            Subscription(topic, 1, RetainHandling.NEW, keep_retain_flag=True)
            for topic in (topics.UP_ALARM, topics.UP_ACK, topics.UP_TELEMETRY)
        )
        status = Subscription(topics.UP_STATUS, 1, RetainHandling.NEW)
        self._windows: list[Window] = []
        self.alarm_link = self._link("line", lane, (alarm, ack, topics.TO_LINE))
        self.telemetry_link = self._link("line-telemetry", lane, (telemetry, status))
        self.downlink.attach(self.alarm_link)
        self._ready = False
        self._answering = asyncio.Lock()

    def _link(self, client_id: str, lane: Lane, subscriptions: tuple[str | Subscription, ...]) -> Link:
        window = Window(client_id, RECEIVE_MAX, self._settings.release_after_s)
        self._windows.append(window)

        def on_message(incoming: Incoming) -> None:
            if incoming.topic == topics.TO_LINE:
                self.downlink.station_messages.taken(incoming.payload)
                incoming.ack()
            else:
                lane.on_message(window.take(incoming))

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
            receive_max=RECEIVE_MAX,
        )

    def _refused(self, rows: Rows, error: str) -> None:
        """A bundle that the database will not take is kept with its reason."""
        sample = f"{error}\n{rows}".encode(errors="replace")[:2048]
        self.quarantine.add("", "ledger", Rejection("not_stored", sample, ""), self._clock.now_ms())

    # -- the start -------------------------------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Start, decide until ``stop`` is set, then leave nothing behind. Raises UserError when another line runs."""
        self.lock.take_folder()
        tasks: list[asyncio.Task[None]] = []
        stopping = asyncio.create_task(stop.wait())
        try:
            words = await self.knowledge.know(stopping, tasks)
            if words is not None:
                await self._decide(stopping, tasks, words)
        finally:
            for task in (stopping, *tasks):
                task.cancel()
            await asyncio.gather(stopping, *tasks, return_exceptions=True)
            await self.keeper.close()
            await self.lock.release()

    async def _decide(self, stopping: "asyncio.Task[bool]", tasks: list["asyncio.Task[None]"], words: list[dict[str, Any]]) -> None:
        old_rows = CanaryRows(self._dsn, self._settings, self._clock)
        # The watchman looks at closes with or without a database.
        tasks += [asyncio.create_task(work) for work in (self._tick(), self._look(), self.watchman.run())]
        with_database = (self.readings.run, self.lock.run, self._ear, old_rows.run)
        tasks += [asyncio.create_task(self._with_database(work)) for work in with_database]
        if self.snapshots is not None:
            tasks.append(asyncio.create_task(self.snapshots.run(self._settings.snapshot_every_s)))
        await self.alarm_link.start()
        await self.telemetry_link.start()
        resume(self.engine, words)
        self._ready = True
        canary = asyncio.create_task(self.canary.run())
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        self._ready = False
        canary.cancel()
        await asyncio.gather(canary, return_exceptions=True)
        await self.telemetry_link.stop()
        # A request that was acted on is answered too; nothing is cut off in the middle of a look at the registry.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._answering.acquire(), 5.0)
        await self.keeper.settled(5.0)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.readings.flush(), 5.0)
        if self.snapshots is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.snapshots.write(), 5.0)
        await self.alarm_link.stop()
        for task in done:
            if task is not stopping and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _with_database(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """What is done with the database alone begins when it is there."""
        await self.knowledge.met.wait()
        await work()

    # -- while it runs ---------------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        """The line's own timer: what is due is done at most a twentieth of a second late."""
        while True:
            before = self._clock.monotonic()
            await self._clock.sleep(_TICK_S)
            metrics.loop_lag.set(max(0.0, self._clock.monotonic() - before - _TICK_S))
            ticks = (self.engine.valves.tick, self.downlink.station_messages.tick, *(each.tick for each in self._windows))
            for step in (*ticks, self.conditions.enlist):
                try:
                    step()
                except Exception:
                    # One bad command must not stop the timer of all others.
                    log.exception("timer step failed")

    async def _look(self) -> None:
        """Figures and the database's pulse, once a second."""
        while True:
            counted = self._counted()
            known = Counter(incident.valve for incident in counted)
            for valve in get_args(ValveKnowledge):
                metrics.open_by_valve.labels(valve).set(known[valve])
            metrics.ledger_depth.set(self.ledger.depth)
            metrics.oldest_alarm.set(self.ledger.oldest_alarm_s())
            metrics.station_waiting.set(self.downlink.station_messages.depth)
            metrics.readings_waiting.set(self.readings.waiting)
            metrics.commands_under_way.set(sum(1 for incident in counted if incident.close is not None and incident.close.under_way))
            metrics.journal_bytes.set(self.keeper.size)
            if self.snapshots is not None:
                metrics.snapshot_age.set(self.snapshots.age_s)
            try:
                self.conditions.tick()
            except Exception:
                log.exception("the look at the homes' conditions failed")
            await self.ledger.ping()
            await asyncio.sleep(_LOOK_S)

    def _counted(self) -> list[Incident]:
        """Open incidents of people's homes: the canary's is in no count."""
        return [incident for incident in self.state.incidents.values() if incident.kind != "canary"]

    async def _ear(self) -> None:
        """Requests and registry changes: NOTIFY first, a look every second behind it."""
        while True:
            try:
                async with await self.knowledge.connect() as connection:
                    await connection.execute("LISTEN requests_line")
                    await connection.execute("LISTEN registry")
                    await _listen(connection, self._answer)
            except psycopg.Error as error:
                log.warning("requests wait for the database", error=str(error))
                await asyncio.sleep(_LOOK_S)

    async def _answer(self, connection: psycopg.AsyncConnection[Any]) -> None:
        async with self._answering:
            await self.knowledge.load_registry(connection)
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
        if self.keeper.trouble:
            reasons.append("journal_down")
        if self.snapshots is not None and self._ready and self.snapshots.age_s > 4 * self._settings.snapshot_every_s:
            reasons.append("snapshot_old")
        reasons.extend(self.canary.reasons())
        oldest = self.ledger.oldest_alarm_s()
        if oldest > self._settings.unprocessed_alarm_red_s:
            reasons.append("alarms_waiting")
        if self.watchman.unknown:
            reasons.append("incident_unknown")
        return Health(
            ok=not reasons,
            reasons=tuple(reasons),
            detail={
                "open_incidents": len(self._counted()),
                "oldest_unprocessed_alarm_s": round(oldest, 3),
                "homes": len(self.state.registry.homes) - (CANARY_HOME in self.state.registry.homes),
                "registry_version": self.state.registry.version,
                "started_without_database": self.knowledge.alone,
                "state_put_aside": [] if self.snapshots is None else self.snapshots.put_aside,
                "journal_damage": self.keeper.damaged,
                **self.canary.detail(),
            },
        )


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
    searching = asyncio.create_task(collector.keep_short())
    try:
        await line.run(stop)
    finally:
        searching.cancel()
        if observer is not None:
            observer.stop()
