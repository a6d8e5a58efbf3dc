"""One MQTT 3.1.1 CONNECT over a plain or TLS socket: does the broker let this account in? Knows no topic."""

import contextlib
import secrets
import socket
import ssl
from typing import Final

ACCEPTED: Final = 0
NO_ANSWER: Final = -1


def connect_code(
    host: str,
    port: int,
    username: str = "",
    password: str = "",
    *,
    timeout: float = 2.0,
    session: str = "",
    tls: ssl.SSLContext | None = None,
) -> int:
    """The broker's return code of a CONNECT (0 = accepted, 4 or 5 = refused); -1 when it is not there or says nothing.

    ``session`` is the client id of a kept session to take up; without it the visitor leaves no trace.
    """
    body = bytearray(b"\x00\x04MQTT\x04")
    body.append((0 if session else 0x02) | (0xC0 if username else 0))
    body += b"\x00\x05"
    for text in (session or f"probe-{secrets.token_hex(4)}", *((username, password) if username else ())):
        raw = text.encode()
        body += len(raw).to_bytes(2, "big") + raw
    try:
        with contextlib.ExitStack() as stack:
            link = stack.enter_context(socket.create_connection((host, port), timeout))
            if tls is not None:
                link = stack.enter_context(tls.wrap_socket(link, server_hostname=host))
            link.sendall(b"\x10" + bytes(_length(len(body))) + bytes(body))
            answer = b""
            while len(answer) < 4:
                part = link.recv(4 - len(answer))
                if not part:
                    return NO_ANSWER
                answer += part
            link.sendall(b"\xe0\x00")
    except OSError:
        return NO_ANSWER
    return answer[3] if answer[0] == 0x20 else NO_ANSWER


def _length(count: int) -> list[int]:
    encoded = []
    while True:
        count, low = divmod(count, 128)
        encoded.append(low | (0x80 if count else 0))
        if not count:
            return encoded
