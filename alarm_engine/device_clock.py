"""The clock and the pace of one device, as far as they can be told from outside: when was something measured, and is it said now.

The offset is the running minimum of (heard - ts), by the platform's monotonic clock, so that no step of the server's clock moves it. It
rises again when nothing nearer was heard for a while: then the device's clock was set back.
"""

from dataclasses import dataclass
from typing import Final

_WINDOW_S: Final = 600.0
_AFTER_BOOT_S: Final = 60.0
_ENOUGH: Final = 4

JUMP_MS: Final = 2000.0
_NEVER: Final = float("-inf")

_LIVE_ITEMS: Final = 4
_LIVE_S: Final = 10.0
_GOES_ON_S: Final = 1.0
_JITTER_MS: Final = 2000.0

Order = tuple[int, int]


@dataclass(slots=True)
class DeviceClock:
    """``offset`` in ms: monotonic ms of the platform minus Unix ms of the device; None before the first item."""

    offset: float | None = None
    boot: int = -1
    low: float = float("inf")
    ends: float = float("-inf")
    count: int = 0
    jumped: bool = False

    def usual(self, offset: float, heard: float, boot: int) -> bool:
        """Whether an item of this offset, heard at ``heard`` (monotonic seconds), leaves everything as it is; else :meth:`changes`."""
        self.jumped = False
        if offset < self.low or boot != self.boot or heard >= self.ends:
            return False
        self.count += 1
        return True

    def changes(self, offset: float, heard: float, boot: int, late: bool) -> bool:
        """Take in an item that is not as usual; returns whether the offset changed. ``late``: old, if its clock were right."""
        before = self.offset
        if self.ends == _NEVER:
            self._begin(heard + _WINDOW_S, offset)
        elif boot > self.boot >= 0:
            self._begin(heard + _AFTER_BOOT_S, offset)
        else:
            self.count += 1
            self.low = min(self.low, offset)
        self.boot = max(self.boot, boot)
        if before is None or offset < before:
            self.offset = offset
            # A clock that is new to us and says that this was long ago, or one that was set forward: nobody knows when this was measured.
            self.jumped = late if before is None else offset < before - JUMP_MS
        elif heard >= self.ends and self.count >= _ENOUGH:
            self.offset = self.low
            self._begin(heard + _WINDOW_S, offset)
        return self.offset != before

    def _begin(self, ends: float, offset: float) -> None:
        self.low, self.ends, self.count = offset, ends, 1

    def start_again(self, heard: float, ts: int) -> None:
        """The device's clock is another one from now on."""
        self.offset = heard * 1000.0 - ts
        self._begin(heard + _WINDOW_S, self.offset)

    def take_up(self, offset: float) -> None:
        """Go on from an offset that was stored."""
        self.offset = offset

    def of_wall(self, heard: float, received_ms: int) -> float:
        """The offset by the platform's wall clock, ms; ``heard`` and ``received_ms`` are one moment by both clocks."""
        return (self.offset or 0.0) - heard * 1000.0 + received_ms

    def measured(self, ts: int) -> float:
        """Monotonic seconds at which the item just heard, of device time ``ts``, was measured, at the latest; for ever ago where nobody can
        tell.
        """
        return _NEVER if self.offset is None or self.jumped else (ts + self.offset) / 1000


@dataclass(slots=True)
class Pace:
    """Items that look old. A backlog comes faster than it was measured; a device that speaks now comes at the pace of real time."""

    order: Order = (-1, -1)
    ts: int = -1
    heard: float = float("-inf")
    begun: float = 0.0
    items: int = 0

    def goes_on(self, order: Order, ts: int, heard: float) -> bool:
        """Whether this item follows the last one at the pace of real time, a second later at least."""
        return heard - self.heard >= _GOES_ON_S and self._follows(order, ts, heard)

    def live(self, order: Order, ts: int, heard: float) -> bool:
        """Take in an item that looks old; True when enough of them have kept the pace."""
        if order == self.order and ts == self.ts:
            return False
        self.items = self.items + 1 if self._follows(order, ts, heard) else 1
        if self.items == 1:
            self.begun = heard
        self.order, self.ts, self.heard = order, ts, heard
        return self.items >= _LIVE_ITEMS and heard - self.begun >= _LIVE_S

    def _follows(self, order: Order, ts: int, heard: float) -> bool:
        if self.items == 0 or order < self.order or ts <= self.ts:
            return False
        return abs((heard - self.heard) * 1000 - (ts - self.ts)) <= _JITTER_MS
