"""Making the TCP (or TLS) connection to the broker. Decides the socket's options; knows no MQTT."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

_P = TypeVar("_P", bound=asyncio.Protocol)


async def dial(host: str, port: int, tls: ssl.SSLContext | None, make: Callable[[socket.socket], _P]) -> _P:
    """Try every address of the host. ``make`` builds the protocol around the socket. Raises OSError with the last reason."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    error = OSError(f"no address for {host}")
    for family, kind, number, _, address in found:
        sock = socket.socket(family, kind, number)
        try:
            sock.setblocking(False)
            # Without it a command waits up to 40 ms for company.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(sock, address)
            _, protocol = await loop.create_connection(
                lambda sock=sock: make(sock), sock=sock, ssl=tls, server_hostname=host if tls else None
            )
        except OSError as refused:
            sock.close()
            error = refused
        except BaseException:
            sock.close()
            raise
        else:
            return protocol
    raise error
