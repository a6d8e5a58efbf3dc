"""The leaks of the district, those of its own rhythm and those that a demonstration asks for, side by side.

Decides whether a home can leak now, how it is made for it, and when its story is over. Refuses a home that is not simulated, that
leaks already, that still has an open incident, or that has not got what the kind of leak needs. Refuses to know HTTP.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import structlog

from core.errors import GasSentinelError
from simulator.demo.kinds import CROWD, DEMO_KINDS, DemoKind, Kind
from simulator.phones.behaviour import Manner
from simulator.story_phones import number_of
from simulator.technicians import Tempo
from simulator.world.home import HomePlan
from simulator.world.town import Town

_log = structlog.get_logger()

GATHER_SHOWN_S = 8.0
LEAK_M3H = (0.5, 1.1)
CROWD_SPREAD_S = 12.0
CROWD_HEARD = 6
"""So many homes of a building have phones with sound; the others are picked up and confirmed without."""
CROWD_MOST = 80
"""No building of the simulated city has more homes; a guard for registries of other makers."""
REPORTS_EVERY_S = 5.0
"""While a story goes on its detectors report as often as detectors in alarm do."""
_ASKED_AT_ONCE = 8

Teach = Callable[[str, Manner], Awaitable[None]]
"""(number, manner): from the next call on that number behaves so."""
OpenIncident = Callable[[str], Awaitable[str | None]]
"""Home id -> id of its open incident at the platform. Raises GasSentinelError when the platform does not say."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a home cannot leak now."""

    reason: str
    zh: str
    en: str


NOT_SIMULATED = Refusal("not_simulated", "该住户不在模拟片区内", "this home is not one of the simulated district")
LEAKS_ALREADY = Refusal("leaks_already", "该住户正在泄漏，请等它处置完毕", "this home leaks already: wait until it is dealt with")
INCIDENT_OPEN = Refusal("incident_open", "该住户还有未结事件", "this home still has an open incident")
NOT_OPEN = Refusal("valve_not_open", "该住户的表阀没有打开，没有燃气可漏", "the meter's valve of this home is not open: no gas to leak")
CANNOT_DETECT = Refusal("cannot_detect", "该住户没有通电的探测器", "this home has no detector with power")
NO_METER = Refusal("no_meter", "该住户没有燃气表", "this home has no meter")
NO_PHONE = Refusal("no_phone", "该住户没有联系电话", "this home has nobody to ring")
NO_BUILDING = Refusal("no_building", "模拟片区内没有这栋楼", "the simulated district has no such building")
AMBIGUOUS = Refusal("ambiguous", "几个区都有这栋楼，请注明区划代码", "more than one district has such a building: name the district")
NOBODY_LEFT = Refusal("nothing_to_leak", "这栋楼现在没有可以泄漏的住户", "no home of this building can leak now")
PLATFORM_AWAY = Refusal("platform_away", "平台没有答复", "the platform does not answer")


@dataclass(slots=True)
class _Story:
    kind: Kind
    begun: bool = False


@dataclass(frozen=True, slots=True)
class Building:
    """A building of the district."""

    district_code: str
    estate: str
    building: str

    @classmethod
    def of(cls, plan: HomePlan) -> "Building":
        """Where a home stands."""
        district_code, _, rest = plan.building.partition("/")
        estate, _, building = rest.rpartition("/")
        return cls(district_code, estate, building)


@dataclass(frozen=True, slots=True)
class Crowd:
    """What came of a building's leak: homes that leak or are about to, and those left out with the reason."""

    leaking: tuple[str, ...]
    left_out: tuple[tuple[str, Refusal], ...]


