"""The demonstration: lets homes of the simulated district leak, and shows its telephones. Asks the district's own loopback port.

There only where the platform was started for a demonstration. A person who plays a technician is made known to the district, which then
leaves his crew's orders to him. Refuses whatever is not a simulated home in the asker's scope, by the
registry, before the district is asked; the district knows no other homes either.
"""

import contextlib
import ssl
from http import HTTPStatus
from ipaddress import ip_address
from typing import Annotated, Any, Final, Literal, LiteralString, TypeVar
from urllib.parse import urlsplit

import httpx
from fastapi import BackgroundTasks, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from structlog import get_logger

from console.access.scope import IN_SCOPE_CREW, IN_SCOPE_HOME
from console.access.who import Who
from console.api.needs import Console, Signed, check, needs, noun
from console.api.orders import unknown_order
from console.problems import Problem, not_found, responses
from console.running import Running

_TIMEOUT_S = 8.0
_log = get_logger()
# Nothing is spoken but plain HTTP on loopback: no certificates to read for it.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

_SIMULATED_AMONG = f"""
    SELECT home_id FROM homes
    WHERE home_id = ANY (%(ids)s) AND simulated AND retired_at IS NULL AND {IN_SCOPE_HOME}"""
_DISTRICTS_OF_BUILDING = f"""
    SELECT DISTINCT district_code FROM homes
    WHERE estate = %(estate)s AND building = %(building)s AND (%(code)s::text IS NULL OR district_code = %(code)s)
      AND simulated AND retired_at IS NULL AND {IN_SCOPE_HOME}"""
_CREWS_AMONG = f"SELECT crew_id FROM crews WHERE crew_id = ANY (%(ids)s) AND {IN_SCOPE_CREW}"
# Whoever demonstrates sees every district, and may leave one crew for another.
_CREW_OF: Final[LiteralString] = """
    SELECT w.crew_id, coalesce(
        (SELECT t.technician_id FROM technicians t
         WHERE t.technician_id = w.technician_id AND t.crew_id = w.crew_id AND t.retired_at IS NULL),
        (SELECT min(t.technician_id) FROM technicians t WHERE t.crew_id = w.crew_id AND t.retired_at IS NULL)) AS technician_id
    FROM work_orders w JOIN homes h USING (home_id) LEFT JOIN crews c ON c.crew_id = w.crew_id
    WHERE w.order_no = %(order_no)s AND h.simulated AND (c.crew_id IS NULL OR c.simulated)"""

_Said = TypeVar("_Said", bound=BaseModel)
DemoKind = Literal["plain", "stuck_valve", "before_meter", "nobody_answers"]


def control_url(console: Console) -> str:
    """Where the district is asked. Raises a 404 problem where this platform is no demonstration."""
    url = on_loopback(console.settings.demo_control_url)
    if url is None:
        raise not_found("本平台没有运行演示", "this platform runs no demonstration")
    return url


def on_loopback(url: str) -> str | None:
    """The address where a literal loopback one with a port was given; None otherwise: a name could lead anywhere."""
    try:
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.port and ip_address(parts.hostname or "").is_loopback:
            return url.rstrip("/")
    except ValueError:
        pass
    if url:
        _log.error("the demonstration's port is not on loopback; it is not asked", url=url)
    return None


# Whether there is a demonstration at all is asked before who is asking.
router = noun("demo", control_url, below="/demo")
District = Annotated[str, Depends(control_url)]
Demonstrator = Annotated[Who, Depends(needs("demo"))]


class _Told(BaseModel):
    model_config = ConfigDict(extra="ignore")


class DemoWords(_Told):
    """Why not, in both languages."""

    reason: str
    zh: str
    en: str


class DemoHome(_Told):
    """A home of the simulated district that may be chosen."""

    home_id: str
    address_zh: str
    address_en: str
    district_code: str
    estate: str
    building: str
    busy: bool = Field(description="it cannot leak now")
    why: DemoWords | None = Field(description="why not")
    kinds: list[DemoKind] = Field(description="the ways in which it can leak")


class DemoHomes(_Told):
    """Homes, those that can leak first."""

    items: list[DemoHome]
    found: int = Field(description="how many match, these among them")


class DemoBuilding(_Told):
    """A building of the simulated district."""

    district_code: str
    estate: str
    building: str
    homes: int
    free: int = Field(description="homes that can leak now")


class DemoBuildings(_Told):
    """All buildings of the district."""

    items: list[DemoBuilding]


