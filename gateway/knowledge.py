"""What the line knows before it decides: from the database, or from its own snapshot and journal where the database is away.

The database that comes later is met before anything is written to it, and what it knew is taken in. The registry is read here, at the
start and whenever it changed.
"""

import asyncio
from collections.abc import Iterator
from typing import Any, TypeVar
from uuid import UUID

import psycopg
import structlog
from psycopg.rows import dict_row

from alarm_engine import metrics
from alarm_engine.aliases import Stored, rename, settle
from alarm_engine.conditions import CONDITIONS_IN_FORCE, Conditions
from alarm_engine.engine import Engine
from alarm_engine.keeper import Keeper
from alarm_engine.ledger import Ledger
from alarm_engine.picture import Picture
from alarm_engine.record import alias_row
from alarm_engine.recovery import reconcile, recover, restore, stored
from alarm_engine.registry_view import RegistryView
from alarm_engine.rows import Rows
from alarm_engine.snapshot import Snapshots
from alarm_engine.state import LineState
from core import collector
from core.registry.reading import load_registry
from gateway.line_lock import LineLock

log = structlog.get_logger()

_PIECE = 1_000
_FIRST_LOOK_S = 2.0
_REPLAY_S = 60.0
_REASON = "opened_without_database"
JOURNAL_POSITION = "SELECT position FROM line_journal WHERE identity = %(journal)s"
FORMER_JOURNALS = "DELETE FROM line_journal WHERE identity <> %(journal)s"
_Row = TypeVar("_Row")


class Knowledge:
    """Brings the line's state up to what is known. ``met``: the database is ours, and what it knows is known."""

    def __init__(
        self,
        dsn: str,
        state: LineState,
        engine: Engine,
        keeper: Keeper,
        ledger: Ledger,
        snapshots: Snapshots | None,
        conditions: Conditions,
        lock: LineLock,
    ) -> None:
        self._dsn, self._state, self._engine = dsn, state, engine
        self._keeper, self._ledger, self._snapshots = keeper, ledger, snapshots
        self._conditions, self._lock = conditions, lock
        self.met = asyncio.Event()
        self.alone = False
        """The line started without the database."""

    async def know(self, stopping: "asyncio.Task[bool]", tasks: list["asyncio.Task[None]"]) -> list[dict[str, Any]] | None:
        """Know what there is to know: from the database, or from our own files where it does not answer at once. None: told to stop.

        Returns what dispatch has to be told again.
        """
        left = await asyncio.to_thread(self._keeper.open)
        saved = self._snapshots
        picture = None if saved is None else await asyncio.to_thread(saved.read_picture)
        self._ledger.prepare = self._meet_database
        tasks += [asyncio.create_task(self._ledger.run()), asyncio.create_task(self._keeper.run())]
        met = asyncio.create_task(self.met.wait())
        registry = None
        if saved is not None and saved.has_registry:
            await asyncio.wait([met, stopping, tasks[0]], timeout=_FIRST_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            if not (self.met.is_set() or stopping.done() or tasks[0].done()):
                registry = await asyncio.to_thread(saved.read_registry)
        if registry is None:
            # Without a registry there is nobody whom a leak could be placed with.
            await asyncio.wait([met, stopping, tasks[0]], return_when=asyncio.FIRST_COMPLETED)
        met.cancel()
        if tasks[0].done():
            tasks[0].result()
        if stopping.done():
            return None
        if self.met.is_set():
            await self._from_database(picture)
            return []
        assert registry is not None  # noqa: S101  else we had waited
        return self._from_own_files(registry, picture or Picture(), left)

    async def _from_database(self, picture: Picture | None) -> None:
        # What the journal holds beyond the database is written first; then the database is the whole truth.
        if not await self._ledger.drain(_REPLAY_S):
            raise ConnectionError("the database went away while the line started")
        async with await self.connect() as connection:
            await self.load_registry(connection)
            found = await recover(self._engine, connection, picture)
            await self._take_conditions(connection)
        log.info("line starts", homes=len(self._state.registry.homes), devices=len(self._state.registry.devices), open_incidents=found)

    def _from_own_files(self, registry: RegistryView, picture: Picture, left: list[tuple[int, Rows]]) -> list[dict[str, Any]]:
        self.alone = True
        self._state.registry.take_over(registry)
        metrics.registry_version.set(registry.version)
        behind = picture.number if picture.identity == str(self._keeper.identity) else 0
        for number, rows in left:
            if number > behind:
                picture.fold(rows)
        found = restore(self._engine, picture)
        log.warning("line starts without the database", homes=len(self._state.registry.homes), open_incidents=found, journal=len(left))
        return list(picture.words.values())

    async def _meet_database(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """The first connection to the database, before anything is written to it."""
        await self._lock.take_database()
        row = await (await connection.execute(JOURNAL_POSITION, {"journal": self._keeper.identity})).fetchone()
        await connection.execute(FORMER_JOURNALS, {"journal": self._keeper.identity})
        self._keeper.met(0 if row is None else row[0])
        known = await stored(connection)
        if self.alone:
            await self.load_registry(connection)
            renamed = await reconcile(self._engine, connection, self._waiting)
            self._rename(dict(renamed), known)
            await self._take_conditions(connection)
            log.info("the database is back: what it knew is taken in", aliases=len(renamed), open_incidents=len(self._state.incidents))
        # An earlier life may have opened, without the database, what it did not know to be open; what it wrote down waits.
        self._rename(settle(self._waiting(), known), known)
        self.met.set()

    def _waiting(self) -> list[Rows]:
        return [entry.rows for entry in self._ledger.waiting]

    def _rename(self, renamed: dict[UUID, UUID], known: Stored) -> None:
        """Let what waits belong to the incident that the database has, and have the other id written down as its alias."""
        if not renamed:
            return
        for rows in self._waiting():
            rename(rows, renamed, known)
        at_ms = self._state.clock.now_ms()
        fresh = {alias: key for alias, key in renamed.items() if alias not in known.aliases}
        if fresh:
            self._keeper.put(Rows(aliases=[alias_row(alias, key, at_ms, _REASON) for alias, key in fresh.items()]))
        self._keeper.renew()

    async def load_registry(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Take what changed in the registry since the version that is known."""
        rows = await load_registry(connection, self._state.registry.version)
        if rows.version > self._state.registry.version:
            # A city in one go would stop the loop for a second; in pieces no leak waits for it.
            fresh = self._state.registry.copy()
            with collector.paused(rows.homes):
                for homes in _pieces(rows.homes):
                    fresh.apply(homes, (), rows.version)
                    await asyncio.sleep(0)
                for devices in _pieces(rows.devices):
                    fresh.apply((), devices, rows.version)
                    await asyncio.sleep(0)
            self._state.registry.take_over(fresh)
            metrics.registry_version.set(rows.version)

    async def connect(self) -> psycopg.AsyncConnection[Any]:
        """A connection beside the ledger's own. Raises psycopg.Error."""
        return await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=2)

    async def _take_conditions(self, connection: psycopg.AsyncConnection[Any]) -> None:
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(CONDITIONS_IN_FORCE)
            self._conditions.take(await cursor.fetchall())


def _pieces(rows: list[_Row]) -> Iterator[list[_Row]]:
    return (rows[start : start + _PIECE] for start in range(0, len(rows), _PIECE))
