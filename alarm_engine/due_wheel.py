"""A wheel of due times for hundreds of thousands of things: one slot a second, a bounded number of looks a turn.

Knows seconds and things, not what is due. A heap would hold a tuple a thing; a slot holds the thing alone.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class DueWheel(Generic[Thing]):
    """Things by the second at which they are due. What is not looked at in one turn comes first in the next."""

    def __init__(self) -> None:
        self._slots: dict[int, list[Thing]] = {}
        self._slot = 0

    def put(self, thing: Thing, due: float) -> int:
        """Have ``thing`` come out in the turn after ``due`` (seconds); returns the slot, by which an older entry is told apart."""
        slot = max(int(due) + 1, self._slot)
        self._slots.setdefault(slot, []).append(thing)
        return slot

    def turn(self, now: float, most: int) -> Iterator[tuple[int, Thing]]:
        """Up to ``most`` things that are due at ``now``, each with its slot."""
        while self._slot <= now and most > 0:
            slot = self._slots.get(self._slot)
            while slot and most > 0:
                most -= 1
                yield self._slot, slot.pop()
            if slot:
                return
            self._slots.pop(self._slot, None)
            self._slot += 1
