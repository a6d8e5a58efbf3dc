"""The telephone lines there are, and who waits for one: a storm of leaks asks for more calls than can be made at once.

First calls of every home come before anybody's second, within that the more urgent home first, then whoever asked first: so nobody
waits for ever and nobody is forgotten. Plain data; refuses to know what a call is.
"""

import heapq
from collections import OrderedDict
from uuid import UUID

Rank = tuple[int, int]
"""(how often this home has had its turn, priority of its order): the smaller is served first."""


class Lines:
    """``capacity`` lines. A call waits, then has a line until it is let go."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._asked = 0
        self._waiting: dict[UUID, tuple[Rank, int]] = {}
        self._queue: list[tuple[Rank, int, UUID]] = []
        self._busy: OrderedDict[UUID, int] = OrderedDict()

    def want(self, call: UUID, rank: Rank) -> None:
        """This call waits for a line, or waits at a new rank. One that has a line keeps it."""
        if call in self._busy:
            return
        known = self._waiting.get(call)
        if known is not None and known[0] == rank:
            return
        if known is None:
            self._asked += 1
        turn = (rank, self._asked if known is None else known[1])
        self._waiting[call] = turn
        heapq.heappush(self._queue, (*turn, call))

    def next(self, now_ms: int) -> UUID | None:
        """The waiting call that gets a line now (Unix ms); None when none waits or no line is free."""
        while self._queue and len(self._busy) < self._capacity:
            rank, asked, call = heapq.heappop(self._queue)
            # An entry of an earlier rank, or of a call that does not wait any more, is left behind in the queue.
            if self._waiting.get(call) == (rank, asked):
                del self._waiting[call]
                self._busy[call] = now_ms
                return call
        return None

    def hold(self, call: UUID, now_ms: int) -> None:
        """This call has a line already, whether one was free or not: an earlier life of this process made it."""
        self._waiting.pop(call, None)
        self._busy.setdefault(call, now_ms)

    def let_go(self, call: UUID) -> bool:
        """The call is over, or not wanted any more; whether it was still waiting."""
        self._busy.pop(call, None)
        return self._waiting.pop(call, None) is not None

    def waits(self, call: UUID) -> bool:
        """Whether the call has no line yet."""
        return call in self._waiting

    def oldest_ms(self) -> int | None:
        """Since when (Unix ms) the call that has had its line for longest has it."""
        return next(iter(self._busy.values()), None)

    def oldest(self) -> UUID | None:
        """The call that has had its line for longest."""
        return next(iter(self._busy), None)

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._waiting)

    @property
    def busy(self) -> int:
        """How many calls have a line."""
        return len(self._busy)
