"""A crew that a person plays: the simulated technicians leave its orders alone, lend their hands, and go on when he is gone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast
from uuid import UUID

import pytest

from simulator.demo.kinds import DemoKind
from simulator.demo.taken import LEASE_S, LEFT_S, Taken
from simulator.platform import Entity, PlatformApi, Refusal
from simulator.technicians import Technicians, Tempo
from simulator.world.town import TICK_S
from tests.simulator.test_demo_leaks import Stage, plan

CREW, TECHNICIAN, ORDER = "芙蓉-1", "芙蓉-1-A", "QX-260402-0001"
_NEXT = {
    ("assigned", "accept"): "accepted",
    ("accepted", "on-site"): "on_site",
    ("on_site", "no-access"): "no_access",
    ("no_access", "on-site"): "on_site",
    ("on_site", "made-safe"): "made_safe",
    ("made_safe", "cause"): "cause_recorded",
    ("cause_recorded", "tightness-test"): "tightness_passed",
    ("tightness_passed", "restore"): "restored",
    ("restored", "archive"): "archived",
}


class Platform:
    """One order as the platform has it, and who took each of its steps."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.state = "assigned"
        self.steps: list[tuple[str, str]] = []
        self._opens = 90

    def order(self) -> Entity:
        return {
            "order_no": ORDER, "kind": "emergency", "state": self.state, "crew_id": CREW, "technician_id": TECHNICIAN, "home_id": "H1",
            "incident_id": str(UUID(int=77)), "place": {"lon": None, "coord_datum": None},
        }  # fmt: skip

    async def get(self, path: str, **_: object) -> Any:
        assert path == f"orders/{ORDER}"
        return self.order()

    async def every(self, path: str, **_: object) -> AsyncIterator[Entity]:
        if path == "crews":
            yield {"crew_id": CREW, "simulated": True, "technicians": [{"technician_id": TECHNICIAN}]}
        elif self.state != "archived":
            yield self.order()

    async def ask(self, path: str, actor: str, **_: object) -> Entity | Refusal:
        what = path.rpartition("/")[2]
        return self.step(what, actor)

    def step(self, what: str, actor: str) -> Entity | Refusal:
        if what == "open-valve":
            self._opens += 1
            self._stage.scene.command(self._opens, "open_valve", self._opens)
        elif (self.state, what) not in _NEXT:
            return Refusal("not_now", "现在不行", "not now")
        else:
            self.state = _NEXT[self.state, what]
        self.steps.append((what, actor))
        return {}


class Scene:
    """A home that leaks, its order at its crew, and the technicians at work."""

    def __init__(self) -> None:
        self.stage = Stage(plan(1))
        self.platform = Platform(self.stage)
        clock = self.stage.scene.clock
        self.taken = Taken(clock)
        api = cast("PlatformApi", self.platform)
        self.technicians = Technicians(api, self.stage.scene.town, seed=7, clock=clock, tempo=Tempo(), taken=self.taken)

    async def leak(self, kind: DemoKind = "plain") -> None:
        await self.stage.asked("H1", kind)
        await self.stage.scene.until_alarm()

    async def until(self, state: str) -> None:
        for _ in range(4_000):
            if self.platform.state == state:
                return
            await self.stage.scene.pass_time(TICK_S)
        raise AssertionError(f"{self.platform.state} instead of {state}; {self.stage.scene.story[-3:]}")

    async def play(self, seconds: float) -> None:
        """A person's page is open so long."""
        for _ in range(round(seconds)):
            self.taken.take(CREW)
            await self.stage.scene.pass_time(1.0)

    def by_person(self, what: str) -> None:
        assert not isinstance(self.platform.step(what, "demo"), Refusal)

    @property
    def lel(self) -> float:
        return self.stage.home().air.ch4_lel


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    found = Scene()
    work = asyncio.create_task(found.technicians.run())
    yield found
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