class Leaks:
    """Who leaks in ``town``, and why nobody else may be asked to. ``home_id in leaks`` says whether a story goes on there."""

    def __init__(self, town: Town, teach: Teach, open_incident: OpenIncident, *, seed: int) -> None:
        self._town = town
        self._teach = teach
        self._open_incident = open_incident
        self._dice = random.Random(f"{seed}/leaks")
        self._usual = {home_id: household.home.traits for home_id, household in town.households.items()}
        self._stories: dict[str, _Story] = {}

    def __contains__(self, home_id: object) -> bool:
        return home_id in self._stories

    def tempo(self, home_id: str) -> Tempo:
        """How the work at this home is shown."""
        story = self._stories.get(home_id)
        return Tempo() if story is None else Tempo(drive_s=story.kind.drive_s)

    # --- asked by a demonstration ---------------------------------------------------------------------------

    async def ask(self, home_id: str, wanted: DemoKind) -> Refusal | None:
        """Let this home leak; None when it does."""
        kind = DEMO_KINDS[wanted]
        refusal = self.refusal(home_id, kind)
        if refusal is not None:
            return refusal
        # Taken before anybody is waited for: a second click in between is refused.
        story = self._stories[home_id] = _Story(kind)
        try:
            if await self._open_incident(home_id) is not None:
                refusal = INCIDENT_OPEN
        except (GasSentinelError, KeyError):
            refusal = PLATFORM_AWAY
        if refusal is None:
            await self._begin(home_id, story)
        else:
            self._stories.pop(home_id)
        return refusal

    async def ask_building(self, estate: str, building: str, district_code: str | None = None) -> Crowd | Refusal:
        """Let every home of a building leak that can, within some seconds of each other."""
        found = self._homes_of(estate, building, district_code)
        if isinstance(found, Refusal):
            return found
        gate = asyncio.Semaphore(_ASKED_AT_ONCE)

        async def one(place: int, home_id: str) -> Refusal | None:
            kind = CROWD if place >= CROWD_HEARD else DEMO_KINDS["plain"]
            refusal = self.refusal(home_id, kind)
            if refusal is not None:
                return refusal
            story = self._stories[home_id] = _Story(kind)
            try:
                async with gate:
                    if await self._open_incident(home_id) is not None:
                        self._stories.pop(home_id)
                        return INCIDENT_OPEN
            except (GasSentinelError, KeyError):
                self._stories.pop(home_id)
                return PLATFORM_AWAY
            later_s = 0.0 if place == 0 else self._dice.uniform(0.0, CROWD_SPREAD_S)
            await self._begin(home_id, story, later_s)
            return None

        answers = await asyncio.gather(*(one(place, home_id) for place, home_id in enumerate(found[:CROWD_MOST])))
        leaking = tuple(home_id for home_id, refusal in zip(found, answers, strict=False) if refusal is None)
        left_out = tuple((home_id, refusal) for home_id, refusal in zip(found, answers, strict=False) if refusal is not None)
        return Crowd(leaking, left_out) if leaking else NOBODY_LEFT

    def _homes_of(self, estate: str, building: str, district_code: str | None) -> list[str] | Refusal:
        places: dict[Building, list[str]] = {}
        for home_id, household in self._town.households.items():
            place = Building.of(household.home.plan)
            if (place.estate, place.building) == (estate, building) and district_code in (None, place.district_code):
                places.setdefault(place, []).append(home_id)
        if not places:
            return NO_BUILDING
        return next(iter(places.values())) if len(places) == 1 else AMBIGUOUS

    def refusal(self, home_id: str, kind: Kind | None = None) -> Refusal | None:
        """Why the world cannot let this home leak now, in this way or (None) in any; what the platform says of it is not asked."""
        household = self._town.households.get(home_id)
        if household is None:
            return NOT_SIMULATED
        home = household.home
        if home_id in self._stories or home.leaks or home.alarmed:
            return LEAKS_ALREADY
        if not any(detector.powered for detector in home.detectors.values()):
            return CANNOT_DETECT
        if home.meter is None:
            return NO_METER
        if home.valve != "open":
            return NOT_OPEN
        if kind is not None and kind.needs_phone and not home.plan.phones:
            return NO_PHONE
        return None

    # --- by the district itself -----------------------------------------------------------------------------

    async def begin(self, home_id: str, kind: Kind) -> None:
        """Let a home leak that the district chose by itself."""
        self._stories[home_id] = story = _Story(kind)
        await self._begin(home_id, story)

    async def _begin(self, home_id: str, story: _Story, later_s: float = 0.0) -> None:
        kind, home = story.kind, self._town.households[home_id].home
        try:
            for position, address in enumerate(home.plan.phones, start=1):
                await self._teach(number_of(address), kind.manner(position))
        except GasSentinelError:
            self._stories.pop(home_id, None)
            raise
        wake_s = round(kind.wake_s + self._dice.uniform(0.0, 1.0), 2)
        leak_m3h = round(self._dice.uniform(*LEAK_M3H), 2)
        home.fit(kind.traits(self._usual[home_id], wake_s))

        def escape() -> None:
            story.begun = True
            _log.info("leak", home_id=home_id, kind=kind.name, leak_m3h=leak_m3h)
            self._town.start_leak(home_id, leak_m3h, shown_s=GATHER_SHOWN_S)
            self._town.after(REPORTS_EVERY_S, lambda: self._report(home_id, story))

        if later_s > 0:
            self._town.after(later_s, escape)
        else:
            escape()

    def _report(self, home_id: str, story: _Story) -> None:
        """The detectors of a home that has told of its leak go on telling."""
        if self._stories.get(home_id) is not story:
            return
        household = self._town.households[home_id]
        if household.leak is not None and household.leak.published_ms is not None:
            household.report_detectors()
        self._town.after(REPORTS_EVERY_S, lambda: self._report(home_id, story))

    # --- the end --------------------------------------------------------------------------------------------

    def end_stories(self) -> None:
        """A home that is mended, open and quiet again lives on as all others do, made as it was before."""
        for home_id, story in list(self._stories.items()):
            home = self._town.households[home_id].home
            if story.begun and not home.leaks and home.valve == "open" and not home.alarmed:
                del self._stories[home_id]
                home.fit(self._usual[home_id])
                self._town.unwatch(home_id)

    # --- what can be chosen ---------------------------------------------------------------------------------

    def plans(self) -> Iterable[HomePlan]:
        """Every home of the district, in its order."""
        return (household.home.plan for household in self._town.households.values())
