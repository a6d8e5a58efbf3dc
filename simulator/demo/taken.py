"""Which crews people play just now: the simulated technicians leave the orders of such a crew alone.

Decides how long a crew is a person's after the last sign of life of his page. Knows no order and nothing of the platform.
"""

from typing import Final

from core.clock import Clock

LEASE_S: Final = 120.0
"""A page that is open tells of itself every half minute, one in the background every minute: a word may be lost."""
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

    def __contains__(self, crew_id: object) -> bool:
        return isinstance(crew_id, str) and self._until_s.get(crew_id, 0.0) > self._clock.monotonic()

    def latest(self) -> dict[str, float]:
        """The crews that people play -> clock seconds that are left, the last one heard of first."""
        now_s = self._clock.monotonic()
        self._until_s = {crew_id: until_s for crew_id, until_s in self._until_s.items() if until_s > now_s}
        return {crew_id: round(until_s - now_s, 1) for crew_id, until_s in reversed(self._until_s.items())}
