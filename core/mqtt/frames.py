"""Reading by hand what the codec will not read. Decides where a packet ends and what a PUBLISH says whose strings are not UTF-8.

The codec dies (PanicException) on a string that is not UTF-8. Such a publish may still carry a leak, so it is read here with the
bad characters replaced, delivered and acknowledged like any other, instead of coming back for ever. Knows no socket.
"""

from typing import Final, NamedTuple

PUBLISH: Final = 3
PUBACK: Final = bytes((0x40, 0x02))
PINGREQ: Final = bytes((0xC0, 0x00))
_DUPLICATE: Final = 0x08


class SalvagedPublish(NamedTuple):
    """A PUBLISH without its properties. ``packet_id`` is None at QoS 0."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    duplicate: bool
    packet_id: int | None


def puback(packet_id: int) -> bytes:
    """An MQTT 5 PUBACK with reason *success*."""
    return PUBACK + packet_id.to_bytes(2, "big")


def set_duplicate(publish: bytes, duplicate: bool) -> bytes:
    """The same encoded PUBLISH with its DUP flag set or cleared."""
    first = publish[0] | _DUPLICATE if duplicate else publish[0] & ~_DUPLICATE
    return publish if first == publish[0] else bytes((first,)) + publish[1:]


def frame_length(buffer: memoryview) -> int | None:
    """Length in bytes of the packet at the start, header included; None while the header is incomplete.

    Raises ValueError when the length is no MQTT length: the stream is lost.
    """
    length = shift = 0
    for index in range(1, min(len(buffer), 5)):
        length |= (buffer[index] & 0x7F) << shift
        if buffer[index] < 0x80:
            return 1 + index + length
        shift += 7
    if len(buffer) >= 5:
        raise ValueError("the packet's length is not an MQTT length")
    return None


def salvage(frame: bytes) -> SalvagedPublish | None:
    """Read one whole PUBLISH packet leniently; None when it is no PUBLISH or does not even hold together by its lengths."""
    flags = frame[0] & 0x0F
    qos = (flags >> 1) & 0x03
    if frame[0] >> 4 != PUBLISH or qos > 1:
        return None
    try:
        at = _after_varint(frame, 1)
        end = at + 2 + int.from_bytes(frame[at : at + 2], "big")
        topic = frame[at + 2 : end]
        packet_id = None
        if qos:
            packet_id = int.from_bytes(frame[end : end + 2], "big")
            end += 2
        properties = 0
        for shift, index in enumerate(range(end, end + 4)):
            properties |= (frame[index] & 0x7F) << (7 * shift)
            if frame[index] < 0x80:
                break
        start = _after_varint(frame, end) + properties
    except IndexError:
        return None
    if start > len(frame) or packet_id == 0:
        return None
    return SalvagedPublish(topic.decode(errors="replace"), frame[start:], qos, bool(flags & 1), bool(flags & _DUPLICATE), packet_id)


def _after_varint(frame: bytes, at: int) -> int:
    for index in range(at, at + 4):
        if frame[index] < 0x80:
            return index + 1
    raise IndexError
