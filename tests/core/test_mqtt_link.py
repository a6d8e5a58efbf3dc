"""What only a scripted broker can play to our link: bytes cut anywhere, strings that are no UTF-8, a narrow receive window, refusals."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import mqtt5
import pytest

from core.door import close_door
from core.errors import LinkError
from core.mqtt.link import Link
from core.mqtt.port import Incoming
from tests.core.mqtt_stage import PATIENCE_S, until

AT_LEAST_ONCE = mqtt5.QoS.AT_LEAST_ONCE
ACCEPTED = mqtt5.ConnAckPacket(session_present=True)
BAD_TOPIC = b"\x32\x0a\x00\x03a/\xff\x00\x09\x00xy"  # QoS 1, packet id 9


class Peer:
    """A broker that says what the test tells it, and keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[mqtt5.Packet] = []
        self.connections = 0
        self.connack = ACCEPTED
        self.answers_pings = True
        self.with_connack = b""
        self.grants = [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE]
        self._writer: asyncio.StreamWriter | None = None

    def publishes(self) -> list[mqtt5.PublishPacket]:
        return [p for p in self.heard if isinstance(p, mqtt5.PublishPacket)]

    def acked(self) -> list[int]:
        return [p.packet_id for p in self.heard if isinstance(p, mqtt5.PubAckPacket)]

    def say(self, data: bytes) -> None:
        assert self._writer is not None
        self._writer.write(data)

    def hang_up(self) -> None:
        assert self._writer is not None
        self._writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer, rest = writer, b""
        self.connections += 1
        try:
            while data := await reader.read(65536):
                rest += data
                while rest:
                    try:
                        packet, length = mqtt5.read(memoryview(rest))
                    except IndexError:
                        break
                    rest = rest[length:]
                    self.heard.append(packet)
                    if isinstance(packet, mqtt5.ConnectPacket):
                        writer.write(self.connack.write() + self.with_connack)
                    elif isinstance(packet, mqtt5.DisconnectPacket):
                        return
                    elif isinstance(packet, mqtt5.PingReqPacket) and self.answers_pings:
                        writer.write(mqtt5.PingRespPacket().write())
                    elif isinstance(packet, mqtt5.SubscribePacket):
                        writer.write(mqtt5.SubAckPacket(packet.packet_id, self.grants).write())
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(peer: Peer) -> AsyncIterator[int]:
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        await close_door(server)
        await server.wait_closed()


@asynccontextmanager
async def scene(peer: Peer, **options: Any) -> AsyncIterator[tuple[Link, list[Incoming]]]:
    """A link started against the peer; what it delivers."""
    got: list[Incoming] = []
    async with listening(peer) as port:
        link = Link("127.0.0.1", port, "link", subscriptions=["#"], on_message=got.append, **options)
        await link.start()
        try:
            yield link, got
        finally:
            await link.stop()


def publish(payload: bytes, packet_id: int) -> bytes:
    return mqtt5.PublishPacket("gas/v1/d/up/alarm", payload, qos=AT_LEAST_ONCE, packet_id=packet_id).write()


async def test_packets_cut_anywhere_are_put_together_again() -> None:
    peer = Peer()
    async with scene(peer) as (link, got):
        await link.wait_connected(PATIENCE_S)
        stream = b"".join(publish(bytes([65 + n]) * (n * 90), n + 1) for n in range(4))
        for cut in range(0, len(stream), 7):
            peer.say(stream[cut : cut + 7])
            await asyncio.sleep(0)  # each piece on its own
        await until(lambda: len(got) == 4)
        assert [m.payload for m in got] == [bytes([65 + n]) * (n * 90) for n in range(4)]
        for message in got:
            message.ack()
        await until(lambda: peer.acked() == [1, 2, 3, 4])


# The codec leaves its own UnicodeDecodeError to the interpreter before it panics.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_string_that_is_no_utf8_is_delivered_acknowledged_and_costs_nobody_the_connection() -> None:
    peer = Peer()
    peer.with_connack = publish(b"before", 8) + BAD_TOPIC + publish(b"after", 10)
    async with scene(peer) as (link, got):
        await link.wait_connected(PATIENCE_S)
        await until(lambda: len(got) == 3)
        assert [(m.topic[-5:], m.payload, m.qos) for m in got] == [("alarm", b"before", 1), ("a/\ufffd", b"xy", 1), ("alarm", b"after", 1)]
        for message in got:
            message.ack()
        await until(lambda: peer.acked() == [8, 9, 10])
        assert (link.counts.unreadable, link.counts.salvaged, peer.connections) == (1, 1, 1)


@pytest.mark.parametrize(
    "garbage", [b"\x00\x00", b"\x30\xff\xff\xff\xff\x7f", b"\x36\x06\x00\x01A\x00\x01\x00\x00\x00", b"\xd0\xff\xff\xff\x7f"]
)
async def test_after_a_stream_that_nobody_can_follow_the_link_comes_back_by_itself(garbage: bytes) -> None:
    peer = Peer()
    async with scene(peer) as (link, got):
        await link.wait_connected(PATIENCE_S)
        peer.say(garbage + publish(b"lost", 1))
        await until(lambda: peer.connections == 2 or got)
        await link.wait_connected(PATIENCE_S)
        peer.say(publish(b"heard", 2))
        await until(lambda: b"heard" in [m.payload for m in got])


