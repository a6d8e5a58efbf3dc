"""Dispatch as a whole: the broker, the database and the telephone joined to inbox, switchboard, requests and rounds.

Decides the order of starting and stopping, and when this station is not well. Starts without the database: the phone must ring.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Final
from uuid import UUID

import structlog
from pydantic import ValidationError

from core import topics
from core.clock import Clock
from core.errors import LinkError
from core.mqtt.link import Link
from core.mqtt.port import Incoming
from core.observe import Health
from core.registry.change import CHANNEL as REGISTRY
from core.station import STATION_MESSAGE, Taken
from dispatch import metrics
from dispatch.call_records import ARCHIVED, CALLS_UNDER_WAY, OPEN_LADDERS, CallRecord, CallRecords
from dispatch.canary import CanaryCalls
from dispatch.database import Connection, Lane
from dispatch.inbox import Inbox
from dispatch.journal import CallJournal
from dispatch.ledger import Ledger
from dispatch.listen import listen, look_when_woken
from dispatch.live_ladder import LiveLadder
from dispatch.outbox import Outbox
from dispatch.requests import Requests
from dispatch.rounds import Rounds
from dispatch.settings import DispatchSettings
from dispatch.switchboard import Switchboard
from dispatch.tasks import Desk
from dispatch.voice.client import VoiceClient

HANDLED: Final = "SELECT message_id FROM dispatch_inbox ORDER BY handled_ms DESC LIMIT 20000"

_START_S: Final = 3.0
"""Real seconds that a start waits for what it can do without."""
_REGISTRY_S: Final = 60.0
"""Real seconds without a notice of the registry after which crews are looked at all the same; the rounds look far more often."""


class Station:
    """One dispatch process. ``start``, then ``stop``."""

    def __init__(self, settings: DispatchSettings, clock: Clock) -> None:
        self._settings = settings
        dsn = settings.postgres_dsn.get_secret_value()
        self._dsn = dsn
        self._lanes = {name: Lane(dsn, name) for name in ("orders", "records", "requests", "outbox", "rounds")}
        self._journal = CallJournal(settings.state_dir, settings.journal_max_bytes)
        self._ledger = Ledger(self._lanes["orders"])
        self._records = CallRecords(self._lanes["records"], self._journal)
        self._voice = VoiceClient(settings.voice_socket, clock, self._telephone_changed)
        self._desk = Desk(self._ledger, clock, self._journal)
        self.switchboard = Switchboard(settings, clock, self._voice, self._records, self._desk)
        self._canary = CanaryCalls(settings, clock, self._voice, self._records, self._ledger)
        self._link = Link(
            settings.mqtt_host,
            settings.mqtt_port,
            settings.mqtt_username or "dispatch",
            settings.mqtt_username or "dispatch",
            settings.mqtt_password.get_secret_value(),
            on_message=self._on_message,
            subscriptions=[(topics.TO_DISPATCH, 1)],
            receive_max=settings.inbox_window,
        )
        self.inbox = Inbox(clock, self._ledger, self.switchboard, self._canary, self._journal, self._tell_taken, settings.inbox_window)
        self._outbox = Outbox(self._lanes["outbox"], lambda message: self.inbox.take(message, "outbox"), self.inbox.is_known)
        self.requests = Requests(settings, clock, self._lanes["requests"], self._work_done)
        self.rounds = Rounds(settings, clock, self._lanes["rounds"])
        self.broken = asyncio.Event()
        """Set when a part of this process has stopped that must not."""
        self._tasks: list[asyncio.Task[None]] = []
        self._log = structlog.get_logger()
        metrics.INBOX_OLDEST.set_function(self.inbox.oldest_s)

    async def start(self) -> None:
        """Take up what an earlier life left, then listen to everybody. Returns when the broker was tried once."""
        self._journal.open()
        self._run(self._journal.run(), "journal")
        self._run(self._hear(), "telephone")
        self._voice.start()
        remembered = asyncio.ensure_future(self._take_up())
        waits: set[asyncio.Future[Any]] = {remembered}
        if self._journal.kept("ladder"):
            waits.add(asyncio.ensure_future(self._voice.wait_connected()))
        await asyncio.wait(waits, timeout=_START_S)
        self._take_up_journal()
        for wait in waits - {remembered}:
            wait.cancel()
        for lane in self._lanes.values():
            self._run(lane.open(), f"lane {lane.name}")
        self._run(self._ledger.run(), "ledger")
        self._run(self._records.run(), "records")
        self._run(self.switchboard.keep_time(), "ladders")
        self._run(self._resume(remembered), "resume")
        outbox, requests, registry = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._run(listen(self._dsn, {"outbox": outbox, "requests_dispatch": requests, REGISTRY: registry}), "listen")
        poll_s = self._settings.poll_s
        self._run(look_when_woken(outbox, poll_s, self._outbox.look, "outbox"), "outbox")
        self._run(look_when_woken(requests, poll_s, self.requests.answer_all, "requests"), "requests")
        # A crew that an import retires, moves to another shift or adds is known at once, not with the next round.
        self._run(look_when_woken(registry, _REGISTRY_S, self.rounds.share_out, "registry"), "registry")
        self._run(self.rounds.run(), "rounds")
        await self._link.start()

    async def stop(self) -> None:
        """Let go of everybody. Calls under way go on in the voice worker; what is not durable comes again from the line."""
        await self._link.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_S):
                await self._ledger.settled()
                await self._records.settled()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._journal.close()
        await self._voice.close()
        for lane in self._lanes.values():
            await lane.close()

    async def wait_connected(self, seconds: float) -> None:
        """Return when the broker is there. Raises LinkError after ``seconds`` real seconds."""
        await self._link.wait_connected(seconds)

    async def settled(self) -> None:
        """Return when nothing waits for the database."""
        await self._ledger.settled()
        await self._records.settled()

    def health(self) -> Health:
        """Red when a leak could not be handled now: no order could be made, or nobody rung."""
        missing = []
        if not self._link.connected:
            missing.append("broker_away")
        if not self._lanes["rounds"].up or any(lane.up is False for lane in self._lanes.values()):
            missing.append("database_away")
        if not self._voice.connected:
            missing.append("voice_away")
        return Health(
            ok=not missing,
            reasons=tuple(missing),
            detail={
                "inbox_oldest_s": round(self.inbox.oldest_s(), 3),
                "ledger_depth": len(self._ledger),
                "journal_failing": self._journal.failing,
            },
        )

    # -- starting ------------------------------------------------------------------------------------------------------

    def _take_up_journal(self) -> None:
        """Go on with what the journal kept, whether the database is there or not."""
        live = self._journal.read("ladder", LiveLadder.model_validate_json)
        calls = self._records.restore()
        self.switchboard.resume(live, calls)
        messages = self.inbox.restore()
        self._desk.restore()
        if live or messages or calls:
            self._log.info("journal taken up", ladders=len(live), messages=messages, calls=len(calls))

    async def _take_up(self) -> tuple[list[tuple[LiveLadder, bool]], list[CallRecord]]:
        """Read what was handled, which ladders are open (and whether their place is made safe), and which calls had not ended."""

        async def work(connection: Connection) -> tuple[list[Any], list[Any], list[Any]]:
            handled = await (await connection.execute(HANDLED)).fetchall()
            ladders = await (await connection.execute(OPEN_LADDERS)).fetchall()
            calls = await (await connection.execute(CALLS_UNDER_WAY)).fetchall()
            return handled, ladders, calls

        handled, ladders, calls = await self._lanes["rounds"].until_done(work)
        self.inbox.remember(row["message_id"] for row in reversed(handled))
        live = []
        for row in ladders:
            try:
                live.append((LiveLadder.model_validate(row["state"]), row["work_done"]))
            except ValidationError as error:
                self._log.error("a kept ladder is unreadable", incident=str(row["incident_id"]), why=str(error))
        return live, [CallRecord(**row) for row in calls]

    async def _resume(self, remembered: "asyncio.Future[tuple[list[tuple[LiveLadder, bool]], list[CallRecord]]]") -> None:
        """Go on with the ladders of an earlier life once they are read; a voice worker that is there is waited for a moment."""
        ladders, calls = await remembered
        if ladders:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_START_S):
                    await self._voice.wait_connected()
        self.switchboard.resume([live for live, _ in ladders], calls)
        for live, done in ladders:
            if done:
                self.switchboard.work_done(live.incident_id)
        for incident_id in await self._lanes["rounds"].until_done(self._archived_meanwhile):
            self.switchboard.work_done(incident_id, archived=True)
        if ladders or calls:
            self._log.info("ladders resumed", ladders=len(ladders), calls=len(calls))

    async def _archived_meanwhile(self, connection: Connection) -> list[UUID]:
        """Of the ladders in memory those whose orders are all archived: a crash may have come between that and hearing of it."""
        rows = await (await connection.execute(ARCHIVED, {"incidents": self.switchboard.incidents()})).fetchall()
        return [row["incident_id"] for row in rows]

    def _work_done(self, incident_id: UUID, archived: bool) -> None:
        self.switchboard.work_done(incident_id, archived=archived)

    def _run(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None:
            self._log.critical("a part of dispatch has stopped", part=task.get_name(), exc_info=task.exception())
            self.broken.set()

    # -- the broker and the telephone ----------------------------------------------------------------------------------

    def _on_message(self, incoming: Incoming) -> None:
        try:
            message = STATION_MESSAGE.validate_json(incoming.payload)
        except ValidationError as error:
            # It would come back for ever; the line's outbox row is still there if it was one of its messages.
            metrics.UNREADABLE.labels("broker").inc()
            self._log.error("message unreadable", why=str(error), bytes=len(incoming.payload))
            incoming.ack()
            return
        self.inbox.take(message, "broker", incoming.ack)

    def _tell_taken(self, message_id: UUID) -> None:
        try:
            self._link.publish(topics.TO_LINE, Taken(message_id=message_id).model_dump_json().encode(), qos=1)
        except LinkError as error:
            self._log.warning("taken not told", why=str(error))

    async def _hear(self) -> None:
        async for event in self._voice.events():
            try:
                if not self._canary.heard(event):
                    self.switchboard.heard(event)
            except Exception:  # noqa: BLE001  one failure must not stop the others
                self._log.exception("a report of the telephone failed", event=event.type)

    def _telephone_changed(self, connected: bool) -> None:
        if connected:
            self.switchboard.line_back()
