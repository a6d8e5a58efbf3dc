"""What people ask of the stations: each route puts a request and waits. The station decides; its refusal is handed on.

Decided here: in whose name a request is put. Everybody asks in his own; a system that is connected (role integration) may act for the
technician that it names, and a desk may enter the pressures of a technician without reception; with both names on record, each time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Path, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from console import masking
from console.access.in_scope import TASK_IN_SCOPE
from console.access.scope import crew_in_scope
from console.access.who import Who
from console.answers import Station
from console.api import homes, orders
from console.api.needs import Console, Signed, check, noun
from console.api.orders import OrderNo
from console.problems import Problem, not_found, responses

router = noun("requests")

Actor = Annotated[
    str,
    Field(min_length=1, max_length=64, description="in whose name; left out: who is signed in; another's only by an integration"),
]
Happened = Annotated[int, Field(ge=0, lt=2**53, description="when it was done, Unix ms, where it is told later; left out: now")]
Note = Annotated[str, Field(max_length=500, description="free text")]
Kpa = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False, description="kPa")]


class Asked(BaseModel):
    """What every request says."""

    model_config = ConfigDict(extra="forbid")
    actor: Actor | None = None


class HotlineReport(Asked):
    """Somebody called 95158: "I smell gas"."""

    home_id: str | None = Field(None, max_length=64, description="the home, where it is in the registry")
    place: str = Field("", max_length=200, description="the address as it was told, where there is no home id")
    note: Note = ""
    caller_phone: str | None = Field(None, max_length=64, description="not rung again: it is the caller")
    close: bool = Field(True, description="close the home's valve")

    @model_validator(mode="after")
    def _somewhere(self) -> "HotlineReport":
        if self.home_id is None and not self.place.strip():
            raise ValueError("home_id or place must say where")
        return self


class CloseValve(Asked):
    """Close a home's valve without a leak."""

    reason: str = Field(min_length=1, max_length=64)


class Noted(Asked):
    """Something with a note."""

    note: Note = ""


class Step(Noted):
    """A step of an order, as the phone that was there tells it, perhaps later."""

    happened_ms: Happened | None = None


class MadeSafe(Step):
    """The leak is under control."""

    reading_lel: float = Field(ge=0, le=100, allow_inf_nan=False, description="methane measured on site, %LEL")


class RecordCause(Step):
    """Why gas leaked."""

    cause: str = Field(min_length=1, max_length=64, examples=["hose"])


class TightnessTest(Asked):
    """A pressure test downstream of the meter."""

    start_kpa: Kpa
    end_kpa: Kpa
    minutes: float = Field(gt=0, le=1440, allow_inf_nan=False, description="min")
    entered_by: str | None = Field(None, max_length=64, description="the desk that entered it for him; both names are recorded")
    happened_ms: Happened | None = None


class CrewPosition(Asked):
    """Where a crew is."""

    lon: float = Field(ge=-180, le=180, description="degrees")
    lat: float = Field(ge=-90, le=90, description="degrees")
    coord_datum: Literal["WGS-84", "GCJ-02"]


class Answered(BaseModel):
    """The station did it."""

    request_id: UUID
    answer: dict[str, Any] = Field(description="what the station says of it")


class NotYet(BaseModel):
    """The request is put; the station has not answered yet: read `/requests/{request_id}`."""

    request_id: UUID


class RequestState(BaseModel):
    """A request as it stands."""

    request_id: UUID
    station: str
    kind: str
    actor: str
    body: dict[str, Any]
    state: Literal["pending", "done", "refused"]
    answer: dict[str, Any] | None
    made_ms: int = Field(description="Unix ms")
    answered_ms: int | None = Field(description="Unix ms")


ANSWERS: dict[int | str, dict[str, Any]] = {
    202: {"model": NotYet, "description": "The station has not answered yet / 站点尚未答复"},
    **responses(404, 409, 422),
}
Outcome = Answered | NotYet


@dataclass(frozen=True, slots=True)
class InTheNameOf:
    """``actor``: in whose name a request is put. ``asked_by``: which system truly asks, where the name is another's."""

    actor: str
    asked_by: str | None = None


async def put(
    console: Console, response: Response, station: Station, kind: str, name: InTheNameOf, body: Mapping[str, Any]
) -> Answered | NotYet:
    """Put a request before a station and answer as it does. Raises its refusal as a 409 problem."""
    if name.asked_by is not None:
        # Of no matter to the station; it stands in the record of the request.
        body = {**body, "asked_by": name.asked_by}
    request_id, row = await console.answers.ask(station, kind, body, name.actor)
    if row is None:
        response.status_code = HTTPStatus.ACCEPTED
        return NotYet(request_id=request_id)
    answer: dict[str, Any] = row["answer"] if isinstance(row["answer"], dict) else {}
    if row["state"] == "refused":
        reason = str(answer.get("reason") or "refused")
        raise Problem(
            HTTPStatus.CONFLICT,
            reason,
            str(answer.get("zh") or "站点拒绝了该请求"),
            str(answer.get("en") or f"the station refused: {reason}"),
            request_id=str(request_id),
        )
    return Answered(request_id=request_id, answer=answer)


