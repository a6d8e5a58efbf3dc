"""When the broker is answered: in arrival order per lane, when everything a message caused is durable, and at the latest by two limits.

PUBACK is flow control and ``down/ack`` is the promise. A message that waits longer than the limit, or that fills half of the receive
window, is acknowledged to the broker and counted, so that a database that is away never stops the next leak from being heard; its
device hears nothing and repeats. Refuses to know what a message is.
"""

import time
from collections import deque
from collections.abc import Callable

from alarm_engine import metrics
from core.mqtt.port import Incoming


class Window:
    """The messages of one lane that wait for their acknowledgement. ``receive_max`` is the broker's window, ``now`` real seconds."""

    def __init__(self, lane: str, receive_max: int, release_after_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._lane = lane
        self._most = max(1, receive_max // 2)
        self._release_after_s = release_after_s
        self._now = now
        self._held: deque[Held] = deque()

    @property
    def depth(self) -> int:
        """Messages not acknowledged to the broker yet."""
        return len(self._held)

    def take(self, incoming: Incoming) -> Incoming:
        """The same message with an ``ack`` that keeps the order. What QoS 0 sends needs no answer."""
        if incoming.qos == 0:
            return incoming
        held = Held(incoming, self, self._now())
        self._held.append(held)
        if len(self._held) > self._most:
            self._release("window")
        return held

    def tick(self) -> None:
        """Let go of what has waited too long. Call it many times a second."""
        due = self._now() - self._release_after_s
        while self._held and self._held[0].taken_at <= due:
            self._release("time")

    def settle(self) -> None:
        """Acknowledge from the oldest on what is done."""
        while self._held and self._held[0].done:
            self._held.popleft().let_go()

    def _release(self, why: str) -> None:
        """The oldest goes whether it is done or not, and all done ones behind it."""
        oldest = self._held.popleft()
        if not oldest.done:
            metrics.released.labels(self._lane, why).inc()
        oldest.let_go()
        self.settle()


class Held:
    """One message in the window (an :class:`core.mqtt.port.Incoming`)."""

    __slots__ = ("_incoming", "_window", "done", "taken_at")

    def __init__(self, incoming: Incoming, window: Window, taken_at: float) -> None:
        self._incoming, self._window, self.taken_at, self.done = incoming, window, taken_at, False

    @property
    def topic(self) -> str:
        return self._incoming.topic

    @property
    def payload(self) -> bytes:
        return self._incoming.payload

    @property
    def qos(self) -> int:
        return self._incoming.qos

    @property
    def retain(self) -> bool:
        return self._incoming.retain

    @property
    def duplicate(self) -> bool:
        return self._incoming.duplicate

    def ack(self) -> None:
        """It is done; the broker hears it when everything before it is."""
        self.done = True
        self._window.settle()

    def let_go(self) -> None:
        """Tell the broker."""
        self._incoming.ack()