class Ring(_Told):
    """One call at one simulated telephone, as the telephone had it. Times are Unix ms, null while they have not come."""

    ring_id: str
    home_id: str
    position: int = Field(description="place of the contact in the home's list, 1 first")
    number: str
    state: Literal["ringing", "answered", "pressed", "refused", "over"]
    ringing_ms: int | None
    answered_ms: int | None
    key: str | None
    key_ms: int | None
    ended_ms: int | None
    ended_by: Literal["phone", "caller", ""]
    sip_code: int | None = Field(description="what a call that was not taken was answered with")
    heard_s: float | None = Field(description="seconds of sound that came out of the telephone")


class Rings(_Told):
    """The last calls at the simulated telephones, newest first."""

    items: list[Ring]


class AskLeak(BaseModel):
    """Which home leaks, and how."""

    home_id: str = Field(min_length=1, max_length=64)
    kind: DemoKind = Field("plain", description="plain; the valve sticks; the leak is before the meter; nobody answers the phone")


class LeakBegun(_Told):
    """Gas begins to escape; the detector alarms within seconds."""

    home_id: str
    kind: DemoKind
    address_zh: str
    address_en: str


class AskBuildingLeak(BaseModel):
    """Which building leaks."""

    estate: str = Field(min_length=1, max_length=120)
    building: str = Field(min_length=1, max_length=60)
    district_code: str | None = Field(None, max_length=12, description="where more than one district has such a building")


class LeftOut(DemoWords):
    """A home of the building that does not leak."""

    home_id: str


class BuildingLeakBegun(_Told):
    """The homes that leak within the next seconds, and those that cannot."""

    leaking: list[str]
    left_out: list[LeftOut]


class PlayCrew(BaseModel):
    """Whose crew somebody wants to play: that of this order."""

    order_no: str = Field(min_length=1, max_length=32, description="the number spoken on the phone", examples=["QX-260402-0017"])
    plays: bool = Field(True, description="false: his page closes, and the simulated crew goes on after some seconds")


class CrewPlayed(_Told):
    """A crew that a person plays: the simulated technicians leave its orders to him."""

    crew_id: str
    left_s: float = Field(description="s until the simulated crew goes on, if the technician's page gives no sign of life")


class CrewsPlayed(_Told):
    """The crews that people play now, the last one heard of first."""

    items: list[CrewPlayed]