def actor_of(who: Who, actor: str | None) -> InTheNameOf:
    """In whose name somebody asks. Raises a 403 problem where it is another's."""
    if "integration" in who.roles:
        return _system(who, actor or who.name)
    if actor not in (None, who.name, who.technician_id):
        raise _another(actor)
    return InTheNameOf(who.name)


def technician_of(who: Who, actor: str | None) -> InTheNameOf:
    """As which technician somebody acts at an order. Raises a 403 problem where he is none, or another."""
    if "integration" in who.roles:
        return _system(who, actor or who.technician_id or who.name)
    if who.technician_id is None:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "not_a_technician",
            "您的用户没有对应的抢修人员",
            "your user is no technician of the registry",
        )
    if actor not in (None, who.name, who.technician_id):
        raise _another(actor)
    return InTheNameOf(who.technician_id)


def _system(who: Who, actor: str) -> InTheNameOf:
    return InTheNameOf(actor, None if actor == who.name else who.name)


def _another(actor: str | None) -> Problem:
    return Problem(HTTPStatus.FORBIDDEN, "not_your_name", f"不能以 {actor} 的名义操作", f"you cannot act in the name of {actor}")


@router.post("/incidents", summary="Report a gas smell from the hotline · 95158 报漏", responses=ANSWERS)
async def report_leak(console: Console, response: Response, who: Signed, asked: HotlineReport) -> Outcome:
    """Opens an incident: closes the valve unless told otherwise, sends a crew, rings the other contacts."""
    if asked.home_id is not None:
        await homes.known(console.store, asked.home_id, who)
    body = asked.model_dump(exclude={"actor"})
    if who.via == "demo":
        # Nobody has called: in the street, where no home says so, its order goes to a simulated crew as well.
        body["simulated"] = True
    return await put(console, response, "line", "hotline_report", actor_of(who, asked.actor), body)


@router.post("/homes/{home_id}/close-valve", summary="Close a home's valve · 切断", responses=ANSWERS)
async def close_valve(console: Console, response: Response, who: Signed, home_id: homes.HomeId, asked: CloseValve) -> Outcome:
    """Nothing opens it again but a person at the meter."""
    await homes.known(console.store, home_id, who)
    body = {"home_id": home_id, "reason": asked.reason}
    return await put(console, response, "line", "close_valve", actor_of(who, asked.actor), body)


@router.post("/devices/{device_id}/self-test", summary="Ask a device to test itself · 设备自检", responses=ANSWERS)
async def self_test(console: Console, response: Response, who: Signed, device_id: homes.DeviceId, asked: Asked) -> Outcome:
    """A command to the device, bound by its expiry."""
    await homes.known_device(console.store, device_id, who)
    return await put(console, response, "line", "self_test", actor_of(who, asked.actor), {"device_id": device_id})


@router.post("/devices/{device_id}/report", summary="Ask a device to report now · 立即上报", responses=ANSWERS)
async def report(console: Console, response: Response, who: Signed, device_id: homes.DeviceId, asked: Asked) -> Outcome:
    """A command to the device, bound by its expiry."""
    await homes.known_device(console.store, device_id, who)
    return await put(console, response, "line", "report", actor_of(who, asked.actor), {"device_id": device_id})


async def _step(
    console: Console, response: Response, who: Who, station: Station, kind: str, order_no: str, asked: Asked
) -> Answered | NotYet:
    technician = technician_of(who, asked.actor)
    await orders.known(console.store, order_no, who)
    body = {"order_no": order_no, "technician_id": technician.actor, **_said(asked)}
    return await put(console, response, station, kind, technician, body)


def _said(asked: Asked) -> dict[str, Any]:
    said = asked.model_dump(exclude={"actor"})
    if said.get("happened_ms", 0) is None:
        del said["happened_ms"]
    return said


@router.post("/orders/{order_no}/accept", summary="Accept an order · 接单", responses=ANSWERS)
async def accept(console: Console, response: Response, who: Signed, order_no: OrderNo, asked: Step) -> Outcome:
    """By a technician of the crew that it was assigned to."""
    return await _step(console, response, who, "dispatch", "accept", order_no, asked)


@router.post("/orders/{order_no}/on-site", summary="On site · 到场", responses=ANSWERS)
async def on_site(console: Console, response: Response, who: Signed, order_no: OrderNo, asked: Step) -> Outcome:
    """The crew is at the door."""
    return await _step(console, response, who, "dispatch", "on_site", order_no, asked)


@router.post("/orders/{order_no}/no-access", summary="Nobody opens · 到访不遇", responses=ANSWERS)
async def no_access(console: Console, response: Response, who: Signed, order_no: OrderNo, asked: Step) -> Outcome:
    """The valve stays closed, the order stays open, a revisit is due."""
    return await _step(console, response, who, "dispatch", "no_access", order_no, asked)


@router.post("/orders/{order_no}/made-safe", summary="Made safe · 已控制", responses=ANSWERS)
async def made_safe(console: Console, response: Response, who: Signed, order_no: OrderNo, asked: MadeSafe) -> Outcome:
    """With a reading taken on site."""
    return await _step(console, response, who, "dispatch", "made_safe", order_no, asked)


