"""The line's own start, keeper, journal, ledger and snapshot between a played disk and a played database, on a loop whose time is made up.

Everything is the product's but the disk, the database's tables, the broker and the clock. Each life is one object; the next one finds
what the disk and the database kept.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

from alarm_engine.keeper import Keeper
from alarm_engine.ledger import Ledger
from alarm_engine.recovery import resume
from alarm_engine.registry_view import RegistryView
from alarm_engine.rows import Rows
from alarm_engine.settings import LineSettings
from alarm_engine.snapshot import Snapshots
from alarm_engine.state import Done
from core.journal import Journal
from gateway.knowledge import Knowledge
from gateway.line_lock import LineLock
from gateway.station import Line
from tests.alarm_engine.outside import json_rows
from tests.alarm_engine.played_database import PlayedDatabase
from tests.alarm_engine.played_disk import PlayedDisk
from tests.alarm_engine.stage import Ports

SEGMENT_BYTES = 8_000


class AtOnce(ThreadPoolExecutor):
    """A thread that is never behind: what is handed to it is done before the call returns."""

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            future.set_result(work(*given, **named))
        except Exception as error:  # noqa: BLE001  whatever it is belongs to whoever waits for it
            future.set_exception(error)
        return future


class MadeUpTime(asyncio.SelectorEventLoop):
    """When nobody has anything left to do, it is later."""

    def __init__(self) -> None:
        self._made_up = 0.0
        super().__init__()
        self.set_default_executor(AtOnce(1))

    def time(self) -> float:
        return self._made_up

    def _run_once(self) -> None:
        loop: Any = self  # its queues are the standard loop's own, and nothing public leads to them
        if not loop._ready and loop._scheduled:
            self._made_up = max(self._made_up, loop._scheduled[0].when())
        super()._run_once()  # type: ignore[misc]  # the same


class NoLock(LineLock):
    """There is one line in this world."""

    def __init__(self) -> None:
        super().__init__("", None)

    async def take_database(self) -> None:
        return


class RecordedKeeper(Keeper):
    """The keeper; every bundle that it is given is written down, and how far what it has promised reaches."""

    def __init__(self, ledger: Ledger, journal: Journal, ports: Ports) -> None:
        super().__init__(ledger, journal)
        self._ports = ports
        self.told: set[int] = set()
        self.left: list[Rows] = []
        self.written_anew = False
        """Since this was last set to False, the log was replaced by what the database lacks."""

    def open(self) -> list[tuple[int, Rows]]:
        found = super().open()
        self.left = [json_rows(rows) for _, rows in found]
        return found

    async def _rewrite(self) -> None:
        await super()._rewrite()
        self.written_anew = True

    def put(self, rows: Rows, done: Done | None = None, alarm_received_ms: int | None = None) -> None:
        self._ports.log.append("put")
        self._ports.written.append(json_rows(rows))
        number = len(self._ports.written)

        def told() -> None:
            self.told.add(number)
            if done is not None:
                done()

        super().put(rows, told, alarm_received_ms)


class PlayedKnowledge(Knowledge):
    """What the line knows, with a database that is played."""

    world: RegistryView
    database: PlayedDatabase

    async def connect(self) -> Any:
        return self.database.connect()

    async def load_registry(self, connection: Any) -> None:
        self._state.registry.take_over(self.world.copy())


class PlayedLine(Line):
    """One life of the line."""

    def __init__(
        self, world: RegistryView, database: PlayedDatabase, disk: PlayedDisk, folder: Path, ports: Ports, max_bytes: int = 2_000_000
    ) -> None:
        super().__init__(LineSettings(), ports.clock)
        self.journal = Journal(folder, "decisions", max_bytes, segment_bytes=SEGMENT_BYTES, disk=disk)
        self.journal._thread = AtOnce(1)
        self.recorder = RecordedKeeper(self.ledger, self.journal, ports)
        self.keeper = self.state.keeper = self.recorder
        self.state.down = ports
        self.snapshots = Snapshots(folder, self.state, self.keeper.position, dict[UUID, bytes])
        saved = self.snapshots
        self.keeper.pictured = lambda: saved.number
        self.knowledge: PlayedKnowledge = PlayedKnowledge(
            "",
            self.state,
            self.engine,
            self.keeper,
            self.ledger,
            self.snapshots,
            self.conditions,
            NoLock(),
        )
        self.knowledge.world, self.knowledge.database = world, database
        setattr(self.ledger, "_connected", self.knowledge.connect)  # noqa: B010  the one place where a connection is made
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def alone(self) -> bool:
        """Whether it started without the database."""
        return self.knowledge.alone

    async def start(self) -> None:
        """As the line starts, but for the lanes."""
        self._stopping = asyncio.create_task(asyncio.Event().wait())
        words = await self.knowledge.know(self._stopping, self._tasks)
        assert words is not None
        self.words = words

    def resume(self) -> None:
        resume(self.engine, self.words)

    async def die(self) -> None:
        """Nothing is drained, flushed or said."""
        tasks = (self._stopping, *self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
