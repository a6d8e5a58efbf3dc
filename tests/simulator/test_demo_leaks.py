"""Leaks that a demonstration asks for: who may leak, how it goes on in the world, and how it ends."""

from collections.abc import Callable

import pytest

from core.clock import ManualClock
from simulator.demo.kinds import COMMON, DEMO_KINDS, DemoKind
from simulator.demo.leaks import CROWD_HEARD, CROWD_SPREAD_S, Crowd, Leaks, Refusal
from simulator.narration import StoryLine
from simulator.phones.behaviour import Manner
from simulator.platform import PlatformLostError
from simulator.world.home import SimulatedHome
from simulator.world.plan import DevicePlace, HomePlan, Traits
from simulator.world.town import Town
from tests.simulator.town_stage import Air, Scene

BUILDING = "430102/云栖花园/3"


def plan(number: int, *, building: str = BUILDING, meter: bool = True, detector: bool = True, phones: int = 2) -> HomePlan:
    return HomePlan(
        f"H{number}",
        (DevicePlace(f"D{number}", f"D{number}"),) if detector else (),
        DevicePlace(f"M{number}", f"M{number}") if meter else None,
        address_zh=f"云栖花园 3栋 1单元 {number}01室",
        address_en=f"Room {number}01, Unit 1, Building 3",
        phones=tuple(f"sip:8{number:02}{position}@sim.invalid" for position in range(1, phones + 1)),
        building=building,
    )


class Stage:
    """A town, its leaks, and what was taught to the telephones. ``incidents`` are the platform's open ones; None: it is away."""

    def __init__(self, *plans: HomePlan) -> None:
        clock, air = ManualClock(), Air()
        story: list[StoryLine] = []
        homes = [SimulatedHome(found, Traits(telemetry_s=10.0), 7) for found in plans]
        town = Town(homes, seed=7, boot=3, clock=clock, send=air.send, narrate=story.append)
        town.begin()
        self.scene = Scene(town, clock, air, story)
        self.taught: dict[str, Manner] = {}
        self.incidents: dict[str, str] | None = {}
        self.leaks = Leaks(town, self._teach, self._open_incident, seed=7)

    async def _teach(self, number: str, manner: Manner) -> None:
        self.taught[number] = manner

    async def _open_incident(self, home_id: str) -> str | None:
        if self.incidents is None:
            raise PlatformLostError("away")
        return self.incidents.get(home_id)

    def home(self, home_id: str = "H1") -> SimulatedHome:
        return self.scene.household(home_id).home

    async def asked(self, home_id: str, kind: DemoKind = "plain") -> str:
        refusal = await self.leaks.ask(home_id, kind)
        return "" if refusal is None else refusal.reason


async def test_a_chosen_home_leaks_and_its_detector_tells_of_it() -> None:
    stage = Stage(plan(1), plan(2))
    assert await stage.asked("H1") == ""
    await stage.scene.until_alarm()
    (alarm,) = stage.scene.air.said("D1", "alarm")
    assert (alarm["event"], alarm["ch4_lel"] >= 10) == ("leak", True)
    assert stage.taught == {"8011": "presses_1", "8012": "presses_1"}
    assert stage.scene.air.said("D2", "alarm") == []


async def test_one_leak_does_not_keep_another_home_from_leaking() -> None:
    stage = Stage(plan(1), plan(2))
    await stage.leaks.begin("H1", COMMON)
    assert (await stage.asked("H1"), await stage.asked("H2")) == ("leaks_already", "")


async def test_a_second_click_while_the_first_is_judged_is_refused() -> None:
    stage = Stage(plan(1))
    seen: list[str] = []

    async def look(home_id: str) -> str | None:
        seen.append(await stage.asked(home_id))
        return None

    stage.leaks._open_incident = look
    await stage.leaks.ask("H1", "plain")
    assert seen == ["leaks_already"]


def _close(stage: Stage) -> None:
    stage.home().resume(closed=True, cause="command", index_m3=0.0)


def _open_incident(stage: Stage) -> None:
    stage.incidents = {"H1": "some"}


def _away(stage: Stage) -> None:
    stage.incidents = None


REFUSED: dict[str, tuple[HomePlan, Callable[[Stage], None], DemoKind]] = {
    "not_simulated": (plan(2), lambda _: None, "plain"),
    "valve_not_open": (plan(1), _close, "plain"),
    "cannot_detect": (plan(1), lambda stage: stage.home().unplug("D1"), "plain"),
    "no_meter": (plan(1, meter=False), lambda _: None, "stuck_valve"),
    "no_phone": (plan(1, phones=0), lambda _: None, "nobody_answers"),
    "incident_open": (plan(1), _open_incident, "plain"),
    "platform_away": (plan(1), _away, "before_meter"),
}


@pytest.mark.parametrize("reason", REFUSED)
async def test_what_cannot_leak_is_refused_with_its_reason(reason: str) -> None:
    found, prepare, kind = REFUSED[reason]
    stage = Stage(found)
    prepare(stage)
    assert await stage.asked("H1", kind) == reason
    assert "H1" not in stage.leaks
    assert stage.scene.town.record.leaks == []
    assert stage.taught == {}


async def test_a_home_without_phones_may_leak_in_every_other_way() -> None:
    stage = Stage(plan(1, phones=0))
    assert await stage.asked("H1", "stuck_valve") == ""


