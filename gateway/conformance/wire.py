"""A wire between device and broker that is looked at and can be cut. Decides nothing about what passes; it only reads CONNECT.

The vendor's device connects here instead of to the broker, so that what it says when it connects can be seen, and its connection
cut without a word, as a radio does.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass

from core.door import close_door
from gateway.conformance.connect import Connect, complete, read_connect

_LONGEST_CONNECT = 256 * 1024
_PIECE = 65_536


@dataclass(frozen=True, slots=True)
class Seen:
    """One connection: when (monotonic seconds), and its CONNECT, or why that could not be read."""

    at: float
    connect: Connect | None
    problem: str = ""


class Wire:
    """Listens, and hands every byte on to the broker and back."""

    def __init__(self, broker_host: str, broker_port: int) -> None:
        self._broker = (broker_host, broker_port)
        self.seen: list[Seen] = []
        self.port = 0
        self._host = ""
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._passages: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> None:
        """Listen on ``host``; port 0 is a free one. Raises OSError where it cannot."""
        self._server = await asyncio.start_server(self._arrived, host, port)
        self._host, self.port = host, self._server.sockets[0].getsockname()[1]

    async def keep_out(self) -> None:
        """End every connection without a goodbye; nobody listens until :meth:`let_in`."""
        server, self._server = self._server, None
        if server is not None:
            await close_door(server)
        self.cut()

    def cut(self) -> None:
        """End every connection without a goodbye."""
        for writer in list(self._open):
            writer.transport.abort()

    async def let_in(self) -> None:
        """Listen again, where it did before. Raises OSError where that was taken meanwhile."""
        if self._server is None:
            await self.start(self._host, self.port)

    async def stop(self) -> None:
        """Close everything; whoever waits for bytes finds the end of them."""
        await self.keep_out()
        await asyncio.gather(*self._passages, return_exceptions=True)

    async def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._passages.add(task)
            task.add_done_callback(self._passages.discard)
        self._open.add(writer)
        try:
            with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError):
                await self._pass(reader, writer)
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = b""
        while not complete(first):
            piece = await reader.read(_PIECE)
            if not piece or len(first) > _LONGEST_CONNECT:
                return
            first += piece
        try:
            self.seen.append(Seen(time.monotonic(), read_connect(first)))
        except ValueError as error:
            self.seen.append(Seen(time.monotonic(), None, str(error)))
        onward, outward = await asyncio.open_connection(*self._broker)
        self._open.add(outward)
        try:
            outward.write(first)
            passages = [asyncio.ensure_future(_hand_on(reader, outward)), asyncio.ensure_future(_hand_on(onward, writer))]
            try:
                await asyncio.wait(passages, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in passages:
                    each.cancel()
                await asyncio.gather(*passages, return_exceptions=True)
        finally:
            self._open.discard(outward)
            if writer.transport.is_closing() and not writer.transport.get_write_buffer_size():
                outward.transport.abort()
            else:
                outward.close()


async def _hand_on(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    while piece := await source.read(_PIECE):
        to.write(piece)
        await to.drain()
