"""The steps of a scenario, done to a town when their time has come.

Decides when each step is due, one after the other, and what it does. Refuses to know the platform: a step that asks something of it is
handed to ``ask``. Deterministic: what is drawn is drawn by the seed and the home's id.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial

from simulator.scenarios import PLATFORM_STEPS, Scenario, Step
from simulator.world.household import Household
from simulator.world.power import lose, regain
from simulator.world.town import Town

STRANGER = "X9900000001"
"""The account of the stranger: no registry of a simulated city has an id like it."""

Ask = Callable[[Step], None]
"""Asks the platform for what a step says; returns at once."""


class Plot:
    """A scenario's steps in ``town``. ``leaking`` are the homes that leak, the story's first; ``rate`` compresses the gathering of gas
    by that factor instead of the scenario's own. :meth:`begin`, then the town's ticks do the rest.
    """

    def __init__(
        self, scenario: Scenario, town: Town, leaking: Sequence[str], *, seed: int, rate: float | None = None, ask: Ask | None = None
    ) -> None:
        self._scenario = scenario
        self._town = town
        self._leaking = tuple(leaking)
        self._seed = seed
        self._rate = rate
        self._ask = ask
        self._due = list(scenario.acts)
        self._met_s: float | None = None
        self._started_s = 0.0
        self._before_s = 0.0
        self._to_come = 0

    @property
    def story(self) -> Household:
        """The household of the story's home."""
        return self._town.households[self._leaking[0]]

    @property
    def over(self) -> bool:
        """Whether every step has been done, and every leak that was due has begun."""
        return not self._due and self._to_come == 0

    def begin(self) -> None:
        """The start that steps are timed by is now."""
        self._started_s = self._before_s = self._town.clock.monotonic()
        self._town.attend(self._look)
        self._look()

    def _look(self) -> None:
        """Do every step whose time has come."""
        while self._due:
            step, now_s = self._due[0], self._town.clock.monotonic()
            if self._met_s is None:
                self._met_s = self._met(step, now_s)
            if self._met_s is None or now_s < self._met_s + step.after_s:
                return
            del self._due[0]
            self._met_s, self._before_s = None, now_s
            self._do(step)
            self._town.record.steps.append((step.do, self._town.clock.now_ms()))

    def _met(self, step: Step, now_s: float) -> float | None:
        """When what the step waits for came about; None while it has not."""
        if step.at == "start":
            return self._started_s
        if self._to_come:
            return None
        if step.at == "before":
            return self._before_s
        leak, home_id = self.story.leak, self._leaking[0]
        if leak is None or leak.published_ms is None:
            return None
        if step.at == "told":
            return now_s
        moves = self._town.record.moves_to(home_id, "closed" if step.at == "closed" else "open")
        return now_s if any(move.at_ms >= leak.started_ms for move in moves) else None

    # --- what is done ---------------------------------------------------------------------------------------

    def _do(self, step: Step) -> None:
        if step.do in PLATFORM_STEPS:
            if self._ask is not None:
                self._ask(step)
            return
        town, home_id, value = self._town, self._leaking[0], step.value
        match step.do:
            case "leak":
                self._leak(value)
            case "hub_down" | "hub_up":
                self._hub(up=step.do == "hub_up")
            case "power_cut":
                self._power_cut(0.5 if value is None else value)
            case "power_back":
                for household in self._building():
                    regain(household)
                self.story.tell("整栋恢复供电", "the building has power again")
            case "stranger_leaks":
                town.stranger_leaks(STRANGER, round(value or 1))
                self.story.tell("一个未登记的账号报泄漏", "an account that nobody registered reports a leak")
            case "late_alarm":
                town.deliver_late(home_id, 2.0 if value is None else value)
            case "credit":
                town.set_credit(home_id, value or 0.0)
            case "pay":
                town.pay(home_id, value or 0.0)

    def _leak(self, leak_m3h: float | None) -> None:
        """The leaks begin, spread as the mixture says; the story's is first."""
        home, mixture = self._scenario.home, self._scenario.mixture
        flow_m3h = home.leak_m3h if leak_m3h is None else leak_m3h
        if flow_m3h is None:
            return
        for number, home_id in enumerate(self._leaking):
            dice = random.Random(f"{self._seed}/{home_id}/storm")
            later_s = 0.0 if number == 0 or mixture is None else dice.uniform(0.0, mixture.spread_s)
            self._to_come += 1
            if later_s == 0.0:
                self._begin_leak(home_id, flow_m3h)
            else:
                self._town.after(later_s, partial(self._begin_leak, home_id, flow_m3h))

    def _begin_leak(self, home_id: str, flow_m3h: float) -> None:
        self._to_come -= 1
        self._town.start_leak(home_id, flow_m3h, shown_s=self._scenario.home.gather_shown_s, rate=self._rate)

    def _hub(self, *, up: bool) -> None:
        hub = next((place.hub for place in self.story.places.values() if place.hub is not None), None)
        if hub is None:
            return
        if up:
            self._town.hubs[hub].come_back()
            self.story.tell(f"集中器 {hub} 恢复连接", f"hub {hub} is back")
        else:
            self._town.hubs[hub].lose_connection()
            self.story.tell(f"集中器 {hub} 断线", f"hub {hub} has lost its connection")

    def _building(self) -> list[Household]:
        building = self.story.home.plan.building
        return [household for household in self._town.households.values() if household.home.plan.building == building]

    def _power_cut(self, battery: float) -> None:
        """Some detectors live on by their battery; whose is drawn."""
        dark = self._building()
        for household in dark:
            home_id = household.home.plan.home_id
            lasts = random.Random(f"{self._seed}/{home_id}/battery").random() < battery
            self._town.record.dark.append(home_id)
            lose(household, self._town.after, battery=lasts)
        self.story.tell(f"整栋停电：{len(dark)} 户", f"the building is dark: {len(dark)} homes")
