"""The latest events of the stream, numbered, so that a watcher who lost his connection goes on where he was.

Decides how long an event is kept, and that what was told of somebody's home in clear is judged anew once its incident is over: who comes
back later is sent what the lists show him by then. Refuses to know who sees an event: each carries what that is judged by.
"""

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

from fastapi.sse import format_sse_event
from pydantic import BaseModel

from console.access.in_scope import Tie, sees
from console.access.who import Who

MOST_EVENTS: Final = 10_000
MOST_BYTES: Final = 64 * 1024 * 1024
LONGEST_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Told:
    """A thing that changed, as it is shown in clear and masked; ``clear_for`` says who is shown it in clear, ``seen_by`` who at all.

    ``whose``: the home that it is of, where its people are shown in clear only while an incident is open there; with ``over`` none is, and
    ``clear_for`` is from now on also who is shown in clear what was told of this home before.
    """

    name: str
    clear: BaseModel
    masked: BaseModel
    seen_by: Callable[[Who], bool]
    clear_for: Callable[[Who], bool]
    whose: str | None = None
    over: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """A frame of the wire format in its two renderings, made once for all watchers. ``seen_by`` None: everybody's."""

    clear: bytes
    masked: bytes
    at_s: float
    seen_by: Callable[[Who], bool] | None
    clear_for: Callable[[Who], bool] | None
    whose: str | None = None

    def frame(self, who: Who) -> bytes | None:
        """What ``who`` is sent; None when it is not his to see."""
        if self.seen_by is None or self.clear_for is None:
            return self.masked
        if not self.seen_by(who):
            return None
        return self.clear if self.clear_for(who) else self.masked


def in_scope(tie: Tie) -> Callable[[Who], bool]:
    """Seen by those in whose scope a thing with this tie is."""
    return lambda who: sees(who.scope, tie)


class Ring:
    """Events with growing numbers, the oldest dropped by number, size and age. ``life`` names this run of the console."""

    def __init__(self, most: int = MOST_EVENTS, seconds: float = LONGEST_SECONDS, size: int = MOST_BYTES) -> None:
        self.life = secrets.token_hex(6)
        self.first, self.last = 1, 0
        self._events: dict[int, Event] = {}
        self._most = most
        self._seconds = seconds
        self._size_max = size
        self._size = 0
        self._open: dict[str, deque[int]] = {}
        """The numbers of what was told in clear of each home whose incident is open, oldest first."""

    def tell(self, told: Told) -> None:
        """Add a thing that changed."""
        clear, masked = told.clear.model_dump_json(), told.masked.model_dump_json()
        shown = self._frame(told.name, masked)
        whose = None if clear == masked or told.over else told.whose
        in_clear = shown if clear == masked else self._frame(told.name, clear)
        self._add(Event(in_clear, shown, monotonic(), told.seen_by, told.clear_for, whose))
        if told.over and told.whose is not None:
            for number in self._open.pop(told.whose, ()):
                self._events[number] = replace(self._events[number], clear_for=told.clear_for, whose=None)

    def tell_all(self, name: str, data: str, seen_by: Callable[[Who], bool] | None = None) -> None:
        """Add an event that says nothing of anybody, for all or for those whom ``seen_by`` names."""
        frame = self._frame(name, data)
        self._add(Event(frame, frame, monotonic(), seen_by, seen_by))

    def get(self, number: int) -> Event | None:
        """An event that is still kept."""
        return self._events.get(number)

    def forget(self) -> None:
        """Drop everything: what follows is not joined to it."""
        self._events.clear()
        self._open.clear()
        self._size = 0
        # A number is left out, so that nobody who was there before goes on as if nothing were missing.
        self.last += 1
        self.first = self.last + 1

    def follows(self, number: int) -> bool:
        """Whether everything after the event with this number is still here."""
        return self.first - 1 <= number <= self.last

    def position(self, last_event_id: str | None) -> int | None:
        """The number in an id that this life of the console gave; None for any other."""
        life, _, number = (last_event_id or "").rpartition("-")
        return int(number) if life == self.life and number.isascii() and number.isdecimal() and len(number) < 19 else None

    def id_of(self, number: int) -> str:
        """The id of an event, as it is told."""
        return f"{self.life}-{number}"

    def _frame(self, name: str, data: str) -> bytes:
        return format_sse_event(event=name, id=self.id_of(self.last + 1), data_str=data)

    def _add(self, event: Event) -> None:
        self.last += 1
        self._events[self.last] = event
        self._size += _weight(event)
        if event.whose is not None:
            self._open.setdefault(event.whose, deque()).append(self.last)
        while self._events and self._too_much(self._events[self.first], event.at_s):
            self._drop(self._events.pop(self.first))
            self.first += 1

    def _drop(self, oldest: Event) -> None:
        self._size -= _weight(oldest)
        if oldest.whose is not None:
            numbers = self._open[oldest.whose]
            numbers.popleft()
            if not numbers:
                del self._open[oldest.whose]

    def _too_much(self, oldest: Event, now_s: float) -> bool:
        return len(self._events) > self._most or self._size > self._size_max or now_s - oldest.at_s > self._seconds


def _weight(event: Event) -> int:
    return len(event.masked) if event.clear is event.masked else len(event.masked) + len(event.clear)
