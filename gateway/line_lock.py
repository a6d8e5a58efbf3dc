"""There is one line. Whoever comes second says so in one line and ends.

A lock on the folder of state, always; and, where the database is, an advisory lock in it, held by a connection of its own. A database
that goes away takes nothing from the line that runs; one that comes back with the lock in another hand does.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import socket
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg
import structlog

from core.errors import UserError

log = structlog.get_logger()

_KEY: Final = 0x6753_4C69_6E65  # the same for every line, one a database
_END_GHOST: Final = """
SELECT pg_terminate_backend(a.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.classid::bigint = %(high)s AND l.objid::bigint = %(low)s AND l.granted
  AND a.application_name = %(name)s AND a.pid <> pg_backend_pid()
"""
_LOOK_S: Final = 1.0
_ANSWER_S: Final = 5.0
_LEFTOVER_S: Final = 3.0
_RETRY_S: Final = 0.1

Connection = psycopg.AsyncConnection[Any]


class LineLock:
    """Both locks of this line. ``folder`` None: there is no state on disk to protect."""

    def __init__(self, dsn: str, folder: Path | None) -> None:
        self._dsn, self._folder = dsn, folder
        self._file: int | None = None
        place = f"{socket.gethostname()} {folder.absolute()}" if folder is not None else str(uuid4())
        self._name = f"gas-sentinel line {hashlib.sha256(place.encode()).hexdigest()[:16]}"
        self._connection: Connection | None = None

    def take_folder(self) -> None:
        """Raises UserError when another line has the folder. A disk that cannot even be locked is the journal's trouble, not the end."""
        if self._folder is None:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            log.error("the folder of the line's state cannot be used", folder=str(self._folder), error=str(error))
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 32).decode(errors="replace").strip()
            os.close(lock)
            raise UserError(
                f"已有一条监测主线（进程 {holder}）在使用 {self._folder}：不能同时运行两条",
                f"another line (process {holder}) runs on {self._folder}: there can be only one",
            ) from None
        except OSError as error:
            log.error("the folder of the line's state cannot be locked", folder=str(self._folder), error=str(error))
        else:
            with contextlib.suppress(OSError):
                os.ftruncate(lock, 0)
                os.write(lock, f"{os.getpid()}\n".encode())
        self._file = lock

    async def take_database(self) -> None:
        """Raises UserError when another line holds the database, psycopg errors when it is away.

        A line that was killed lets go when the database notices; that is waited for, shortly. A session of our own earlier life or lost
        connection, which a broken network may keep alive for hours, is ended: with the folder's lock in our hand nobody else has its name.
        """
        if self._connection is not None and not self._connection.closed:
            # Taken by an attempt that failed later on.
            async with asyncio.timeout(_ANSWER_S):
                await self._connection.execute("SELECT 1")
            return
        connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=2, application_name=self._name)
        deadline = asyncio.get_running_loop().time() + _LEFTOVER_S
        try:
            while not await self._try(connection):
                if self._file is not None or self._folder is None:
                    ghost = {"high": _KEY >> 32, "low": _KEY & 0xFFFF_FFFF, "name": self._name}
                    await connection.execute(_END_GHOST, ghost)
                if asyncio.get_running_loop().time() > deadline:
                    raise UserError(
                        "已有另一条监测主线连接着这个数据库：不能同时运行两条，本进程退出",
                        "another line holds this database: there can be only one, this one ends",
                    )
                await asyncio.sleep(_RETRY_S)
        except BaseException:
            await connection.close()
            raise
        self._connection = connection

    async def run(self) -> None:
        """Keep the database's lock, taking it again after every loss; raises UserError when another has it. Call when it was taken."""
        while True:
            try:
                if self._connection is None or self._connection.closed:
                    await self.take_database()
                    log.info("the lock of the line is held again")
                assert self._connection is not None  # noqa: S101  taken above
                async with asyncio.timeout(_ANSWER_S):
                    await self._connection.execute("SELECT 1")
            except (psycopg.Error, TimeoutError):
                await self._drop()
                await asyncio.sleep(_RETRY_S * 5)
                continue
            await asyncio.sleep(_LOOK_S)

    async def release(self) -> None:
        """Let go of both."""
        await self._drop()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    async def _try(self, connection: Connection) -> bool:
        async with asyncio.timeout(_ANSWER_S):
            cursor = await connection.execute("SELECT pg_try_advisory_lock(%s::bigint)", (_KEY,))
            row = await cursor.fetchone()
        return row is not None and bool(row[0])

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
