"""One TCP connection to the broker, from CONNECT to its loss. Decides how bytes become packets, and when the peer is dead.

Nothing that a packet or a handler does closes the transport by accident: what the codec refuses is read by hand or counted, and
an exception of the handler stops at the message that caused it. What to do after the loss is the link's business.
"""

import asyncio
import socket
import time
from typing import Final, Protocol, cast

import mqtt5
import structlog

from core.mqtt.frames import PINGREQ, PUBLISH, frame_length, puback, salvage
from core.mqtt.port import Counts, Incoming, OnMessage

MAX_PACKET_BYTES: Final = 4 * 1024 * 1024
_AT_LEAST_ONCE: Final = mqtt5.QoS.AT_LEAST_ONCE
_QUICKACK: Final = getattr(socket, "TCP_QUICKACK", None)
_ERROR_LOG_SECONDS: Final = 1.0

log = structlog.get_logger()


class Owner(Protocol):
    """What a connection tells the link that made it."""

    counts: Counts

    def accepted(self, connection: "Connection", packet: mqtt5.ConnAckPacket) -> None: ...
    def subscribed(self, packet: mqtt5.SubAckPacket) -> None: ...
    def confirmed(self, packet: mqtt5.PubAckPacket) -> None: ...
    def dismissed(self, packet: mqtt5.DisconnectPacket) -> None: ...


class Received:
    """One message of one connection (an :class:`core.mqtt.port.Incoming`)."""

    __slots__ = ("_connection", "_packet_id", "duplicate", "payload", "qos", "retain", "topic")

    def __init__(self, connection: "Connection", topic: str, payload: bytes, retain: bool, duplicate: bool, packet_id: int | None) -> None:
        self.topic = topic
        self.payload = payload
        self.retain = retain
        self.duplicate = duplicate
        self.qos = 0 if packet_id is None else 1
        self._packet_id = packet_id
        self._connection = connection

    def ack(self) -> None:
        """Write the PUBACK, at the latest at the end of this turn of the event loop."""
        if self._packet_id is not None:
            packet_id, self._packet_id = self._packet_id, None
            self._connection.acknowledge(packet_id)


