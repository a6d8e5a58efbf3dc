"""Plays one scenario against a running platform and reports what held.

Decides the order of a scenario: who plays, what leaks, when it is over. Speaks to the platform as its devices, its telephones and its
technicians do; the report is judged from what they saw and what the platform says of it.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import count
from typing import Any, Self

from core.errors import GasSentinelError, UserError
from simulator.cast import cast, home_plan, resume
from simulator.narration import Narrate, silent
from simulator.phones.exchange import PhoneExchange
from simulator.platform import PlatformApi, PlatformLine, PlatformLostError, platform_line
from simulator.report import Report
from simulator.report.collect import crews, incidents, quarantined, stored
from simulator.report.facts import Facts
from simulator.scenarios import Scenario, load
from simulator.story_phones import StoryPhones, number_of
from simulator.technicians import Technicians, Tempo
from simulator.world.home import HomePlan, SimulatedHome, Traits, varied
from simulator.world.radio import Radio
from simulator.world.town import Town

_HEALTHY_S = 30.0
_HEARD_S = 30.0
_LOOK_S = 0.5
_SETTLE_S = 2.0
_client = count()


def run_scenario(
    name: str,
    platform: Mapping[str, Any],
    seed: int,
    *,
    on_progress: Narrate = silent,
    clock_rate: float = 1.0,
    world_rate: float | None = None,
) -> Report:
    """Play scenario ``name``; ``platform`` is the JSON line that ``up`` printed. See :func:`play`."""
    return asyncio.run(play(name, platform, seed, on_progress=on_progress, clock_rate=clock_rate, world_rate=world_rate))


async def play(
    name: str,
    platform: Mapping[str, Any],
    seed: int,
    *,
    on_progress: Narrate = silent,
    clock_rate: float = 1.0,
    world_rate: float | None = None,
) -> Report:
    """Play a scenario to its end or its time limit.

    ``clock_rate`` is used where the platform's line names none; ``world_rate`` is how many times faster than the clock gas gathers
    (None: as the scenario says). Raises UserError when the platform is not ready or has no homes to play with.
    """
    scenario = load(name)
    line = platform_line({"clock_rate": clock_rate, **platform})
    async with PlatformApi(line.http) as api, Stage(scenario, line, api, seed, on_progress) as stage:
        await stage.settle()
        timed_out = await stage.act(world_rate)
        return Report.of(await stage.facts(timed_out))


class Stage:
    """A scenario under way: the town, its radio, phones and technicians. ``async with``."""

    def __init__(self, scenario: Scenario, line: PlatformLine, api: PlatformApi, seed: int, narrate: Narrate) -> None:
        self._scenario = scenario
        self._line = line
        self._api = api
        self._seed = seed
        self._narrate = narrate
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._clock = line.clock()
        self._started_ms = self._clock.now_ms()

    async def __aenter__(self) -> Self:
        try:
            await self._build()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def _build(self) -> None:
        scenario, seed, clock, mqtt = self._scenario, self._seed, self._clock, self._line.mqtt
        await self._api.wait_healthy(_HEALTHY_S)
        found = await cast(self._api, homes=scenario.homes, seed=seed, purpose=scenario.name, now_ms=clock.now_ms())
        homes = [self._home(home) for home in found]
        self._story: HomePlan = homes[0].plan
        homes[0].fit(self._traits())
        exchange = PhoneExchange(self._line.sim_sip, seed=seed, clock_rate=clock.rate, clock_epoch_ms=self._line.clock_epoch_ms)
        await self._stack.enter_async_context(exchange)
        for way in scenario.phones:
            number = number_of(self._story.phones[way.position - 1])
            await exchange.set_behaviour(number, way.manner, rings_s=way.rings_s, listens_s=way.listens_s)
        client = f"fleet-{scenario.name}-{os.getpid()}-{next(_client)}"
        radio = Radio(mqtt.host, mqtt.port, mqtt.username, mqtt.password, client)
        await self._stack.enter_async_context(radio)
        boot = self._started_ms // 1000
        self._town = Town(homes, seed=seed, boot=boot, clock=clock, send=radio.send, narrate=self._narrate)
        radio.listen(self._town.receive)
        leaking = {self._story.home_id}
        self._phones = StoryPhones(exchange, self._town, leaking.__contains__)
        tempo = Tempo(drive_s=scenario.drive_s)
        self._technicians = Technicians(self._api, self._town, seed=seed, clock=clock, tempo=tempo)
        self._town.begin()
        for work in (self._town.run(), self._phones.run(), self._technicians.run()):
            self._tasks.append(asyncio.create_task(work))

    def _home(self, found: Mapping[str, Any]) -> SimulatedHome:
        plan = home_plan(found)
        home = SimulatedHome(plan, varied(self._seed, plan.home_id, Traits()), self._seed)
        resume(home, found)
        return home

    def _traits(self) -> Traits:
        told = self._scenario.home.model_dump(exclude={"leak_m3h", "gather_shown_s"})
        return replace(varied(self._seed, self._story.home_id, Traits()), **told)

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    def _check(self) -> None:
        """Raise what ended one of our own parts: a story without it would accuse the platform falsely."""
        for task in self._tasks:
            if task.done():
                task.result()
                raise GasSentinelError("a part of the simulation ended by itself")

    async def settle(self) -> None:
        """Wait until the platform has heard every device of the story's home. Raises UserError when it does not."""
        self._tell_start()
        for _ in range(round(_HEARD_S / _LOOK_S)):
            self._check()
            home = await self._api.get(f"homes/{self._story.home_id}")
            states = [device["state"] for device in home["devices"] if not device["retired"]]
            if all(state is not None and state["heard_ms"] >= self._started_ms for state in states):
                return
            await asyncio.sleep(_LOOK_S)
        raise UserError(
            f"平台在 {_HEARD_S:.0f} 秒内没有收到住户 {self._story.home_id} 的上报",
            f"the platform has not heard home {self._story.home_id} within {_HEARD_S:.0f} s",
        )

    def _tell_start(self) -> None:
        title, plan = self._scenario.title, self._story
        zh = f"场景“{title.zh}”：{plan.address_zh}，周边 {self._scenario.homes - 1} 户正常上报"
        en = f"scenario '{title.en}': {plan.address_en}; {self._scenario.homes - 1} homes around report as usual"
        self._town.households[plan.home_id].tell(zh, en)

    async def act(self, world_rate: float | None) -> bool:
        """Let it leak and follow to the end state. Returns whether the time ran out."""
        scenario, home = self._scenario, self._scenario.home
        ends_s = self._clock.monotonic() + scenario.time_limit_s
        if home.leak_m3h is None:
            self._town.watch(self._story.home_id)
            await self._watch(scenario.watch_s)
            return False
        shown_s = home.gather_shown_s
        self._town.start_leak(self._story.home_id, home.leak_m3h, shown_s=shown_s, rate=world_rate)
        while self._clock.monotonic() < ends_s:
            await self._watch(_LOOK_S)
            if await self._is_over():
                await self._watch(_SETTLE_S)
                return False
        return True

    async def _watch(self, seconds: float) -> None:
        self._check()
        await self._clock.sleep(seconds)

    async def _is_over(self) -> bool:
        """The story's incident is closed and nothing of ours waits for the platform any more."""
        if self._town.unacknowledged:
            return False
        try:
            page = await self._api.get("incidents", home_id=self._story.home_id, since_ms=self._started_ms)
        except PlatformLostError:
            return False
        found = page["items"]
        if not found or any(incident["state"] == "open" for incident in found):
            return False
        return all(incident["order"] is not None and incident["order"]["state"] == "archived" for incident in found)

    async def facts(self, timed_out: bool) -> Facts:
        """Everything that the report is judged from. The town is taken off the air."""
        homes, town, since_ms = self._town.households, self._town, self._started_ms
        accounts = {place.account for household in homes.values() for place in household.places.values()}
        ended_ms, unacknowledged = self._clock.now_ms(), town.unacknowledged
        found = await incidents(self._api, homes, accounts, since_ms)
        facts = Facts(
            scenario=self._scenario,
            seed=self._seed,
            clock_rate=self._clock.rate,
            started_ms=since_ms,
            ended_ms=ended_ms,
            story_home=self._story.home_id,
            plans={home_id: household.home.plan for home_id, household in homes.items()},
            record=town.record,
            unacknowledged=unacknowledged,
            incidents=found,
            phones=tuple(self._phones.reports),
            crews=await crews(self._api),
            quarantined=await quarantined(self._line.postgres, accounts, since_ms),
            stored=await stored(self._api, self._story.home_id, since_ms),
            timed_out=timed_out,
        )
        town.fall_silent()
        return facts
