"""The canary's telephone: a tiny SIP far end on loopback that rings and is busy, so that a call to it ends at once.

Speaks just enough of RFC 3261 over UDP for an INVITE, its ACK and whatever else a caller may send. Takes nothing from another machine
and never calls anybody.
"""

import asyncio
import ipaddress
import re
from typing import Final

HOST: Final = "127.0.0.1"

_COPIED: Final = ("Via", "From", "Call-ID", "CSeq")
_SHORT: Final = {"Via": "v", "From": "f", "Call-ID": "i", "To": "t"}


class Sink(asyncio.DatagramProtocol):
    """One telephone. ``start``, then ``stop``."""

    def __init__(self) -> None:
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> str:
        """Listen on a free loopback port; returns host:port. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(HOST, 0))
        host, port = self._transport.get_extra_info("sockname")
        return f"{host}:{port}"

    def stop(self) -> None:
        """Listen no more."""
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a request; an ACK, a response and what is no SIP are left alone."""
        if self._transport is None or not ipaddress.ip_address(addr[0]).is_loopback:
            return
        for answer in answers(data):
            self._transport.sendto(answer, addr)


def answers(request: bytes) -> list[bytes]:
    """What the telephone says to a request."""
    text = request.decode("utf-8", "replace")
    method = text.partition(" ")[0]
    if not text.partition("\r\n")[0].endswith("SIP/2.0") or method == "ACK":
        return []
    statuses = ("180 Ringing", "486 Busy Here") if method == "INVITE" else ("200 OK",)
    return [_answer(text, status) for status in statuses]


def _answer(request: str, status: str) -> bytes:
    lines = [f"SIP/2.0 {status}"]
    for name in _COPIED:
        lines += [f"{name}: {value}" for value in _values(request, name)]
    to = next(iter(_values(request, "To")), "<sip:canary@sim.invalid>")
    lines.append(f"To: {to}" if ";tag=" in to else f"To: {to};tag=canary")
    return ("\r\n".join([*lines, "Content-Length: 0"]) + "\r\n\r\n").encode()


def _values(request: str, name: str) -> list[str]:
    head = request.partition("\r\n\r\n")[0]
    names = f"{name}|{_SHORT[name]}" if name in _SHORT else name
    return re.findall(rf"(?im)^(?:{names})\s*:\s*(.*?)\s*$", head)
