"""The ledger of unconfirmed messages under any order of events: nothing lost, nothing doubled, the window kept, urgent ones first."""

import asyncio
from unittest.mock import sentinel

import mqtt5
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.errors import LinkError
from core.mqtt.frames import frame_length, puback, salvage, set_duplicate
from core.mqtt.outgoing import Outgoing, Unconfirmed

BOUND = 6


def encoded(packet_id: int) -> bytes:
    return mqtt5.PublishPacket("t", b"%d" % packet_id, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=packet_id).write()


class Ledger(RuleBasedStateMachine):
    """A link that publishes, loses its broker and finds it again; ``wire`` is what the broker has not confirmed on this connection."""

    def __init__(self) -> None:
        super().__init__()
        self.outgoing = Outgoing(BOUND)
        self.window = 0
        self.wire: list[int] = []
        self.taken: dict[int, bool] = {}
        self.ever_written: set[int] = set()

    def write(self, packets: list[bytes]) -> None:
        for packet in packets:
            packet_id = int(packet[8:])
            assert packet_id not in self.wire
            assert packet_id in self.taken
            self.wire.append(packet_id)
            self.ever_written.add(packet_id)

    @rule(urgent=st.booleans())
    def publish(self, urgent: bool) -> None:
        if sum(u is urgent for u in self.taken.values()) >= BOUND:
            with pytest.raises(LinkError):
                self.outgoing.check_room(urgent)
            return
        self.outgoing.check_room(urgent)
        packet_id = self.outgoing.next_id()
        assert packet_id not in self.taken
        self.taken[packet_id] = urgent
        now = self.outgoing.add(Unconfirmed(packet_id, encoded(packet_id), urgent, sentinel.future))
        if now is not None:
            self.write([now])
        elif urgent and self.window > len(self.wire):
            raise AssertionError("an urgent one waits although the window is open")

    @precondition(lambda self: self.wire)
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        packet_id = data.draw(st.sampled_from(self.wire))
        message = self.outgoing.confirm(packet_id)
        assert message is not None
        assert message.packet_id == packet_id
        self.wire.remove(packet_id)
        del self.taken[packet_id]
        self.ever_written.discard(packet_id)
        assert self.outgoing.confirm(packet_id) is None
        self.write(self.outgoing.due())

    @rule()
    def lose(self) -> None:
        self.outgoing.lost()
        self.window = 0
        self.wire = []

    @rule(window=st.integers(1, 20), session=st.booleans())
    def connect(self, window: int, session: bool) -> None:
        self.wire = []
        self.window = window
        assert self.outgoing.connected(window, session) == len(self.ever_written)
        packets = self.outgoing.due()
        before = set(self.ever_written)
        self.write(packets)
        for packet in packets:
            assert bool(packet[0] & 0x08) == (session and int(packet[8:]) in before)

    @invariant()
    def the_window_is_kept_and_nothing_is_lost(self) -> None:
        assert len(self.wire) <= self.window
        assert len(self.outgoing) == len(self.taken)
        if self.window:
            urgent_waits = any(u and p not in self.wire for p, u in self.taken.items())
            assert not urgent_waits or len(self.wire) == self.window
            room = self.window - self.window // 8
            assert len(self.wire) >= min(room, len(self.taken))


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def test_packet_ids_go_round_and_spare_those_in_use() -> None:
    outgoing = Outgoing(BOUND)
    kept = outgoing.reserve_id()
    ids = [outgoing.next_id() for _ in range(65_534)]
    assert (kept, ids[0], ids[-1]) == (1, 2, 65_535)
    assert outgoing.next_id() == 2
    outgoing.release_id(kept)
    assert [outgoing.next_id() for _ in range(65_534)][-1] == 1


@pytest.mark.parametrize("bound", [0, 40_000])
def test_a_bound_that_the_packet_ids_do_not_carry_is_refused(bound: int) -> None:
    with pytest.raises(ValueError, match="packet ids"):
        Outgoing(bound)


def test_giving_up_names_everything_that_is_left() -> None:
    outgoing = Outgoing(BOUND)
    outgoing.connected(2, session_present=True)
    for packet_id in (1, 2, 3):
        outgoing.add(Unconfirmed(packet_id, encoded(packet_id), False, sentinel.future))
    assert [m.packet_id for m in outgoing.give_up()] == [1, 2, 3]
    assert len(outgoing) == 0
    assert outgoing.due() == []


PUBLISHES = [
    mqtt5.PublishPacket("gas/v1/d/up/alarm", b"{}", qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=515),
    mqtt5.PublishPacket("a", b"", retain=True),
    mqtt5.PublishPacket("a", b"x" * 300, qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=1, duplicate=True, user_properties=[("k", "v" * 200)]),
]


@pytest.mark.parametrize("packet", PUBLISHES, ids=lambda p: p.topic)
def test_reading_by_hand_agrees_with_the_codec(packet: mqtt5.PublishPacket) -> None:
    frame = packet.write()
    assert salvage(frame) == (packet.topic, packet.payload, packet.qos, packet.retain, packet.duplicate, packet.packet_id)
    for cut in range(len(frame)):
        assert frame_length(memoryview(frame[:cut])) in (None, len(frame))
        salvage(frame[: cut + 1])
    assert frame_length(memoryview(frame)) == len(frame)
    assert salvage(frame[:3]) is None


def test_what_is_no_publish_is_not_salvaged() -> None:
    assert salvage(mqtt5.PubAckPacket(1).write()) is None
    assert salvage(b"\x36\x06\x00\x01A\x00\x01\x00") is None  # QoS 3
    assert salvage(b"\x30\x05\x00\x01A\x7fx") is None  # properties longer than the packet
    with pytest.raises(ValueError, match="length"):
        frame_length(memoryview(b"\x30\xff\xff\xff\xff\x01"))


def test_the_bytes_that_we_make_ourselves_are_those_of_the_codec() -> None:
    assert puback(300) == mqtt5.PubAckPacket(300).write()
    again = mqtt5.PublishPacket("t", b"1", qos=mqtt5.QoS.AT_LEAST_ONCE, packet_id=1, duplicate=True).write()
    assert set_duplicate(encoded(1), duplicate=True) == again
    assert set_duplicate(again, duplicate=False) == encoded(1)


async def test_a_future_of_the_ledger_is_the_callers() -> None:
    future = asyncio.get_running_loop().create_future()
    outgoing = Outgoing(BOUND)
    outgoing.connected(1, session_present=False)
    message = Unconfirmed(1, encoded(1), False, future)
    assert outgoing.add(message) == encoded(1)
    assert outgoing.confirm(1) is message
    assert not future.done()
