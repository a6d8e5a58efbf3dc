"""Which homes are stepped finely, how fast their world runs against the clock, and in which steps.

Decides the length of a step from what goes on in the home alone, so that the same home takes the same steps however late a tick comes:
short while a valve moves (it arrives on time whatever the step), a second while gas gathers near the set-point, longer while it is far
from it. Refuses to know why a home is watched and what anybody says of it.
"""

from dataclasses import dataclass

from core.clock import Clock
from simulator.world.household import Household

TICK_S = 0.1
_MOVING_S = 0.2
_AT_REST_S = 0.5
_NEAR_S = 1.0
_FAR_S = 10.0
_NEAR_SHARE = 0.8
"""Of the set-point in the room: a laser of 12 s T90 follows the air closely enough until then."""
_MOST_STEPS_A_TICK = 2_000


@dataclass(slots=True)
class Watched:
    """A home that is stepped at every tick; ``rate`` is how many of its seconds one clock second stands for.

    ``until_rest``: nothing happens in it but its valve moving, so that it needs no steps once that is at rest.
    """

    household: Household
    stepped_s: float
    rate: float = 1.0
    debt_s: float = 0.0
    gathering: bool = False
    until_rest: bool = False

    def step_s(self) -> float:
        """The next step's length in seconds of the home's world."""
        home = self.household.home
        if home.moving:
            return _MOVING_S
        if not self.gathering:
            return _AT_REST_S
        set_point_lel = min(home.plan.set_point_lel, home.traits.own_set_point_lel or home.plan.set_point_lel)
        return _FAR_S if home.air.ch4_lel < _NEAR_SHARE * set_point_lel else _NEAR_S

    def gather_at(self, rate: float) -> None:
        """Gas gathers: so many seconds a clock second, until a detector shows it."""
        self.gathering, self.rate = True, rate

    def as_the_clock(self) -> None:
        """The home's time runs as the clock from now on."""
        self.gathering, self.rate, self.debt_s = False, 1.0, 0.0


class Watch:
    """The watched homes, and up to when each home of the town has been stepped."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watched: dict[str, Watched] = {}
        self._stepped_s: dict[str, float] = {}

    def __getitem__(self, home_id: str) -> Watched:
        return self._watched[home_id]

    def __contains__(self, home_id: object) -> bool:
        return home_id in self._watched

    def begin(self, home_id: str) -> None:
        """The home's time begins now."""
        self._stepped_s[home_id] = self._clock.monotonic()

    def catch_up(self, household: Household) -> None:
        """Step the home up to now: in one step where nobody watches it, the rest of a step where somebody does."""
        home_id, now_s = household.home.plan.home_id, self._clock.monotonic()
        watched = self._watched.get(home_id)
        if watched is None:
            household.pass_time(now_s - self._stepped_s.get(home_id, now_s))
            self._stepped_s[home_id] = now_s
        elif watched.rate == 1.0:
            self._step(watched, now_s)
            household.pass_time(watched.debt_s)
            watched.debt_s = 0.0

    def tick(self) -> None:
        """Step every watched home up to now; let go of those that came to rest."""
        now_s = self._clock.monotonic()
        for home_id, watched in list(self._watched.items()):
            self._step(watched, now_s)
            if watched.until_rest and watched.household.at_rest:
                del self._watched[home_id]

    def _step(self, watched: Watched, now_s: float) -> None:
        watched.debt_s += (now_s - watched.stepped_s) * watched.rate
        watched.stepped_s = now_s
        for _ in range(_MOST_STEPS_A_TICK):
            step_s = watched.step_s()
            if watched.debt_s < step_s:
                break
            watched.debt_s -= step_s
            if watched.household.pass_time(step_s) and watched.gathering:
                watched.as_the_clock()
        self._stepped_s[watched.household.home.plan.home_id] = now_s

    def watch(self, household: Household, *, until_rest: bool = False) -> Watched:
        """Step this home finely from now on; ``until_rest`` only if nobody watches it for longer."""
        home_id = household.home.plan.home_id
        if home_id not in self._watched:
            self.catch_up(household)
            self._watched[home_id] = Watched(household, self._clock.monotonic(), until_rest=until_rest)
        elif not until_rest:
            self._watched[home_id].until_rest = False
        return self._watched[home_id]

    def unwatch(self, home_id: str) -> None:
        """Step this home only when it reports."""
        self._watched.pop(home_id, None)
