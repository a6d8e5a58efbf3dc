"""Which crews people play just now: the simulated technicians leave the orders of such a crew alone.

Decides how long a crew is a person's after the last sign of life of his page, and how soon it is no longer his when that page closes.
Knows no order and nothing of the platform.
"""

from typing import Final

from core.clock import Clock

LEASE_S: Final = 75.0
"""A page that is open tells of itself every half minute, one in the background every minute. Only one that is gone without a word (a
browser that was killed, a network that broke) keeps its crew for so long."""
LEFT_S: Final = 5.0
"""A page that closes says so; one that is only read again is back by then."""
_MOST: Final = 200
"""More crews than any simulated district has."""


class Taken:
    """``crew_id in taken`` says whether a person plays this crew now."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until_s: dict[str, float] = {}

    def take(self, crew_id: str) -> None:
        """A person's page shows a sign of life: the crew is his for :data:`LEASE_S` clock seconds more."""
        self._until_s.pop(crew_id, None)
        self._until_s[crew_id] = self._clock.monotonic() + LEASE_S
        while len(self._until_s) > _MOST:
            del self._until_s[next(iter(self._until_s))]

    def leave(self, crew_id: str) -> float:
        """A person's page closes: the crew is his for :data:`LEFT_S` clock seconds more, if it still is; returns how many are left."""
        now_s = self._clock.monotonic()
        if crew_id not in self:
            return 0.0
        self._until_s[crew_id] = min(self._until_s[crew_id], now_s + LEFT_S)
        return self._until_s[crew_id] - now_s

    def __contains__(self, crew_id: object) -> bool:
        return isinstance(crew_id, str) and self._until_s.get(crew_id, 0.0) > self._clock.monotonic()

    def latest(self) -> dict[str, float]:
        """The crews that people play -> clock seconds that are left, the last one heard of first."""
        now_s = self._clock.monotonic()
        self._until_s = {crew_id: until_s for crew_id, until_s in self._until_s.items() if until_s > now_s}
        return {crew_id: round(until_s - now_s, 1) for crew_id, until_s in reversed(self._until_s.items())}
