"""Our QoS 1 messages until the broker has them. Decides what may be written now, waits, is sent again, or is refused.

Holds the broker's receive window, two waiting lines (urgent before ordinary) with a bound each, and the packet ids. Knows no
socket: it is told of confirmations and connections and answers with bytes to write.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

from core.errors import LinkError
from core.mqtt.frames import set_duplicate

LAST_ID: Final = 65_535
_URGENT_SHARE: Final = 8


@dataclass(slots=True, eq=False)
class Unconfirmed:
    """One QoS 1 message of ours. ``encoded`` is the whole packet."""

    packet_id: int
    encoded: bytes
    urgent: bool
    confirmed: "asyncio.Future[None]"
    written: bool = False  # on this connection or an earlier one
    on_wire: bool = False  # on this connection


class Outgoing:
    """The ledger of unconfirmed messages of one link. ``bound`` is the most that each of the two kinds may hold."""

    def __init__(self, bound: int) -> None:
        if not 0 < bound < LAST_ID // 2:
            raise ValueError("there are not enough packet ids for so many unconfirmed messages")
        self._bound = bound
        self._window = 0  # 0 = not connected: nothing may be written
        self._kept_for_urgent = 0
        self._unconfirmed: dict[int, Unconfirmed] = {}
        self._urgent: deque[Unconfirmed] = deque()
        self._again: deque[Unconfirmed] = deque()
        self._ordinary: deque[Unconfirmed] = deque()
        self._of_kind = [0, 0]  # ordinary, urgent
        self._on_wire = 0
        self._last_id = 0
        self._other_ids: set[int] = set()

    def __len__(self) -> int:
        return len(self._unconfirmed)

    def next_id(self) -> int:
        """A packet id that is not in use."""
        while True:
            self._last_id = self._last_id % LAST_ID + 1
            if self._last_id not in self._unconfirmed and self._last_id not in self._other_ids:
                return self._last_id

    def reserve_id(self) -> int:
        """A packet id for a packet that is no publish, until :meth:`release_id` or the next connection."""
        packet_id = self.next_id()
        self._other_ids.add(packet_id)
        return packet_id

    def release_id(self, packet_id: int) -> None:
        """The broker answered the packet with this id."""
        self._other_ids.discard(packet_id)

    def check_room(self, urgent: bool) -> None:
        """Raises LinkError when no more message of this kind is taken."""
        if self._of_kind[urgent] >= self._bound:
            raise LinkError(f"{self._bound} messages are unconfirmed by the broker, no more are taken")

    def add(self, message: Unconfirmed) -> bytes | None:
        """Take a message. Returns its packet when it may be written now, None when it has to wait."""
        self._unconfirmed[message.packet_id] = message
        self._of_kind[message.urgent] += 1
        line = self._urgent if message.urgent else self._ordinary
        if line or not self._may_write(message.urgent) or (self._again and not message.urgent):
            line.append(message)
            return None
        return self._write(message)

    def confirm(self, packet_id: int) -> Unconfirmed | None:
        """The broker answered this publish: forget it and return it. None when we wait for no such answer."""
        message = self._unconfirmed.get(packet_id)
        if message is None or not message.on_wire:
            return None
        del self._unconfirmed[packet_id]
        self._of_kind[message.urgent] -= 1
        self._on_wire -= 1
        return message

    def connected(self, window: int, session_present: bool) -> int:
        """A new connection takes up to ``window`` unconfirmed messages. Returns how many were written before and go again.

        Those go in their old order, the urgent ones first, marked as duplicates where the broker still knows the session.
        """
        self._window = window
        self._kept_for_urgent = window // _URGENT_SHARE
        self._on_wire = 0
        self._other_ids.clear()
        again = [m for m in self._unconfirmed.values() if m.written]
        for message in again:
            message.on_wire = False
            message.encoded = set_duplicate(message.encoded, session_present)
        self._again = deque(sorted(again, key=lambda m: not m.urgent))
        return len(again)

    def lost(self) -> None:
        """The connection is gone: until :meth:`connected` everything waits."""
        self._window = 0

    def due(self) -> list[bytes]:
        """Everything that waits and may be written now, in the order to write it."""
        packets = []
        while self._may_write(True):
            line = self._again if self._again and self._again[0].urgent else self._urgent
            if not line:
                if not self._may_write(False):
                    break
                line = self._again or self._ordinary
                if not line:
                    break
            packets.append(self._write(line.popleft()))
        return packets

    def give_up(self) -> list[Unconfirmed]:
        """Forget everything; returns it."""
        left = list(self._unconfirmed.values())
        for line in (self._urgent, self._again, self._ordinary):
            line.clear()
        self._unconfirmed.clear()
        self._of_kind = [0, 0]
        self._on_wire = self._window = 0
        return left

    def _may_write(self, urgent: bool) -> bool:
        # The last part of the window is for urgent ones, so that a close never waits for the confirmation of something else.
        return self._on_wire < (self._window if urgent else self._window - self._kept_for_urgent)

    def _write(self, message: Unconfirmed) -> bytes:
        message.on_wire = message.written = True
        self._on_wire += 1
        return message.encoded
