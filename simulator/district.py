"""The simulated district of ``make run``: all simulated homes of a platform live, and from time to time one of them leaks.

``python -m simulator.district --platform FILE``. Decides when the next leak comes and of what kind; everything else is the town's, the
phones' and the technicians'. Prints its story as JSON lines on stdout, logs on stderr, and ends cleanly on SIGTERM.
With ``--control`` a demonstration may start leaks beside its own; the first line on stdout then is ``{"control": "http://..."}``.
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
from pathlib import Path
from typing import Any

import structlog

from core import log
from core.errors import GasSentinelError, UserError
from simulator.cast import details, fit_for_a_story, home_plan, resume, simulated_homes
from simulator.demo.kinds import COMMON, KINDS
from simulator.demo.leaks import Leaks
from simulator.demo.port import ControlPort, loopback
from simulator.demo.ringing import Rings
from simulator.demo.taken import Taken
from simulator.narration import StoryLine
from simulator.phones.exchange import PhoneExchange
from simulator.platform import PlatformApi, PlatformLine, platform_line
from simulator.story_phones import StoryPhones
from simulator.technicians import Technicians
from simulator.world.home import HomePlan, SimulatedHome, Traits, varied
from simulator.world.radio import Radio
from simulator.world.town import Town

FIRST_LEAK_S = 6.0
NEXT_LEAK_S = (120.0, 240.0)
_HEALTHY_S = 60.0
_LATELY = 20

_log = structlog.get_logger()


class District:
    """The district while it lives. ``control`` is host:port of the demonstration's port, None where nobody demonstrates."""

    def __init__(self, line: PlatformLine, api: PlatformApi, seed: int, control: str | None = None) -> None:
        self._line = line
        self._api = api
        self._seed = seed
        self._control = control
        self._clock = line.clock()
        self._dice = random.Random(f"{seed}/district")
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
            leaks, rings = Leaks(town, exchange.set_behaviour, self._open_incident, seed=self._seed), Rings()
            taken = Taken(clock)
            if self._control is not None:
                port = await stack.enter_async_context(ControlPort(leaks, rings, taken, self._control))
                say({"control": port.url})
            phones = StoryPhones(exchange, town, leaks.__contains__, told=("ringing",), follow=rings.follow)
            technicians = Technicians(self._api, town, seed=self._seed, clock=clock, tempo=leaks.tempo, taken=taken)
            town.begin()
            _log.info("district lives", homes=len(homes))
            await _until(stop, town.run(), phones.run(), technicians.run(), self._leaks(leaks))
            town.fall_silent()

    def _home(self, found: Mapping[str, Any]) -> SimulatedHome:
        plan = home_plan(found)
        home = SimulatedHome(plan, varied(self._seed, plan.home_id, Traits()), self._seed)
        resume(home, found)
        return home

    async def _open_incident(self, home_id: str) -> str | None:
        found: str | None = (await self._api.get(f"homes/{home_id}"))["open_incident_id"]
        return found

    async def _leaks(self, leaks: Leaks) -> None:
        """One leak after another, for ever; those that a demonstration asks for come beside them."""
        wait_s, kind = FIRST_LEAK_S, COMMON
        kinds = list(KINDS[1:])
        while True:
            await self._clock.sleep(wait_s)
            leaks.end_stories()
            plan = self._pick(leaks)
            if plan is not None:
                self._lately = [*self._lately[-_LATELY:], plan.home_id]
                await leaks.begin(plan.home_id, kind)
            wait_s = self._dice.uniform(*NEXT_LEAK_S)
            if not kinds:
                kinds = list(KINDS)
            kind = kinds.pop(self._dice.randrange(len(kinds)))

    def _pick(self, leaks: Leaks) -> HomePlan | None:
        """A home whose valve is open and where nothing goes on: the first leaks need homes that a story can be told of."""
        free = [plan for plan in leaks.plans() if plan.home_id not in self._lately and leaks.refusal(plan.home_id) is None]
        fit = [plan for plan in free if fit_for_a_story(plan)]
        chosen = fit or free
        return self._dice.choice(chosen) if chosen else None


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
    say(line)


def say(line: Mapping[str, object]) -> None:
    """One JSON line on stdout."""
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _read(platform: Path) -> PlatformLine:
    try:
        return platform_line(json.loads(platform.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UserError(f"无法读取平台文件 {platform}：{error}", f"the platform file {platform} cannot be read: {error}") from None


async def _main(line: PlatformLine, seed: int, control: str | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with PlatformApi(line.http, line.api_token) as api:
        await District(line, api, seed, control).live(stop)


def main() -> int:
    """Returns the process's exit status."""
    parser = argparse.ArgumentParser(prog="python -m simulator.district", description="the simulated district / 模拟片区")
    parser.add_argument("--platform", type=Path, required=True, help="file with the line that 'gas-sentinel up' prints")
    parser.add_argument("--seed", type=int, default=1, help="the same seed is the same district")
    parser.add_argument("--control", help="host:port of the demonstration's port, loopback only, port 0 = a free one; default none")
    parser.add_argument("--language", choices=("zh", "en"), default="zh", help="language of errors; the story has both")
    options = parser.parse_args()
    log.configure("district")
    try:
        if options.control is not None:
            loopback(options.control)
        asyncio.run(_main(_read(options.platform), options.seed, options.control))
    except UserError as error:
        _log.error("stopped", reason=error.zh if options.language == "zh" else error.en)
        return 1
    except GasSentinelError as error:
        _log.error("stopped", reason=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