async def test_a_stuck_valve_obeys_no_command_and_one_hand() -> None:
    stage = Stage(plan(1))
    await stage.asked("H1", "stuck_valve")
    await stage.scene.until_alarm()
    for number in range(1, 5):
        stage.scene.command(number, "close_valve", number)
        await stage.scene.pass_time(20)
        assert stage.home().valve == "closing"
    stage.scene.town.close_by_hand("H1")
    await stage.scene.pass_time(5)
    assert stage.home().valve == "closed"


async def test_a_hand_also_helps_a_stuck_valve_that_is_just_being_driven() -> None:
    stage = Stage(plan(1))
    await stage.asked("H1", "stuck_valve")
    await stage.scene.until_alarm()
    stage.scene.command(1, "close_valve", 1)
    await stage.scene.pass_time(1)
    stage.scene.town.close_by_hand("H1")
    await stage.scene.pass_time(5)
    assert stage.home().valve == "closed"


async def test_a_leak_before_the_meter_goes_on_behind_a_closed_valve_until_the_riser_is_shut() -> None:
    stage = Stage(plan(1))
    await stage.asked("H1", "before_meter")
    await stage.scene.until_alarm()
    await stage.scene.pass_time(10)
    assert stage.home().valve == "closed"
    before = stage.home().air.ch4_lel
    await stage.scene.pass_time(60)
    assert stage.home().air.ch4_lel > before
    stage.scene.town.close_riser("H1")
    stage.scene.town.air("H1", shown_s=5.0)
    await stage.scene.pass_time(10)
    assert stage.home().air.ch4_lel < before


async def test_nobody_answers_is_taught_to_every_contact() -> None:
    stage = Stage(plan(1, phones=3))
    await stage.asked("H1", "nobody_answers")
    assert list(stage.taught.values()) == ["never_answers", "voicemail", "voicemail"]


async def test_a_detector_goes_on_reporting_while_its_story_lasts() -> None:
    stage = Stage(plan(1))
    await stage.asked("H1")
    await stage.scene.until_alarm()
    before = len(stage.scene.air.said("D1", "telemetry"))
    await stage.scene.pass_time(30)
    assert len(stage.scene.air.said("D1", "telemetry")) >= before + 6


async def test_a_story_ends_when_the_home_is_mended_open_and_quiet_and_then_it_may_leak_again() -> None:
    stage = Stage(plan(1))
    await stage.asked("H1", "stuck_valve")
    await stage.scene.until_alarm()
    stage.scene.town.close_by_hand("H1")
    stage.scene.town.air("H1", shown_s=3.0)
    await stage.scene.pass_time(20)
    stage.scene.town.repair("H1")
    stage.leaks.end_stories()
    assert await stage.asked("H1") == "leaks_already"
    stage.scene.command(9, "open_valve", 9)
    assert stage.scene.town.press_key("H1")
    await stage.scene.pass_time(10)
    stage.leaks.end_stories()
    assert "H1" not in stage.leaks
    assert stage.home().traits.stuck_tries == 0
    assert await stage.asked("H1", "before_meter") == ""


async def test_a_whole_building_leaks_but_for_those_that_cannot() -> None:
    stage = Stage(*(plan(number) for number in range(1, 12)), plan(12, building="430103/云栖花园/4"))
    await stage.leaks.begin("H2", COMMON)
    crowd = await stage.leaks.ask_building("云栖花园", "3")
    assert isinstance(crowd, Crowd)
    assert len(crowd.leaking) == 10
    assert [(home_id, why.reason) for home_id, why in crowd.left_out] == [("H2", "leaks_already")]
    assert "H12" not in stage.leaks
    await stage.scene.pass_time(CROWD_SPREAD_S + 1)
    assert {leak.home_id for leak in stage.scene.town.record.leaks} == {f"H{number}" for number in range(1, 12)}
    manners = [stage.taught[f"8{int(home_id[1:]):02}1"] for home_id in crowd.leaking]
    assert manners.count("presses_1") <= CROWD_HEARD
    assert set(manners) == {"presses_1", "confirms_at_once"}


async def test_a_story_that_has_not_begun_yet_is_not_over() -> None:
    stage = Stage(plan(1), plan(2))
    await stage.leaks.ask_building("云栖花园", "3")
    stage.leaks.end_stories()
    assert "H1" in stage.leaks
    assert "H2" in stage.leaks


async def test_a_building_must_be_known_and_be_one() -> None:
    stage = Stage(plan(1), plan(2, building="430103/云栖花园/3"))
    reasons = []
    for estate, district in (("别处", None), ("云栖花园", None), ("云栖花园", "430103")):
        found = await stage.leaks.ask_building(estate, "3", district)
        reasons.append(found.reason if isinstance(found, Refusal) else found.leaking)
    assert reasons == ["no_building", "ambiguous", ("H2",)]
    again = await stage.leaks.ask_building("云栖花园", "3", "430103")
    assert isinstance(again, Refusal)
    assert again.reason == "nothing_to_leak"


def test_the_crew_comes_later_where_the_platform_has_something_to_see_first() -> None:
    assert DEMO_KINDS["before_meter"].drive_s > DEMO_KINDS["stuck_valve"].drive_s > DEMO_KINDS["plain"].drive_s
