"""One MQTT message and when it may be acknowledged: when everything that it caused is durable."""

from collections.abc import Callable


class Delivery:
    """Counts what a message still waits for; ``ack`` is called once, when nothing is left."""

    __slots__ = ("_ack", "_acknowledged", "_open")

    def __init__(self, ack: Callable[[], None]) -> None:
        self._ack = ack
        self._acknowledged = False
        self._open = 1

    def hold(self) -> Callable[[], None]:
        """One more thing to wait for; call what is returned when it is done."""
        self._open += 1
        return self.release

    def release(self) -> None:
        """One thing is done."""
        self._open -= 1
        if self._open <= 0:
            self.give_up()

    def give_up(self) -> None:
        """Acknowledge whatever is still open: a message that cannot be judged is in quarantine and must not come back for ever."""
        if not self._acknowledged:
            self._acknowledged = True
            self._ack()
