"""Wakes who waits for a row: LISTEN on the database, and a look every so often all the same.

A notice carries no content; whoever is woken reads. Knows channels, no table.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import psycopg
import structlog
from psycopg import sql

from dispatch.database import DatabaseAway, connect

_PAUSE_S: Final = 1.0


async def listen(dsn: str, channels: Mapping[str, asyncio.Event]) -> None:
    """Set the event of a channel at each of its notices, for ever. After a reconnect all are set: notices may have been missed."""
    while True:
        try:
            connection = await connect(dsn)
        except DatabaseAway:
            await asyncio.sleep(_PAUSE_S)
            continue
        try:
            for channel in channels:
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            for event in channels.values():
                event.set()
            async for notice in connection.notifies():
                channels[notice.channel].set()
        except (psycopg.Error, OSError) as error:
            structlog.get_logger().warning("listening lost", why=str(error).strip())
            await asyncio.sleep(_PAUSE_S)
        finally:
            await connection.close()


async def look_when_woken(woken: asyncio.Event, every_s: float, look: Callable[[], Awaitable[object]], name: str) -> None:
    """``look`` at each wake-up and at least every ``every_s`` real seconds, for ever. A failed look is logged and tried again."""
    while True:
        woken.clear()
        try:
            await look()
        except DatabaseAway:
            pass  # the lane has said so; the next look finds it back
        except Exception:  # noqa: BLE001  one failure must not stop the others
            structlog.get_logger().exception("a look failed", what=name)
        try:
            async with asyncio.timeout(every_s):
                await woken.wait()
        except TimeoutError:
            continue