async def test_never_more_is_unconfirmed_on_the_wire_than_the_broker_takes_and_an_urgent_one_goes_first() -> None:
    peer = Peer()
    peer.connack = mqtt5.ConnAckPacket(receive_max=8)
    async with scene(peer) as (link, _):
        await link.wait_connected(PATIENCE_S)
        futures = [link.publish("t", b"%d" % n, qos=1) for n in range(20)]
        await until(lambda: len(peer.publishes()) == 7)
        futures.append(link.publish("t", b"close", qos=1, urgent=True))  # the eighth place is kept for it
        await until(lambda: len(peer.publishes()) == 8)
        assert peer.publishes()[-1].payload == b"close"
        futures.append(link.publish("t", b"close 2", qos=1, urgent=True))
        answered = 0

        def another_waits() -> bool:
            return len(peer.publishes()) > answered

        while answered < 22:
            await until(another_waits)
            assert len(peer.publishes()) - answered <= 8
            packet_id = peer.publishes()[answered].packet_id
            assert packet_id is not None
            peer.say(mqtt5.PubAckPacket(packet_id).write())
            answered += 1
        await asyncio.gather(*futures)
        payloads = [p.payload for p in peer.publishes()]
        assert payloads == [*(b"%d" % n for n in range(7)), b"close", b"close 2", *(b"%d" % n for n in range(7, 20))]


async def test_unconfirmed_ones_go_again_with_their_ids_before_anything_new() -> None:
    peer = Peer()
    async with scene(peer) as (link, _):
        await link.wait_connected(PATIENCE_S)
        futures = [link.publish("t", b"%d" % n, qos=1) for n in range(3)]
        await until(lambda: len(peer.publishes()) == 3)
        first = peer.publishes()
        assert first[1].packet_id is not None
        peer.say(mqtt5.PubAckPacket(first[1].packet_id).write())
        await futures[1]
        peer.heard.clear()
        peer.hang_up()
        await until(lambda: not link.connected)
        link.publish("t", b"new", qos=1)
        await until(lambda: len(peer.publishes()) == 3)
        assert [(p.payload, p.packet_id, p.duplicate) for p in peer.publishes()[:2]] == [
            (b"0", first[0].packet_id, True),
            (b"2", first[2].packet_id, True),
        ]
        assert (peer.publishes()[2].payload, peer.publishes()[2].duplicate) == (b"new", False)
        # A broker that lost the session is not told of duplicates.
        peer.connack = mqtt5.ConnAckPacket(session_present=False)
        peer.heard.clear()
        peer.hang_up()
        await until(lambda: len(peer.publishes()) == 3)
        assert [(p.payload, p.duplicate) for p in peer.publishes()] == [(b"0", False), (b"2", False), (b"new", False)]


async def test_a_publish_that_the_broker_refuses_fails_for_its_caller_alone() -> None:
    peer = Peer()
    async with scene(peer) as (link, _):
        await link.wait_connected(PATIENCE_S)
        future = link.publish("t", b"x", qos=1)
        await until(lambda: peer.publishes())
        packet_id = peer.publishes()[0].packet_id
        assert packet_id is not None
        peer.say(mqtt5.PubAckPacket(packet_id, reason_code=mqtt5.PubAckReasonCode.NOT_AUTHORIZED).write())
        with pytest.raises(LinkError, match="not authorized"):
            await future
        assert link.connected
        assert link.counts.refused_by_broker == 1


async def test_a_refused_subscription_is_no_connection_but_the_link_lives_on() -> None:
    peer = Peer()
    peer.grants = [mqtt5.SubAckReasonCode.NOT_AUTHORIZED]
    async with scene(peer) as (link, got):
        await until(lambda: link.last_error is not None)
        assert not link.connected
        assert "subscription refused: # NOT_AUTHORIZED" in str(link.last_error)
        peer.say(publish(b"of the old subscription", 1))
        await until(lambda: got)
        assert peer.connections == 1


async def test_a_peer_that_answers_pings_is_kept_and_one_that_does_not_is_left() -> None:
    peer = Peer()
    async with scene(peer, keep_alive_s=1) as (link, _):
        await link.wait_connected(PATIENCE_S)
        await until(lambda: sum(isinstance(p, mqtt5.PingReqPacket) for p in peer.heard) >= 3)
        assert (link.connected, peer.connections) == (True, 1)
        peer.answers_pings = False
        await until(lambda: not link.connected)
        assert str(link.last_error).startswith("no answer from the broker")
        await until(lambda: peer.connections == 2)


async def test_the_reason_of_a_dismissal_is_kept_and_two_of_one_name_do_not_storm_the_broker() -> None:
    peer = Peer()
    async with scene(peer) as (link, _):
        await link.wait_connected(PATIENCE_S)
        peer.say(mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER).write())
        await until(lambda: not link.connected)
        assert str(link.last_error) == "dismissed by the broker: session taken over"


async def test_many_acknowledgements_of_one_turn_are_one_write_and_a_topic_that_is_none_is_the_callers_error() -> None:
    peer = Peer()
    async with scene(peer) as (link, got):
        await link.wait_connected(PATIENCE_S)
        peer.say(b"".join(publish(b"x", n) for n in range(1, 201)))
        await until(lambda: len(got) == 200)
        assert link.held == 200
        for message in reversed(got):
            message.ack()
        assert link.held == 0
        await until(lambda: peer.acked() == list(range(200, 0, -1)))
        with pytest.raises(ValueError, match="topic"):
            link.publish("a/+/b", b"", qos=1)
        assert link.unconfirmed == 0
