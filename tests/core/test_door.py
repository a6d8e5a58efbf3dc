"""Whoever knocks while a door closes is served or turned away, never left waiting."""

import asyncio
import gc
import socket
import warnings

import pytest

from core.door import close_door


@pytest.mark.parametrize("turns", range(5))
async def test_who_comes_in_as_the_door_closes_is_served(turns: int) -> None:
    served: list[asyncio.StreamWriter] = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()) as peer, warnings.catch_warnings(record=True) as lost:
        peer.settimeout(10)
        warnings.simplefilter("always", ResourceWarning)
        # The closing begins before, in and after the turn in which the connection is accepted.
        for _turn in range(turns):
            await asyncio.sleep(0)
        await close_door(server)
        known = len(served)
        try:
            end = await asyncio.to_thread(peer.recv, 1)
        except ConnectionResetError:
            end = b""
        gc.collect()
    assert end == b""
    assert len(served) == known
    assert [str(warning.message) for warning in lost] == []


async def test_nobody_new_comes_in() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    at = server.sockets[0].getsockname()
    await close_door(server)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(at)
