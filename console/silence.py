"""A database that keeps the connection and says nothing: the connection is cut on this side, and whoever waits for it goes on at once."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

import psycopg


@contextlib.contextmanager
def answers_within(connection: psycopg.AsyncConnection[Any], seconds: float) -> Iterator[None]:
    """Cut ``connection`` where what is asked of it meanwhile takes longer. Whoever waits for it gets ``OperationalError``.

    Giving up the wait alone would not do: psycopg then asks the same silent server to stop, and waits for that.
    """
    timer = asyncio.get_running_loop().call_later(seconds, _cut, connection)
    try:
        yield
    finally:
        timer.cancel()


def _cut(connection: psycopg.AsyncConnection[Any]) -> None:
    # Both fail where it is lost already, and then its waiter knows.
    with contextlib.suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
