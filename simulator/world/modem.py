"""The modem of a meter in power-saving mode: it hears nothing until it has spoken, and then listens for a moment.

Decides when what is said to the device reaches it. Refuses to know what a message means, but for one thing that the contract says of
the broker's session: a command of QoS 0 (``open_valve``) is not kept for a sleeper, all others are.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

LISTENS_S = 10.0
"""How long the network still reaches the device after an uplink, s."""


@dataclass(slots=True)
class Modem:
    """``psm`` False: always reachable. Times are seconds of a monotonic clock, given with every question."""

    psm: bool
    awake_until_s: float = -1.0
    waiting: list[Callable[[], None]] = field(default_factory=list)
    lost: int = 0

    def awake(self, now_s: float) -> bool:
        """Whether what is said now is heard at once."""
        return not self.psm or now_s <= self.awake_until_s

    def spoke(self, now_s: float) -> None:
        """The device has sent something."""
        if self.psm:
            self.awake_until_s = now_s + LISTENS_S

    def hear(self, now_s: float, what: Callable[[], None], *, kept: bool) -> None:
        """Something was said to the device: it happens now, at :meth:`deliver` after the next uplink, or never."""
        if self.awake(now_s) and not self.waiting:
            what()
        elif kept or self.awake(now_s):
            self.waiting.append(what)
        else:
            self.lost += 1

    def deliver(self, now_s: float) -> None:
        """Let what the network kept arrive, in its order, if the device is awake."""
        while self.waiting and self.awake(now_s):
            self.waiting.pop(0)()