async def test_nobody_plays_and_the_simulated_crew_works_the_order_to_its_end(scene: Scene) -> None:
    await scene.leak()
    await scene.until("archived")
    assert {actor for _, actor in scene.platform.steps} == {TECHNICIAN}


async def test_an_order_of_a_crew_that_a_person_plays_waits_for_him_and_goes_on_when_he_is_gone(scene: Scene) -> None:
    scene.taken.take(CREW)
    await scene.leak()
    await scene.play(60)
    assert (scene.platform.state, scene.platform.steps) == ("assigned", [])
    scene.by_person("accept")
    await scene.play(60)
    assert scene.platform.steps == [("accept", "demo")]
    await scene.stage.scene.pass_time(LEASE_S)
    await scene.until("archived")
    assert next(what for what, actor in scene.platform.steps if actor == TECHNICIAN) == "on-site"


async def test_an_order_of_a_crew_whose_person_has_closed_his_page_waits_no_longer_than_seconds(scene: Scene) -> None:
    scene.taken.take(CREW)
    await scene.leak()
    await scene.play(20)
    assert scene.platform.state == "assigned"
    scene.taken.leave(CREW)
    await scene.stage.scene.pass_time(LEFT_S + Tempo().accept_s + 2 * TICK_S + 1.0)
    assert scene.platform.steps == [("accept", TECHNICIAN)]


@pytest.mark.parametrize("state", ["accepted", "on_site", "made_safe", "cause_recorded", "tightness_passed", "restored"])
async def test_a_crew_that_is_taken_in_the_middle_takes_no_further_step(scene: Scene, state: str) -> None:
    await scene.leak()
    await scene.until(state)
    before = [what for what, _ in scene.platform.steps if what != "open-valve"]
    await scene.play(60)
    assert [what for what, _ in scene.platform.steps if what != "open-valve"] == before
    await scene.stage.scene.pass_time(LEASE_S)
    await scene.until("archived")


async def test_the_room_follows_a_person_from_the_door_to_the_key_at_the_meter(scene: Scene) -> None:
    scene.taken.take(CREW)
    await scene.leak("stuck_valve")
    scene.stage.scene.command(1, "close_valve", 1)
    scene.by_person("accept")
    await scene.play(30)
    assert (scene.stage.home().valve, scene.lel > 5) == ("closing", True)
    scene.by_person("on-site")
    await scene.play(30)
    assert (scene.stage.home().valve, scene.lel < 2) == ("closed", True)
    scene.by_person("made-safe")
    await scene.play(10)
    assert scene.stage.home().leaks
    scene.by_person("cause")
    await scene.play(2)
    assert not scene.stage.home().leaks
    scene.by_person("tightness-test")
    await scene.play(30)
    assert scene.stage.home().valve == "closed"
    scene.by_person("open-valve")
    await scene.play(30)
    assert scene.stage.home().valve == "open"
    scene.by_person("restore")
    scene.by_person("archive")
    assert {actor for _, actor in scene.platform.steps} == {"demo"}


async def test_the_riser_is_shut_for_a_person_too_where_the_leak_is_before_the_meter(scene: Scene) -> None:
    scene.taken.take(CREW)
    await scene.leak("before_meter")
    await scene.play(60)
    assert (scene.stage.home().valve, scene.stage.home().riser_closed) == ("closed", False)
    scene.by_person("accept")
    scene.by_person("on-site")
    await scene.play(60)
    assert scene.stage.home().riser_closed
    assert scene.lel < 2


async def test_a_crew_that_found_nobody_while_a_person_played_it_comes_again(scene: Scene) -> None:
    scene.taken.take(CREW)
    await scene.leak()
    for what in ("accept", "on-site", "no-access"):
        scene.by_person(what)
    await scene.play(5)
    assert scene.platform.state == "no_access"
    await scene.stage.scene.pass_time(LEASE_S)
    await scene.until("archived")
