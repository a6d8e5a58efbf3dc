"""Reading many rows in pieces, so that a city does not stand in memory twice nor hold up the loop. Knows no table."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection, AsyncCursor, AsyncServerCursor


@asynccontextmanager
async def server_cursor(connection: AsyncConnection[Any], name: str, **options: Any) -> AsyncIterator[AsyncServerCursor[Any]]:
    """A cursor that the server keeps, closed in any case. psycopg leaves it open where closing it meets a lost connection."""
    cursor: AsyncServerCursor[Any] = connection.cursor(name, **options)
    try:
        yield cursor
    finally:
        try:
            await cursor.close()
        except BaseException as error:
            await AsyncCursor.close(cursor)
            if not isinstance(error, psycopg.Error):
                raise
