"""Reading many rows in pieces, so that a city does not stand in memory twice nor hold up the loop. Knows no table."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection, AsyncCursor, AsyncServerCursor


@asynccontextmanager
async def server_cursor(connection: AsyncConnection[Any], name: str, **options: Any) -> AsyncIterator[AsyncServerCursor[Any]]:
    """A cursor that the server keeps, closed in any case. psycopg leaves it open where closing it meets a lost connection."""
    opened = connection.cursor(name, **options)
    try:
        async with opened as cursor:
            yield cursor
    finally:
        if isinstance(opened, AsyncServerCursor) and not opened.closed:
            await AsyncCursor.close(opened)
