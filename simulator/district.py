"""The simulated district of ``make run``: all simulated homes of a platform live, and from time to time one of them leaks.

``python -m simulator.district --platform FILE``. Decides when the next leak comes and of what kind; everything else is the town's, the
phones' and the technicians'. Prints its story as JSON lines on stdout, logs on stderr, and ends cleanly on SIGTERM.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from core import log
from core.errors import GasSentinelError, UserError
from simulator.cast import details, fit_for_a_story, home_plan, resume, simulated_homes
from simulator.narration import StoryLine
from simulator.phones.behaviour import Manner
from simulator.phones.exchange import PhoneExchange
from simulator.platform import PlatformApi, PlatformLine, platform_line
from simulator.story_phones import StoryPhones, number_of
from simulator.technicians import Technicians
from simulator.world.home import HomePlan, SimulatedHome, Traits, varied
from simulator.world.radio import Radio
from simulator.world.town import Town

FIRST_LEAK_S = 6.0
NEXT_LEAK_S = (120.0, 240.0)
_GATHER_SHOWN_S = 8.0
_HEALTHY_S = 60.0
_LATELY = 20

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Kind:
    """A way in which a home may leak: what its devices do, and how its first and second contact treat the phone."""

    name: str
    linkage: bool = True
    alarm_message: bool = True
    own_set_point_lel: float | None = None
    wake_s: float = 4.5
    phones: tuple[Manner, Manner] = ("presses_1", "presses_1")


COMMON = Kind("common")
KINDS = (
    COMMON,
    Kind("no local linkage", linkage=False, wake_s=1.5),
    Kind("hangs up early", phones=("hangs_up_early", "presses_1")),
    Kind("second contact", phones=("busy", "presses_1")),
    Kind("telemetry only", linkage=False, alarm_message=False, own_set_point_lel=25.0, wake_s=3.0),
    Kind("needs help", phones=("presses_2", "presses_1")),
    Kind("no answer", phones=("never_answers", "voicemail")),
)


class District:
    """The district while it lives."""

    def __init__(self, line: PlatformLine, api: PlatformApi, seed: int) -> None:
        self._line = line
        self._api = api
        self._seed = seed
        self._clock = line.clock()
        self._dice = random.Random(f"{seed}/district")
        self._leaking: dict[str, str] = {}
        self._lately: list[str] = []

    async def live(self, stop: asyncio.Event) -> None:
        """Until ``stop``. Raises GasSentinelError when a part of it ended by itself."""
        await self._api.wait_healthy(_HEALTHY_S)
        found = await details(self._api, await simulated_homes(self._api))
        homes = [self._home(home) for home in found]
        # What an earlier run left open is worked to its end before it may leak again.
        self._lately = [home["home_id"] for home in found if home["open_incident_id"] is not None]
        mqtt, clock = self._line.mqtt, self._clock
        exchange = PhoneExchange(self._line.sim_sip, seed=self._seed, clock_rate=clock.rate, clock_epoch_ms=self._line.clock_epoch_ms)
        radio = Radio(mqtt.host, mqtt.port, mqtt.username, mqtt.password, f"fleet-district-{os.getpid()}")
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(exchange)
            await stack.enter_async_context(radio)
            town = Town(homes, seed=self._seed, boot=clock.now_ms() // 1000, clock=clock, send=radio.send, narrate=tell)
            radio.listen(town.receive)
            phones = StoryPhones(exchange, town, self._leaking.__contains__, told=("ringing",))
            technicians = Technicians(self._api, town, seed=self._seed, clock=clock)
            town.begin()
            _log.info("district lives", homes=len(homes))
            await _until(stop, town.run(), phones.run(), technicians.run(), self._leaks(town, exchange))
            town.fall_silent()

    def _home(self, found: Mapping[str, Any]) -> SimulatedHome:
        plan = home_plan(found)
        home = SimulatedHome(plan, varied(self._seed, plan.home_id, Traits()), self._seed)
        resume(home, found)
        return home

    async def _leaks(self, town: Town, exchange: PhoneExchange) -> None:
        """One leak after another, for ever."""
        wait_s, kind = FIRST_LEAK_S, COMMON
        kinds = list(KINDS[1:])
        while True:
            await self._clock.sleep(wait_s)
            await self._leak(town, exchange, kind)
            wait_s = self._dice.uniform(*NEXT_LEAK_S)
            if not kinds:
                kinds = list(KINDS)
            kind = kinds.pop(self._dice.randrange(len(kinds)))
            self._end_stories(town)

    async def _leak(self, town: Town, exchange: PhoneExchange, kind: Kind) -> None:
        plan = self._pick(town)
        if plan is None:
            return
        for address, manner in zip(plan.phones, kind.phones, strict=False):
            await exchange.set_behaviour(number_of(address), manner)
        home = town.households[plan.home_id].home
        wake_s = round(kind.wake_s + self._dice.uniform(0.0, 1.0), 2)
        home.fit(
            replace(
                home.traits,
                linkage=kind.linkage,
                alarm_message=kind.alarm_message,
                own_set_point_lel=kind.own_set_point_lel,
                wake_s=wake_s,
            )
        )
        leak_m3h = round(self._dice.uniform(0.5, 1.1), 2)
        self._leaking[plan.home_id] = kind.name
        self._lately = [*self._lately[-_LATELY:], plan.home_id]
        _log.info("leak", home_id=plan.home_id, kind=kind.name, leak_m3h=leak_m3h)
        town.start_leak(plan.home_id, leak_m3h, shown_s=_GATHER_SHOWN_S)

    def _pick(self, town: Town) -> HomePlan | None:
        """A home whose valve is open and where nothing goes on: the first leaks need homes that a story can be told of."""
        plans = [household.home.plan for household in town.households.values() if household.home.valve == "open"]
        free = [p for p in plans if p.home_id not in self._leaking and p.home_id not in self._lately and p.detectors]
        fit = [plan for plan in free if fit_for_a_story(plan)]
        chosen = fit or free
        return self._dice.choice(chosen) if chosen else None

    def _end_stories(self, town: Town) -> None:
        """A home that is mended, open and quiet again lives on as all others do."""
        for home_id in list(self._leaking):
            home = town.households[home_id].home
            if home.leak_m3h == 0 and home.valve == "open" and not home.alarmed:
                del self._leaking[home_id]
                town.unwatch(home_id)


async def _until(stop: asyncio.Event, *parts: Any) -> None:
    """Run the parts until ``stop``; the first one that ends by itself is an error."""
    tasks = [asyncio.create_task(part) for part in parts]
    stopped = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait({stopped, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopped}:
            task.result()
            raise GasSentinelError("a part of the simulated district ended by itself")
    finally:
        for task in (stopped, *tasks):
            task.cancel()
        await asyncio.gather(stopped, *tasks, return_exceptions=True)


def tell(line: StoryLine) -> None:
    """One line of the story on stdout."""
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _read(platform: Path) -> PlatformLine:
    try:
        return platform_line(json.loads(platform.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UserError(f"无法读取平台文件 {platform}：{error}", f"the platform file {platform} cannot be read: {error}") from None


async def _main(line: PlatformLine, seed: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with PlatformApi(line.http) as api:
        await District(line, api, seed).live(stop)


def main() -> int:
    """Returns the process's exit status."""
    parser = argparse.ArgumentParser(prog="python -m simulator.district", description="the simulated district / 模拟片区")
    parser.add_argument("--platform", type=Path, required=True, help="file with the line that 'gas-sentinel up' prints")
    parser.add_argument("--seed", type=int, default=1, help="the same seed is the same district")
    parser.add_argument("--language", choices=("zh", "en"), default="zh", help="language of errors; the story has both")
    options = parser.parse_args()
    log.configure("district")
    try:
        asyncio.run(_main(_read(options.platform), options.seed))
    except UserError as error:
        _log.error("stopped", reason=error.zh if options.language == "zh" else error.en)
        return 1
    except GasSentinelError as error:
        _log.error("stopped", reason=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
