"""One connection that listens on one channel for ever. Decides when it counts as lost; refuses to know what a notice means."""

import asyncio
from collections.abc import Callable

import psycopg
from psycopg import sql
from structlog import get_logger

from console.silence import answers_within

# Together less than the 3 s within which whoever watches is to be told that nothing is heard any more.
_PROBE_SECONDS = 0.5
_ANSWER_SECONDS = 2.0
_RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0)
_log = get_logger()


class Listener:
    """Calls ``heard`` with each notice's payload, and ``state`` with True once it listens and False once it does not."""

    def __init__(self, dsn: str, channel: str, heard: Callable[[str], None], state: Callable[[bool], None]) -> None:
        self._dsn = dsn
        self._channel = channel
        self._heard = heard
        self._state = state
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen, in the background."""
        self._task = asyncio.create_task(self._run(), name=f"listen {self._channel}")

    async def stop(self) -> None:
        """Hang up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(
                    self._dsn, autocommit=True, connect_timeout=2, keepalives_idle=5, keepalives_interval=2, keepalives_count=2
                )
                async with connection:
                    with answers_within(connection, _ANSWER_SECONDS):
                        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
                    failures = 0
                    self._state(True)
                    await self._listen(connection)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if failures == 0:
                    _log.warning("not listening", channel=self._channel, reason=str(error).splitlines()[:1])
                    self._state(False)
                await asyncio.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
                failures += 1

    async def _listen(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        while True:
            async for notice in connection.notifies(timeout=_PROBE_SECONDS):
                self._heard(notice.payload)
            # A connection that nobody closed may still lead nowhere.
            with answers_within(connection, _ANSWER_SECONDS):
                await connection.execute("SELECT 1")
