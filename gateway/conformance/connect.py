"""What a client says of itself in its CONNECT packet, MQTT 3.1.1 or 5. Knows bytes; judges nothing."""

from dataclasses import dataclass
from typing import Final

from core.mqtt.frames import frame_length

_CONNECT: Final = 1
_SESSION_EXPIRY: Final = 0x11
_FOUR_BYTES: Final = frozenset({0x11, 0x18, 0x02, 0x27})
_TWO_BYTES: Final = frozenset({0x21, 0x22, 0x23, 0x13})
_ONE_BYTE: Final = frozenset({0x17, 0x19, 0x01, 0x24, 0x25, 0x28, 0x29, 0x2A})
_TEXT: Final = frozenset({0x15, 0x16, 0x03, 0x08, 0x09, 0x12, 0x1A, 0x1C, 0x1F})


@dataclass(frozen=True, slots=True)
class LastWill:
    """The message that the broker publishes for a client that is gone."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


@dataclass(frozen=True, slots=True)
class Connect:
    """One CONNECT. ``version`` is 4 for MQTT 3.1.1 and 5 for MQTT 5; ``session_expiry_s`` is None where the client names none."""

    version: int
    client_id: str
    username: str | None
    clean_start: bool
    keep_alive_s: int
    session_expiry_s: int | None
    will: LastWill | None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        part = self._data[self.at : self.at + count]
        if len(part) < count:
            raise ValueError("the packet ends too soon")
        self.at += count
        return part

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def binary(self) -> bytes:
        return self.take(self.number(2))

    def text(self) -> str:
        return self.binary().decode(errors="replace")

    def varint(self) -> int:
        value = 0
        for shift in range(0, 28, 7):
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ValueError("no variable length")

    def properties(self) -> dict[int, int]:
        """Numbers by property; texts are passed over."""
        found: dict[int, int] = {}
        length = self.varint()
        end = self.at + length
        while self.at < end:
            name = self.varint()
            if name in _FOUR_BYTES:
                found[name] = self.number(4)
            elif name in _TWO_BYTES:
                found[name] = self.number(2)
            elif name in _ONE_BYTE:
                found[name] = self.number(1)
            elif name in _TEXT:
                self.binary()
            elif name == 0x26:
                self.binary()
                self.binary()
            else:
                raise ValueError(f"no such property: {name}")
        return found


def complete(buffer: bytes) -> bool:
    """Whether the first packet in ``buffer`` is there as a whole. Raises ValueError when it cannot be an MQTT packet."""
    length = frame_length(memoryview(buffer))
    return length is not None and len(buffer) >= length


def read_connect(buffer: bytes) -> Connect:
    """The CONNECT packet at the start of ``buffer``. Raises ValueError when it is none."""
    if not buffer or buffer[0] >> 4 != _CONNECT:
        raise ValueError("the first packet is no CONNECT")
    reader = _Reader(buffer)
    reader.take(1)
    reader.varint()
    protocol, version, flags, keep_alive_s = reader.text(), reader.number(1), reader.number(1), reader.number(2)
    if protocol not in ("MQTT", "MQIsdp"):
        raise ValueError(f"no MQTT: {protocol}")
    expiry = reader.properties().get(_SESSION_EXPIRY) if version == 5 else None
    client_id = reader.text()
    will = None
    if flags & 0x04:
        if version == 5:
            reader.properties()
        topic, payload = reader.text(), reader.binary()
        will = LastWill(topic, payload, (flags >> 3) & 0x03, bool(flags & 0x20))
    username = reader.text() if flags & 0x80 else None
    return Connect(version, client_id, username, bool(flags & 0x02), keep_alive_s, expiry, will)
