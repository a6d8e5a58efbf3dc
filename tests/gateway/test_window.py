"""The window: in arrival order, when done, and at the latest by time or by half of the receive window."""

from dataclasses import dataclass, field
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from gateway.window import Window


@dataclass
class Message:
    """A message of the broker that writes down when it was acknowledged."""

    number: int
    acknowledged: list[int]
    qos: int = 1
    topic: str = "gas/v1/D1/up/alarm"
    payload: bytes = b"{}"
    retain: bool = False
    duplicate: bool = False

    def ack(self) -> None:
        self.acknowledged.append(self.number)


@dataclass
class Lane:
    now: float = 0.0
    acknowledged: list[int] = field(default_factory=list)

    def window(self, receive_max: int = 1_000) -> Window:
        return Window("test", receive_max, 2.0, lambda: self.now)

    def message(self, number: int, qos: int = 1) -> Message:
        return Message(number, self.acknowledged, qos)


def released(why: str) -> float:
    return REGISTRY.get_sample_value("gas_line_released_total", {"lane": "test", "why": why}) or 0.0


def test_what_is_done_late_holds_back_what_came_after_it() -> None:
    lane = Lane()
    window = lane.window()
    first, second, third = (window.take(lane.message(number)) for number in (1, 2, 3))
    second.ack()
    third.ack()
    assert lane.acknowledged == []
    first.ack()
    assert lane.acknowledged == [1, 2, 3]
    assert window.depth == 0


def test_two_seconds_are_the_longest_wait() -> None:
    lane = Lane()
    window = lane.window()
    before = released("time")
    window.take(lane.message(1))
    lane.now = 1.0
    later = window.take(lane.message(2))
    later.ack()
    lane.now = 1.99
    window.tick()
    assert lane.acknowledged == []
    lane.now = 2.0
    window.tick()
    assert lane.acknowledged == [1, 2]
    assert released("time") == before + 1


def test_half_of_the_receive_window_is_never_exceeded() -> None:
    lane = Lane()
    window = lane.window(receive_max=10)
    before = released("window")
    for number in range(1, 8):
        window.take(lane.message(number))
    assert lane.acknowledged == [1, 2]
    assert window.depth == 5
    assert released("window") == before + 2


def test_what_was_let_go_is_not_acknowledged_again() -> None:
    lane = Lane()
    window = lane.window()
    held = window.take(lane.message(1))
    lane.now = 3.0
    window.tick()
    held.ack()
    window.tick()
    assert lane.acknowledged == [1]


def test_qos_0_needs_no_answer() -> None:
    lane = Lane()
    window = lane.window()
    message = lane.message(1, qos=0)
    assert window.take(message) is message
    assert window.depth == 0


def test_a_message_is_what_it_was() -> None:
    lane = Lane()
    message = lane.message(1)
    held = lane.window().take(message)
    assert (held.topic, held.payload, held.qos, held.retain, held.duplicate) == (message.topic, b"{}", 1, False, False)


@given(st.lists(st.sampled_from(["take", "done", "time"]), max_size=60), st.randoms(use_true_random=False))
def test_every_message_is_acknowledged_once_and_in_order(steps: list[str], random: Random) -> None:
    lane = Lane()
    window = lane.window(receive_max=20)
    held = []
    for count, step in enumerate(steps):
        if step == "take":
            held.append(window.take(lane.message(count)))
        elif step == "done" and held:
            held.pop(random.randrange(len(held))).ack()
        else:
            lane.now += 0.7
            window.tick()
        assert lane.acknowledged == sorted(set(lane.acknowledged))
        assert window.depth <= 10
    lane.now += 10
    window.tick()
    assert lane.acknowledged == [count for count, step in enumerate(steps) if step == "take"]
