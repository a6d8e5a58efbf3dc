"""Plays one scenario against a running platform and reports what held.

Decides the order of a scenario: who plays, when it begins, when it is over. Speaks to the platform as its devices, its telephones and
its technicians do; the report is judged from what they saw and what the platform says of it.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import count
from typing import Any, Protocol, Self

from core.errors import GasSentinelError, UserError
from simulator.cast import Cast, engage
from simulator.narration import Narrate, StoryLine, silent
from simulator.phones.exchange import PhoneExchange
from simulator.platform import PlatformApi, PlatformLine, PlatformLostError, platform_line
from simulator.report import Report
from simulator.report.collect import Books, crews, incidents, stored
from simulator.report.facts import Counts, Facts
from simulator.scenarios import Scenario, Served, Step, load
from simulator.story_phones import StoryPhones, number_of
from simulator.technicians import Technicians, Tempo
from simulator.witness import Witness, served
from simulator.world.plot import Plot
from simulator.world.radio import Radio
from simulator.world.town import INTRODUCTION_S, Town

_HEALTHY_S = 90.0
_HEALTHY_AGAIN_S = 180.0
_HEARD_S = 30.0
_HEARD_MANY_S = 60.0
_MANY = 50
_TOLD_TOGETHER = 4
_COUNT_EVERY = 10
_LOOK_S = 0.5
_SETTLE_S = 2.0
_CALM_S = 4.0
_TIME_UNDER_FIRE = 3.0
"""A crash costs time: a scenario in which parts are killed may take so many times as long."""
_client = count()


class Storm(Protocol):
    """Whoever kills parts of the platform while a scenario runs."""

    def begin(self) -> None:
        """The leaks begin."""
        ...

    def end(self) -> None:
        """Nothing is killed from now on."""
        ...

    @property
    def enough(self) -> bool:
        """Whether each named part was killed as often as it should be."""
        ...

    def counts(self) -> dict[str, int]:
        """Kills by part."""
        ...


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
    storm: Storm | None = None,
    deaths: Callable[[], Mapping[str, int]] | None = None,
    broken: bool = False,
) -> Report:
    """Play a scenario to its end or its time limit.

    ``clock_rate`` is used where the platform's line names none; ``world_rate`` is how many times faster than the clock gas gathers
    (None: as the scenario says). ``storm`` is told when it leaks, and the play does not end before each part was killed often
    enough;
    ``deaths`` says how often each part ended. ``broken`` keeps to the time limit of a broken play. Raises UserError when the platform
    is not ready or has no homes to play with.
    """
    scenario = load(name)
    line = platform_line({"clock_rate": clock_rate, **platform})
    async with PlatformApi(line.http, line.api_token) as api, Stage(scenario, line, api, seed, on_progress) as stage:
        await stage.settle()
        timed_out = await stage.act(world_rate, storm, broken=broken)
        if storm is not None:
            await api.wait_healthy(_HEALTHY_AGAIN_S)
        facts = await stage.facts(timed_out)
        kills = {} if storm is None else storm.counts()
        return Report.of(replace(facts, kills=kills, deaths={} if deaths is None else dict(deaths())))


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
        self._at_work: asyncio.Task[None] | None = None
        self._clock = line.clock()
        self._started_ms = self._clock.now_ms()
        self._steps_done_ms: int | None = None
        self._asked: list[asyncio.Future[str]] = []
        self._looks = 0
        self._began_ms = self._started_ms

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
        self._cast: Cast = await engage(self._api, scenario, seed=seed, now_ms=clock.now_ms())
        self._story = self._cast.story
        exchange = PhoneExchange(self._line.sim_sip, seed=seed, clock_rate=clock.rate, clock_epoch_ms=self._line.clock_epoch_ms)
        await self._stack.enter_async_context(exchange)
        await self._teach(exchange)
        client = f"fleet-{scenario.name}-{os.getpid()}-{next(_client)}"
        radio = Radio(mqtt.host, mqtt.port, mqtt.username, mqtt.password, client)
        await self._stack.enter_async_context(radio)
        boot = self._started_ms // 1000
        self._town = Town(self._cast.homes, seed=seed, boot=boot, clock=clock, send=radio.send, narrate=self._tell)
        radio.listen(self._town.receive)
        self._phones = StoryPhones(exchange, self._town, set(self._cast.leaking).__contains__)
        self._technicians = Technicians(self._api, self._town, seed=seed, clock=clock, tempo=Tempo(drive_s=scenario.drive_s))
        self._witness = Witness(self._line.postgres, clock, self._story.home_id, self._started_ms, rate=clock.rate)
        self._town.begin()
        self._at_work = asyncio.create_task(self._technicians.run())
        others = (self._town.run(), self._phones.run(), self._witness.run())
        self._tasks += [self._at_work, *map(asyncio.create_task, others)]

    def _tell(self, line: StoryLine) -> None:
        """Of a storm only the story's home is told line by line."""
        if len(self._cast.leaking) < _TOLD_TOGETHER or line["home_id"] == self._story.home_id:
            self._narrate(line)

    async def _teach(self, exchange: PhoneExchange) -> None:
        """How the people of the homes that leak treat their telephones."""
        plans = {home.plan.home_id: home.plan for home in self._cast.homes}
        for way in self._scenario.phones:
            for home_id in self._cast.leaking:
                phones = plans[home_id].phones
                if way.position <= len(phones):
                    number = number_of(phones[way.position - 1])
                    await exchange.set_behaviour(number, way.manner, rings_s=way.rings_s, listens_s=way.listens_s)

    async def _end(self) -> None:
        ours: list[asyncio.Future[Any]] = [*self._tasks, *self._asked]
        for task in ours:
            task.cancel()
        await asyncio.gather(*ours, return_exceptions=True)
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
        many = len(self._cast.leaking) >= _MANY
        patience_s = _HEARD_MANY_S if many else _HEARD_S
        for _ in range(round(patience_s / _LOOK_S)):
            self._check()
            home = await self._api.get(f"homes/{self._story.home_id}")
            states = [device["state"] for device in home["devices"] if not device["retired"]]
            if all(state is not None and state["heard_ms"] >= self._started_ms for state in states):
                # The others introduce themselves within these seconds.
                await self._clock.sleep(INTRODUCTION_S + _SETTLE_S if len(self._cast.leaking) > 1 else 0.0)
                return
            await asyncio.sleep(_LOOK_S)
        raise UserError(
            f"平台在 {patience_s:.0f} 秒内没有收到住户 {self._story.home_id} 的上报",
            f"the platform has not heard home {self._story.home_id} within {patience_s:.0f} s",
        )

    def _tell_start(self) -> None:
        title, plan = self._scenario.title, self._story
        zh = f"场景“{title.zh}”：{plan.address_zh}，周边 {self._scenario.homes - 1} 户正常上报"
        en = f"scenario '{title.en}': {plan.address_en}; {self._scenario.homes - 1} homes around report as usual"
        self._town.households[plan.home_id].tell(zh, en)

    async def act(self, world_rate: float | None, storm: Storm | None, *, broken: bool = False) -> bool:
        """Let it happen and follow to the end. Returns whether the time ran out."""
        scenario, clock = self._scenario, self._clock
        limit_s = scenario.broken_limit_s if broken and scenario.broken_limit_s is not None else scenario.time_limit_s
        ends_s = clock.monotonic() + limit_s * (1.0 if storm is None else _TIME_UNDER_FIRE)
        self._town.watch(self._story.home_id)
        self._began_ms = clock.now_ms()
        plot = Plot(scenario, self._town, self._cast.leaking, seed=self._seed, rate=world_rate, ask=self._ask)
        if storm is not None:
            storm.begin()
        plot.begin()
        try:
            while clock.monotonic() < ends_s:
                await self._watch(_LOOK_S)
                if not plot.over or not all(asked.done() for asked in self._asked):
                    continue
                if self._steps_done_ms is None:
                    self._steps_done_ms = clock.now_ms()
                if await self._is_over() and (storm is None or storm.enough):
                    if storm is None:
                        await self._watch(_SETTLE_S)
                        return False
                    # What was killed last comes back, and what it owed is made good, before anybody judges.
                    storm.end()
                    await self._api.wait_healthy(_HEALTHY_AGAIN_S)
                    await asyncio.sleep(_CALM_S)
                    if await self._is_over():
                        return False
            return True
        finally:
            if storm is not None:
                storm.end()

    async def _watch(self, seconds: float) -> None:
        self._check()
        await self._clock.sleep(seconds)

    def _ask(self, step: Step) -> None:
        """A step that asks something of the platform."""
        if step.do == "ask_open":
            self._asked.append(asyncio.ensure_future(self._technicians.ask_open(self._story.home_id)))

    async def _is_over(self) -> bool:
        """Whether the end has come that the scenario names, all its steps being done."""
        match self._scenario.ends:
            case "watched":
                return self._steps_done_ms is not None and self._clock.now_ms() >= self._steps_done_ms + 1000 * self._scenario.watch_s
            case "served":
                return await self._is_served()
            case _:
                return not self._owed and await self._is_restored()

    @property
    def _owed(self) -> int:
        """Alarms that the platform has not promised yet."""
        strangers = (radio for stranger in self._town.strangers.values() for radio in stranger.radios.values())
        return self._town.unacknowledged + sum(radio.unacknowledged for radio in strangers)

    async def _is_restored(self) -> bool:
        """Every incident of our homes is closed, its order archived."""
        try:
            briefs = [brief async for brief in self._api.every("incidents", since_ms=self._started_ms)]
        except PlatformLostError:
            return False
        found = [brief for brief in briefs if brief["home_id"] in self._town.households]
        if len(found) < self._scenario.expected.incidents or any(incident["state"] == "open" for incident in found):
            return False
        return all(incident["order"] is not None and incident["order"]["state"] == "archived" for incident in found)

    async def _is_served(self) -> bool:
        """Every home that leaks has what the scenario names; the valves by the world's own truth."""
        words, homes = self._scenario.expected.every_home, self._cast.leaking
        # Closed since it leaked: a home whose repair is done already has its gas again.
        shut = {move.home_id for move in self._town.record.moves if move.now == "closed" and move.at_ms >= self._began_ms}
        closed = len(shut.intersection(homes))
        incidents, _, ordered, called = await served(self._line.postgres, homes, self._started_ms)
        self._count(closed, incidents, ordered, called)
        counts: dict[Served, int] = {"incident": incidents, "closed": closed, "ordered": ordered, "called": called}
        return not self._owed and all(counts[word] >= len(homes) for word in words)

    def _count(self, closed: int, incidents: int, ordered: int, called: int) -> None:
        """Tell how far a storm is, now and then."""
        self._looks += 1
        if self._looks % _COUNT_EVERY == 1:
            of = len(self._cast.leaking)
            zh = f"{of} 户中：关阀 {closed}，事件 {incidents}，抢修单 {ordered}，致电 {called}"
            en = f"of {of} homes: {closed} closed, {incidents} incidents, {ordered} orders, {called} called"
            self._town.households[self._story.home_id].tell(zh, en)

    async def _stop_work(self) -> None:
        """No technician works on while the incidents are read: a valve would be seen to open whose test its incident did not have yet."""
        if self._at_work is not None:
            self._at_work.cancel()
            await asyncio.gather(self._at_work, return_exceptions=True)

    async def facts(self, timed_out: bool) -> Facts:
        """Everything that the report is judged from. The technicians stop, and the town is taken off the air."""
        await self._stop_work()
        homes, town, since_ms = self._town.households, self._town, self._started_ms
        known = {place.account for household in homes.values() for place in household.places.values()}
        strangers = frozenset(town.strangers)
        ended_ms, unacknowledged = self._clock.now_ms(), self._owed
        found = await incidents(self._api, homes, known | strangers, since_ms)
        async with Books(self._line.postgres, homes, known, since_ms) as books:
            attempts, resends = await books.resends()
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
                quarantined=await books.quarantined(),
                stored=await stored(self._api, self._story.home_id, since_ms),
                timed_out=timed_out,
                sleeping=frozenset(home_id for home_id, household in homes.items() if household.home.traits.psm),
                strangers=strangers,
                steps_done_ms=self._steps_done_ms,
                watched=self._witness.seen,
                holds=await books.holds(),
                conditions=await books.conditions(),
                tasks=await books.tasks(),
                canary=await books.canary(),
                open_answers=tuple(asked.result() for asked in self._asked if asked.done()),
                counts=Counts(
                    incidents=len(found),
                    orders=sum(len(incident.detail["orders"]) for incident in found),
                    calls=sum(call["placed_ms"] is not None for incident in found for call in incident.detail["calls"]),
                    aliases=await books.aliases(),
                    attempts=attempts,
                    resends=resends,
                    alarm_repeats=town.record.alarm_repeats,
                ),
            )
        town.fall_silent()
        return facts