@router.get("/homes", summary="Homes that may be chosen · 可选住户", responses=responses(403, 404, 422))
async def homes(
    console: Console,
    district: District,
    who: Demonstrator,
    q: Annotated[str, Query(max_length=100, description="words of the address, or the home's id")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DemoHomes:
    """Homes of the simulated district, those that can leak now first."""
    found = _read(DemoHomes, await _ask(district, "GET", "/homes", params={"q": q, "limit": limit}))
    seen = await _simulated(console, who, [home.home_id for home in found.items])
    return DemoHomes(items=[home for home in found.items if home.home_id in seen], found=found.found)


@router.get("/buildings", summary="Buildings that may be chosen · 可选楼栋", responses=responses(403, 404))
async def buildings(district: District, who: Demonstrator) -> DemoBuildings:
    """All buildings of the simulated district."""
    found = _read(DemoBuildings, await _ask(district, "GET", "/buildings"))
    mine = who.scope.districts
    return DemoBuildings(items=[place for place in found.items if mine is None or place.district_code in mine])


@router.get("/phones", summary="The last calls at the simulated telephones · 模拟电话", responses=responses(403, 404))
async def phones(console: Console, district: District, who: Demonstrator) -> Rings:
    """What the telephones themselves have seen: rang, picked up, key, over."""
    found = _read(Rings, await _ask(district, "GET", "/phones"))
    seen = await _simulated(console, who, list({ring.home_id for ring in found.items}))
    return Rings(items=[ring for ring in found.items if ring.home_id in seen])


@router.post("/leak", summary="Let a simulated home leak · 让一户模拟泄漏", responses=responses(403, 404, 409, 422))
async def leak(console: Console, district: District, who: Demonstrator, asked: AskLeak) -> LeakBegun:
    """Gas begins to escape in this home. 409 where it leaks already, or cannot leak in this way."""
    if asked.home_id not in await _simulated(console, who, [asked.home_id]):
        raise not_found("没有这个模拟住户", "there is no such simulated home")
    begun = _read(LeakBegun, await _ask(district, "POST", "/leak", json=asked.model_dump()))
    _log.info("demonstration leak", home_id=asked.home_id, kind=asked.kind, who=who.name)
    return begun


@router.post("/building-leak", summary="Let a whole simulated building leak · 让整栋楼模拟泄漏", responses=responses(403, 404, 409, 422))
async def building_leak(console: Console, district: District, who: Demonstrator, asked: AskBuildingLeak) -> BuildingLeakBegun:
    """Gas begins to escape in every home of this building that can leak, within some seconds."""
    where = {"estate": asked.estate, "building": asked.building, "code": asked.district_code}
    codes = [row["district_code"] for row in await console.store.rows(_DISTRICTS_OF_BUILDING, {**where, **who.scope.values()})]
    if not codes:
        raise not_found("没有这栋模拟楼", "there is no such simulated building")
    body = {"estate": asked.estate, "building": asked.building, "district_code": codes[0] if len(codes) == 1 else asked.district_code}
    begun = _read(BuildingLeakBegun, await _ask(district, "POST", "/building-leak", json=body))
    _log.info("demonstration leak of a building", estate=asked.estate, building=asked.building, homes=len(begun.leaking), who=who.name)
    return begun


@router.get("/crews", summary="Crews that people play now · 由人扮演的抢修队", responses=responses(403, 404))
async def crews(console: Console, district: District, who: Demonstrator) -> CrewsPlayed:
    """For each of them the simulated technicians wait."""
    found = _read(CrewsPlayed, await _ask(district, "GET", "/crews"))
    ids = [crew.crew_id for crew in found.items]
    seen = {row["crew_id"] for row in await console.store.rows(_CREWS_AMONG, {"ids": ids, **who.scope.values()})}
    return CrewsPlayed(items=[crew for crew in found.items if crew.crew_id in seen])


@router.post("/crew", summary="Play the crew of an order · 扮演抢修队", responses=responses(403, 404, 409, 422))
async def play_crew(console: Console, district: District, who: Demonstrator, asked: PlayCrew) -> CrewPlayed:
    """The session goes on as the technician of this simulated order; the simulated crew leaves its orders to him, while he plays."""
    check(who, "order_step")
    found = await console.store.row(_CREW_OF, {"order_no": asked.order_no})
    if found is None or who.via != "demo":
        raise unknown_order(asked.order_no)
    if found["crew_id"] is None or found["technician_id"] is None:
        raise Problem(HTTPStatus.CONFLICT, "no_crew_yet", "该抢修单还没有抢修队", "this order has no crew yet")
    played = _read(CrewPlayed, await _ask(district, "POST", "/crews", json={"crew_id": found["crew_id"], "plays": asked.plays}))
    if not asked.plays:
        return played
    await console.access.sessions.play(who.credential, found["technician_id"])
    console.access.forget()
    _log.info("a person plays a crew", crew_id=played.crew_id, technician_id=found["technician_id"], who=who.name)
    return played


async def noticed(console: Console, who: Signed, background: BackgroundTasks) -> None:
    """A dependency of the technician's own routes: where this is a demonstration, the page of a person is a sign of life of his crew."""
    district = on_loopback(console.settings.demo_control_url)
    if district is not None and who.crew_id is not None and who.via != "token":
        # Behind the answer: a district that is slow or away keeps no technician waiting.
        background.add_task(_sign_of_life, district, who.crew_id)


async def _sign_of_life(district: str, crew_id: str) -> None:
    with contextlib.suppress(Problem):
        await _ask(district, "POST", "/crews", json={"crew_id": crew_id})


async def _simulated(console: Running, who: Who, ids: list[str]) -> set[str]:
    """Those of these homes that the registry marks as simulated and that he may see."""
    return {row["home_id"] for row in await console.store.rows(_SIMULATED_AMONG, {"ids": ids, **who.scope.values()})}


async def _ask(district: str, method: str, path: str, **what: Any) -> Any:
    """One question to the district. Raises a problem when it refuses or is not there."""
    try:
        # A connection for each: the district is started after us, may be started anew, and is asked once a second at most.
        async with httpx.AsyncClient(base_url=district, timeout=_TIMEOUT_S, trust_env=False, verify=_NO_TLS) as client:
            response = await client.request(method, path, **what)
            said = response.json()
    except (httpx.HTTPError, ValueError) as error:
        _log.warning("the simulated district does not answer", reason=type(error).__name__)
        raise _away() from error
    if response.status_code == HTTPStatus.OK:
        return said
    if response.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY):
        words = _read(DemoWords, said)
        raise Problem(HTTPStatus(response.status_code), words.reason, words.zh, words.en)
    raise _away()


def _read(model: type[_Said], said: Any) -> _Said:
    try:
        return model.model_validate(said)
    except ValidationError as error:
        _log.error("the simulated district says what is not understood", what=model.__name__, errors=error.error_count())
        raise _away() from error


def _away() -> Problem:
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "district_away",
        "模拟片区尚未就绪，请稍候",
        "the simulated district is not there yet: try again soon",
    )
