"""SIP messages as far as an exchange needs them. Pure: bytes in, bytes out; knows no socket.

The exchange is a stateless proxy (RFC 3261 section 16.11) on loopback: requests to a number go on to the phones, answers
find their way back by their Via. What it answers itself it answers like a user agent server.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Final

_COMPACT: Final = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length"}
_CONNECTION: Final = re.compile(rb"(?m)^(c=IN IP4 )[^\r\n]*")
_USER = re.compile(r"^[A-Z]+ sips?:([^@;>\s]+)@([^;:>\s]+)")


@dataclass(frozen=True, slots=True)
class Message:
    """One request or answer. ``headers`` in their order."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def method(self) -> str:
        """The request's method, or that of the request which is answered."""
        return (self.value("cseq") or "").rpartition(" ")[2]

    @property
    def is_answer(self) -> bool:
        return self.start.startswith("SIP/2.0 ")

    @property
    def number(self) -> str | None:
        """The user part of the request's address."""
        found = _USER.match(self.start)
        return found[1] if found else None

    def value(self, name: str) -> str | None:
        """The first header of that name (lower case)."""
        return next((value for key, value in self.headers if _canonical(key) == name), None)

    def encode(self) -> bytes:
        lines = [self.start, *(f"{key}: {value}" for key, value in self.headers)]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


def decode(data: bytes) -> Message | None:
    """Read a datagram; None when it is no SIP message."""
    head, mark, body = data.partition(b"\r\n\r\n")
    if not mark:
        return None
    try:
        start, *rest = head.decode().split("\r\n")
    except UnicodeDecodeError:
        return None
    headers = tuple((key.strip(), value.strip()) for key, colon, value in (line.partition(":") for line in rest) if colon)
    message = Message(start, headers, body)
    return message if message.value("via") and message.value("cseq") else None


def onward(request: Message, source: tuple[str, int], own: tuple[str, int], extra: tuple[tuple[str, str], ...] = ()) -> Message:
    """The request as it goes on from ``own``: our Via on top, the sender's true address in his, our Route gone."""
    host, port = own
    branch = hashlib.blake2s((request.value("via") or "").encode(), digest_size=10).hexdigest()
    headers: list[tuple[str, str]] = [("Via", f"SIP/2.0/UDP {host}:{port};branch=z9hG4bK{branch}")]
    seen_via = False
    for key, value in request.headers:
        name = _canonical(key)
        if name == "via" and not seen_via:
            seen_via = True
            plain = re.sub(r";rport(=\d+)?|;received=[^;]*", "", value)
            headers.append((key, f"{plain};received={source[0]};rport={source[1]}"))
        elif name == "route" and f"{host}:{port}" in value:
            continue
        elif name == "max-forwards":
            headers.append((key, str(int(value) - 1)))
        else:
            headers.append((key, value))
    return replace(request, headers=(*headers, *extra))


def with_media_at(request: Message, host: str) -> Message:
    """The request with its sound (SDP ``c=``) to be sent to ``host``.

    A caller that has a real trunk too speaks from the machine's outer address; phones on loopback know only loopback, on which every
    socket of this machine can be reached as well.
    """
    body = _CONNECTION.sub(rb"\g<1>" + host.encode(), request.body)
    headers = tuple((key, str(len(body))) if _canonical(key) == "content-length" else (key, value) for key, value in request.headers)
    return replace(request, headers=headers, body=body)


def backward(answer: Message) -> tuple[Message, tuple[str, int]] | None:
    """An answer without our Via, and where it goes; None when it is not on its way through us."""
    headers = list(answer.headers)
    first = next((at for at, (key, _) in enumerate(headers) if _canonical(key) == "via"), None)
    if first is None:
        return None
    del headers[first]
    rest = replace(answer, headers=tuple(headers))
    via = rest.value("via") or ""
    host, port = re.search(r";received=([^;\s]+)", via), re.search(r";rport=(\d+)", via)
    if host is None or port is None:
        return None
    return rest, (host[1], int(port[1]))


def answer(request: Message, code: int, phrase: str, cause: int | None = None) -> Message:
    """The exchange's own answer; ``cause`` (Q.850) goes into a Reason header."""
    headers = [(key, value) for key, value in request.headers if _canonical(key) in ("via", "from", "call-id", "cseq")]
    to = request.value("to") or ""
    tag = hashlib.blake2s((request.value("call-id") or "").encode(), digest_size=6).hexdigest()
    headers.append(("To", to if ";tag=" in to else f"{to};tag={tag}"))
    if cause is not None:
        headers.append(("Reason", f"Q.850;cause={cause}"))
    headers.append(("Content-Length", "0"))
    return Message(f"SIP/2.0 {code} {phrase}", tuple(headers), b"")


def _canonical(key: str) -> str:
    lowered = key.lower()
    return _COMPACT.get(lowered, lowered)
