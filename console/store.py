"""The console's three ways to the database: one that cannot write, one for ``requests`` alone, and one for the console's own tables.

Knows no table. Whatever goes wrong on the way is one error, :class:`DatabaseAway`, because for whoever asks it is one fact.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, LiteralString

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from console.silence import answers_within
from core.errors import GasSentinelError

Row = dict[str, Any]
_Pool = AsyncConnectionPool[psycopg.AsyncConnection[DictRow]]

_WAIT_SECONDS = 2.0
# Longer than a statement may take there: a server that answers says so itself.
_ANSWER_SECONDS = 7.0
_AWAY = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, TooManyRequests)


class DatabaseAway(GasSentinelError):  # noqa: N818  said as people say it
    """The database did not answer in time, or not at all."""


class Store:
    """Three small pools. Reads run in sessions that PostgreSQL itself holds read-only."""

    def __init__(self, dsn: str) -> None:
        self._reads = _pool(dsn, "reads", 6, "-c default_transaction_read_only=on -c statement_timeout=5000")
        self._writes = _pool(dsn, "requests", 2, "-c statement_timeout=5000")
        # Apart from the reads: a desk that lists a city must not keep anybody from signing in.
        self._own = _pool(dsn, "own", 3, "-c statement_timeout=5000 -c lock_timeout=2000")
        self.dsn = dsn

    async def start(self) -> None:
        """Open the pools. Does not wait for the database: the console also starts while it is away."""
        await self._reads.open(wait=False)
        await self._writes.open(wait=False)
        await self._own.open(wait=False)

    async def stop(self) -> None:
        """Close every connection."""
        await self._reads.close()
        await self._writes.close()
        await self._own.close()

    async def rows(self, sql: LiteralString, values: Mapping[str, Any] | None = None) -> list[Row]:
        """All rows of a read. Raises DatabaseAway."""
        async with _borrowed(self._reads) as connection:
            return await (await connection.execute(sql, values)).fetchall()

    async def row(self, sql: LiteralString, values: Mapping[str, Any] | None = None) -> Row | None:
        """The first row of a read, or None. Raises DatabaseAway."""
        async with _borrowed(self._reads) as connection:
            return await (await connection.execute(sql, values)).fetchone()

    async def insert(self, sql: LiteralString, values: Mapping[str, Any]) -> None:
        """One INSERT INTO requests. Raises DatabaseAway."""
        async with _borrowed(self._writes) as connection:
            await connection.execute(sql, values)

    async def own(self, sql: LiteralString, values: Mapping[str, Any] | None = None) -> list[Row]:
        """One statement on the console's own tables (users, sessions, remarks, hand-overs ...); gives the rows that it returns.

        The stations' tables are theirs: whoever wants something of them puts a request. Raises DatabaseAway.
        """
        async with _borrowed(self._own) as connection:
            cursor = await connection.execute(sql, values)
            return await cursor.fetchall() if cursor.description is not None else []


def _pool(dsn: str, name: str, size: int, options: str) -> _Pool:
    return AsyncConnectionPool(
        dsn,
        # Statements carry optional filters: a generic plan of a prepared one would scan whole tables.
        kwargs={"autocommit": True, "row_factory": dict_row, "prepare_threshold": None, "options": options, "connect_timeout": 2},
        min_size=1,
        max_size=size,
        max_waiting=64,
        timeout=_WAIT_SECONDS,
        # The pool's own retries grow to minutes; given up at once, the next reader tries again by itself.
        reconnect_timeout=0.5,
        check=_check,
        name=name,
        open=False,
    )


async def _check(connection: psycopg.AsyncConnection[DictRow]) -> None:
    with answers_within(connection, _WAIT_SECONDS):
        await AsyncConnectionPool.check_connection(connection)


@asynccontextmanager
async def _borrowed(pool: _Pool) -> AsyncIterator[psycopg.AsyncConnection[DictRow]]:
    try:
        async with pool.connection() as connection:
            with answers_within(connection, _ANSWER_SECONDS):
                yield connection
    except _AWAY as error:
        raise DatabaseAway(str(error).splitlines()[0] if str(error) else type(error).__name__) from error
