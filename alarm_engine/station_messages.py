"""What dispatch has not confirmed yet: repeated over the broker until it says that it has it. The outbox is the second way.

Decides only when to repeat; what is said is the engine's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from core.clock import Clock
from core.station import Taken

_FIRST_S = 1.0
_LONGEST_S = 30.0
_MOST = 5_000


@dataclass(slots=True)
class _Waiting:
    payload: bytes
    due: float
    delay: float


class StationMessages:
    """Sends messages to dispatch through ``publish`` and repeats them at 1, 2, 4 ... 30 s until taken."""

    def __init__(self, clock: Clock, publish: Callable[[bytes], None]) -> None:
        self._clock = clock
        self._publish = publish
        self._waiting: dict[UUID, _Waiting] = {}

    @property
    def depth(self) -> int:
        """Messages not confirmed."""
        return len(self._waiting)

    def send(self, message_id: UUID, payload: bytes) -> None:
        """Publish now and watch over it."""
        self._publish(payload)
        # Beyond the bound the outbox alone carries it.
        if len(self._waiting) < _MOST:
            self._waiting[message_id] = _Waiting(payload, self._clock.monotonic() + _FIRST_S, _FIRST_S)

    def taken(self, payload: bytes) -> None:
        """Dispatch answered on the line's topic. Anything unreadable is ignored: the repeat goes on."""
        try:
            answer = Taken.model_validate_json(payload)
        except ValueError:
            return
        self._waiting.pop(answer.message_id, None)

    def unconfirmed(self) -> dict[UUID, bytes]:
        """Messages that dispatch has not confirmed, for the snapshot."""
        return {message_id: waiting.payload for message_id, waiting in self._waiting.items()}

    def tick(self) -> None:
        """Repeat what is due."""
        now = self._clock.monotonic()
        for waiting in self._waiting.values():
            if waiting.due <= now:
                waiting.delay = min(waiting.delay * 2, _LONGEST_S)
                waiting.due = now + waiting.delay
                self._publish(waiting.payload)