@router.post("/orders/{order_no}/cause", summary="Record the cause · 查漏", responses=ANSWERS)
async def record_cause(console: Console, response: Response, who: Signed, order_no: OrderNo, asked: RecordCause) -> Outcome:
    """Why gas leaked, or why none was found."""
    return await _step(console, response, who, "dispatch", "record_cause", order_no, asked)


@router.post("/orders/{order_no}/tightness-test", summary="Enter a tightness test · 严密性试验", responses=ANSWERS)
async def tightness_test(console: Console, response: Response, who: Signed, order_no: OrderNo, asked: TightnessTest) -> Outcome:
    """Dispatch decides from the pressures whether it passed. A desk enters them for the technician that `actor` names."""
    steps = who.may("order_step") and (who.technician_id is not None or "integration" in who.roles)
    # Who is both, technician and desk, enters another's pressures as the desk.
    if steps and ("integration" in who.roles or asked.actor in {None, who.name, who.technician_id}):
        if "integration" not in who.roles:
            # Nobody writes another's name under his own test.
            asked = asked.model_copy(update={"entered_by": None})
        return await _step(console, response, who, "dispatch", "tightness_test", order_no, asked)
    check(who, "order_desk")
    order = await orders.known(console.store, order_no, who)
    body = {
        "order_no": order_no,
        "technician_id": asked.actor or order["technician_id"] or who.name,
        **_said(asked),
        "entered_by": who.name,
    }
    return await put(console, response, "dispatch", "tightness_test", InTheNameOf(who.name), body)


@router.post("/orders/{order_no}/open-valve", summary="Open the valve at the meter · 开阀", responses=ANSWERS)
async def open_valve(console: Console, response: Response, who: Signed, order_no: OrderNo, asked: Asked) -> Outcome:
    """Only for the technician on site after a passed test, confirmed by a person at the meter within 60 s. The line decides."""
    return await _step(console, response, who, "line", "open_valve", order_no, asked)


@router.post("/orders/{order_no}/restore", summary="Gas restored · 复气", responses=ANSWERS)
async def restore(console: Console, response: Response, who: Signed, order_no: OrderNo, asked: Step) -> Outcome:
    """Burners lit and soap-tested."""
    return await _step(console, response, who, "dispatch", "restore", order_no, asked)


@router.post("/orders/{order_no}/archive", summary="Archive an order · 归档", responses=ANSWERS)
async def archive(console: Console, response: Response, who: Signed, order_no: OrderNo, asked: Step) -> Outcome:
    """The end of an order; its incident is closed by the line."""
    return await _step(console, response, who, "dispatch", "archive", order_no, asked)


TASK_KNOWN = f"SELECT 1 AS one FROM tasks WHERE task_id = %(task_id)s AND {TASK_IN_SCOPE}"
CREW_KNOWN = f"SELECT 1 AS one FROM crews WHERE crew_id = %(crew_id)s AND {crew_in_scope()}"


@router.post("/tasks/{task_id}/done", summary="A task is done · 任务完成", responses=ANSWERS)
async def task_done(console: Console, response: Response, who: Signed, task_id: UUID, asked: Noted) -> Outcome:
    """With a note of what was done."""
    if await console.store.row(TASK_KNOWN, {"task_id": task_id, **who.scope.values()}) is None:
        raise not_found(f"没有任务 {task_id}", f"there is no task {task_id}")
    body = {"task_id": str(task_id), "note": asked.note}
    return await put(console, response, "dispatch", "task_done", actor_of(who, asked.actor), body)


@router.post("/crews/{crew_id}/position", summary="Where a crew is · 抢修队位置", responses=ANSWERS)
async def crew_position(
    console: Console, response: Response, who: Signed, crew_id: Annotated[str, Path(max_length=64)], asked: CrewPosition
) -> Outcome:
    """Degrees of the datum that is named. Told by a technician of the crew."""
    technician = technician_of(who, asked.actor)
    if await console.store.row(CREW_KNOWN, {"crew_id": crew_id, **who.scope.values()}) is None:
        raise not_found(f"没有抢修队 {crew_id}", f"there is no crew {crew_id}")
    body = {"crew_id": crew_id, **asked.model_dump(exclude={"actor"})}
    return await put(console, response, "dispatch", "crew_position", technician, body)


@router.get("/requests/{request_id}", summary="A request as it stands · 请求状态", responses=responses(404, 422))
async def read_request(console: Console, who: Signed, request_id: UUID) -> RequestState:
    """For those that were not answered at once. Everybody sees his own, an auditor all of them; each within his districts."""
    row = await console.answers.seen(request_id, who.scope)
    if row is None or not (row["actor"] in (who.name, who.technician_id) or "integration" in who.roles or who.may("audit")):
        raise not_found(f"没有请求 {request_id}", f"there is no request {request_id}")
    # Read for its answer: the numbers that were typed into it stand in the story of the incident, for as long as that shows them.
    return RequestState(**{**row, "body": masking.detail(row["body"])})
