"""A technician who asks for the valve too early: once he is on site, before any test, and nobody opens it for him."""

import asyncio
from typing import cast

from simulator.platform import Entity, PlatformApi, Refusal
from simulator.technicians import Technicians, Tempo
from tests.simulator.test_technicians_left import TECHNICIAN, Platform, Scene


class Strict(Platform):
    """Refuses to open as the line does."""

    def step(self, what: str, actor: str) -> Entity | Refusal:
        if what == "open-valve" and self.state != "tightness_passed":
            self.steps.append(("asked", actor))
            reason = "not_on_site" if self.state in {"assigned", "accepted"} else "no_passed_test"
            return Refusal(reason, "不能开阀", "no open")
        return super().step(what, actor)


async def test_he_asks_once_on_arrival_is_refused_for_the_test_and_works_on() -> None:
    scene = Scene()
    scene.platform = Strict(scene.stage)
    api = cast("PlatformApi", scene.platform)
    technicians = Technicians(api, scene.stage.scene.town, seed=7, clock=scene.stage.scene.clock, tempo=Tempo())
    work = asyncio.create_task(technicians.run())
    asked = asyncio.create_task(technicians.ask_open("H1"))
    try:
        await scene.leak()
        await scene.until("accepted")
        assert not asked.done()
        await scene.until("archived")
        assert asked.done()
        assert asked.result() == "no_passed_test"
        assert scene.platform.steps[:4] == [(what, TECHNICIAN) for what in ("accept", "on-site", "asked", "made-safe")]
        assert [what for what, _ in scene.platform.steps].count("asked") == 1
    finally:
        for task in (work, asked):
            task.cancel()
        await asyncio.gather(work, asked, return_exceptions=True)