class Connection(asyncio.Protocol):
    """The protocol of one transport. ``answered`` is done at CONNACK or loss, ``lost`` when it is over, for ``reason``."""

    def __init__(self, owner: Owner, connect: bytes, on_message: OnMessage, sock: socket.socket, quick_ack: bool) -> None:
        self._owner = owner
        self._counts = owner.counts
        self._connect = connect
        self._on_message = on_message
        self._sock = sock
        self._quick_ack = quick_ack and _QUICKACK is not None
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._rest = bytearray()
        self._needed = 0
        self._leaving = bytearray()
        self._in_data = False
        self._heard = self._spoke = False
        self._pinged = False
        self._tick: asyncio.TimerHandle | None = None
        self._silenced = False
        self._logged_at = 0.0
        self.held = 0
        self.reason: str | None = None
        self.accepted = False
        self.answered: asyncio.Future[None] = self._loop.create_future()
        self.lost: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._connect)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._tick is not None:
            self._tick.cancel()
        if self.reason is None:
            self.reason = "the broker closed the connection" if exc is None else str(exc) or type(exc).__name__
        for future in (self.answered, self.lost):
            if not future.done():
                future.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self._quick_ack:
            self._ack_quickly()
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data = bytes(self._rest)
            self._rest.clear()
        self._needed = 0
        self._in_data = True
        try:
            self._read(memoryview(data))
        finally:
            self._in_data = False
            self._write_leaving()

    def write(self, packets: bytes) -> None:
        """Hand bytes to the socket, at once."""
        if self._transport is not None:
            self._spoke = True
            self._transport.write(packets)

    @property
    def backlog(self) -> int:
        """Bytes that the socket did not take yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def write_soon(self, packets: bytes) -> None:
        """Hand bytes to the socket at the end of this turn, as one write with all else that the turn has to say. Nothing when the
        connection is over.
        """
        if self._transport is None or self._silenced:
            return
        if not self._leaving and not self._in_data:
            self._loop.call_soon(self._write_leaving)
        self._leaving += packets

    def acknowledge(self, packet_id: int) -> None:
        """Queue a PUBACK for the end of this turn. Nothing when the connection is over."""
        if self._transport is None or self._silenced:
            self._counts.acks_of_lost_connections += 1
            return
        self.held -= 1
        self._counts.acks_written += 1
        self.write_soon(puback(packet_id))

    def watch(self, interval_s: float) -> None:
        """Ping when idle for ``interval_s``; after a second such interval without any answer the peer is dead."""
        due = self._loop.time() + interval_s
        self._tick = self._loop.call_at(due, self._look, due, interval_s)

    def abort(self, reason: str) -> None:
        """Close now; ``reason`` is what the link will report."""
        if self.reason is None:
            self.reason = reason
        if self._transport is not None:
            self._transport.abort()

    def say_goodbye(self, disconnect: bytes) -> None:
        """Write what is acknowledged and the DISCONNECT; deliver nothing more. The broker closes."""
        self._write_leaving()
        self._silenced = True
        self.write(disconnect)

    def _ack_quickly(self) -> None:
        try:
            self._sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK or 0, 1)
        except OSError:
            self._quick_ack = False

    def _write_leaving(self) -> None:
        if self._leaving:
            leaving = bytes(self._leaving)
            self._leaving.clear()
            self.write(leaving)

    def _read(self, data: memoryview) -> None:
        at, end = 0, len(data)
        while at < end and not self._silenced:
            try:
                packet, length = mqtt5.read(data[at:])
            except IndexError:
                self._keep(data[at:])
                return
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001  the codec's PanicException is no Exception
                length = self._read_by_hand(data[at:], error)
                if not length:
                    return
                at += length
                continue
            at += length
            # The order is that of frequency. The codec's enums are compared by identity: each of them is true.
            if isinstance(packet, mqtt5.PublishPacket):
                self._deliver(packet.topic, packet.payload, packet.retain, packet.duplicate, packet.packet_id)
            elif isinstance(packet, mqtt5.PubAckPacket):
                self._owner.confirmed(packet)
            elif isinstance(packet, mqtt5.ConnAckPacket):
                self._owner.accepted(self, packet)
                if not self.answered.done():
                    self.answered.set_result(None)
            elif isinstance(packet, mqtt5.SubAckPacket):
                self._owner.subscribed(packet)
            elif isinstance(packet, mqtt5.DisconnectPacket):
                self._owner.dismissed(packet)

    def _keep(self, rest: memoryview) -> None:
        """An incomplete packet: keep it, and do not look again before it is whole."""
        try:
            length = frame_length(rest)
        except ValueError as error:
            self.abort(str(error))
            return
        if length is not None and length > MAX_PACKET_BYTES:
            self.abort(f"the broker announced a packet of {length} bytes")
            return
        self._rest += rest
        self._needed = length or 0

    def _read_by_hand(self, rest: memoryview, error: BaseException) -> int:
        """Bytes of the packet that the codec refused; 0 when the stream cannot be followed any further."""
        self._counts.unreadable += 1
        try:
            length = frame_length(rest)
        except ValueError:
            length = None
        if length is None or length > len(rest):
            self.abort(f"unreadable stream: {error}")
            return 0
        frame = bytes(rest[:length])
        found = salvage(frame)
        log.warning("mqtt_packet_unreadable", error=str(error), start=frame[:64].hex(), salvaged=found is not None)
        if found is None:
            # A packet of the protocol itself that nobody can read: go on from a fresh connection.
            if frame[0] >> 4 != PUBLISH:
                self.abort(f"unreadable packet: {error}")
                return 0
            return length
        self._counts.salvaged += 1
        self._deliver(found.topic, found.payload, found.retain, found.duplicate, found.packet_id)
        return length

    def _deliver(self, topic: str, payload: bytes, retain: bool, duplicate: bool, packet_id: int | None) -> None:
        self._counts.received += 1
        if duplicate:
            self._counts.duplicates += 1
        if packet_id is not None:
            self.held += 1
        message: Incoming = Received(self, topic, payload, retain, duplicate, packet_id)
        try:
            self._on_message(message)
        except Exception:  # noqa: BLE001  one message must not take the link down
            self.report_handler_error("on_message", topic)

    def report_handler_error(self, handler: str, subject: str) -> None:
        """Count an exception of the station's handler, and log at most one a second."""
        self._counts.handler_errors += 1
        now = time.monotonic()
        if now - self._logged_at >= _ERROR_LOG_SECONDS:
            self._logged_at = now
            log.exception("mqtt_handler_failed", handler=handler, subject=subject, so_far=self._counts.handler_errors)

    def _look(self, due: float, interval_s: float) -> None:
        if self._transport is None:
            return
        # A tick that is late says that *we* were busy: what the peer answered may still lie in the socket.
        if self._pinged and not self._heard and self._loop.time() - due < interval_s / 2:
            self.abort(f"no answer from the broker for {2 * interval_s:g} s")
            return
        self._pinged = not (self._heard and self._spoke)
        self._heard = self._spoke = False
        if self._pinged:
            self._transport.write(PINGREQ)
        self.watch(interval_s)
