"""Dispatch's door to PostgreSQL: lanes of one connection each, so that recording calls never stands in front of making an order.

A lane connects when it is used and again after a loss. Knows no table. A lost connection is told apart from a statement that was wrong:
the first delays work, the second would come back for ever.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import psycopg
import structlog
from psycopg.rows import DictRow, dict_row

Connection = psycopg.AsyncConnection[DictRow]
T = TypeVar("T")

_ANSWER_S: Final = 15.0
"""Real seconds after which a silent server counts as lost."""
_FIRST_PAUSE_S: Final = 0.1
_LAST_PAUSE_S: Final = 2.0
_OPTIONS: Final = "-c statement_timeout=10000 -c idle_in_transaction_session_timeout=20000 -c application_name=dispatch"


class DatabaseAway(Exception):  # noqa: N818  a state of the world, not a fault of ours
    """The database could not be reached, or was lost under way. Whether the last transaction was committed is not known."""


async def connect(dsn: str) -> Connection:
    """A fresh autocommit connection. Raises DatabaseAway."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            return await psycopg.AsyncConnection.connect(dsn, autocommit=True, row_factory=dict_row, connect_timeout=3, options=_OPTIONS)
    except (psycopg.OperationalError, OSError, TimeoutError) as error:
        raise DatabaseAway(str(error)) from error


class Lane:
    """One connection, used by one piece of work at a time."""

    def __init__(self, dsn: str, name: str) -> None:
        self._dsn = dsn
        self.name = name
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()
        self.up: bool | None = None
        """Whether the last use found the database; None before the first."""

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do ``work`` in one transaction. Raises DatabaseAway; errors of the statements themselves pass through."""
        async with self._turn:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = await connect(self._dsn)
                async with asyncio.timeout(_ANSWER_S):
                    async with self._connection.transaction():
                        result = await work(self._connection)
            except DatabaseAway:
                self.up = False
                raise
            except (psycopg.OperationalError, psycopg.InterfaceError, TimeoutError, OSError) as error:
                if isinstance(error, psycopg.Error) and not _lost(error, self._connection):
                    self.up = True
                    raise
                self.up = False
                await self._let_go()
                raise DatabaseAway(str(error)) from error
            except BaseException:
                # Cancelled or refused inside: a connection whose transaction was cut off is not used again.
                if self._connection is not None and self._connection.broken:
                    await self._let_go()
                raise
            self.up = True
            return result

    async def until_done(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Like ``run``, tried again with growing pauses for as long as the database is away."""
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return await self.run(work)
            except DatabaseAway as away:
                structlog.get_logger().warning("database away", lane=self.name, why=str(away).strip())
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LAST_PAUSE_S)

    async def open(self) -> None:
        """Connect ahead of the first work, so that an alarm does not wait for it. Returns once connected."""

        async def look(connection: Connection) -> None:
            await connection.execute("SELECT 1")

        await self.until_done(look)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        async with self._turn:
            await self._let_go()

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


_RETRIED: Final = frozenset({"40001", "40P01", "57014", "55P03", "53300", "53400"})
"""Serialisation, deadlock, cancelled, lock and connection limits: nothing is wrong with the statement."""


def _lost(error: psycopg.Error, connection: Any) -> bool:
    state = error.sqlstate
    if state is None or state.startswith(("08", "57P")) or state in _RETRIED:
        return True
    return connection is None or connection.closed
