"""The control port of a simulated district: a few JSON routes over HTTP on loopback, for the console's demonstration panel.

Decides what may be asked and how a refusal looks. Refuses a listener, a peer's ``Host`` or a page that is not of this machine: a POST
must be ``application/json``, which no foreign page can send unasked. Speaks as little of HTTP/1.1 as its one client needs: one request
a connection.
"""

import asyncio
import contextlib
import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.door import close_door
from core.errors import UserError
from simulator.demo.kinds import DEMO_KINDS, DemoKind
from simulator.demo.leaks import NO_BUILDING, NOT_SIMULATED, PLATFORM_AWAY, Building, Leaks, Refusal
from simulator.demo.ringing import Rings
from simulator.demo.taken import LEASE_S, Taken
from simulator.world.home import HomePlan

_log = structlog.get_logger()

_HEAD_MOST: Final = 8 * 1024
_BODY_MOST: Final = 4 * 1024
_PATIENCE_S: Final = 10.0
_MOST: Final = 500
_USUAL: Final = 50


class LeakWanted(BaseModel):
    """Body of ``POST /leak``."""

    model_config = ConfigDict(extra="forbid")
    home_id: str = Field(min_length=1, max_length=64)
    kind: DemoKind = "plain"


class BuildingLeakWanted(BaseModel):
    """Body of ``POST /building-leak``. The district's code is needed only where two districts have such a building."""

    model_config = ConfigDict(extra="forbid")
    estate: str = Field(min_length=1, max_length=120)
    building: str = Field(min_length=1, max_length=60)
    district_code: str | None = Field(None, max_length=12)


class CrewWanted(BaseModel):
    """Body of ``POST /crews``: a person plays this crew, or plays it no more."""

    model_config = ConfigDict(extra="forbid")
    crew_id: str = Field(min_length=1, max_length=64)
    plays: bool = True


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    query: Mapping[str, list[str]]
    body: bytes

    def first(self, name: str) -> str:
        return self.query.get(name, [""])[0]


Answer = tuple[HTTPStatus, object]


class ControlPort:
    """``async with``; ``url`` says where it listens."""

    def __init__(self, leaks: Leaks, rings: Rings, taken: Taken, listen: str) -> None:
        """``listen`` is host:port, port 0 = a free one. Raises UserError when that is not a literal loopback address."""
        self._leaks = leaks
        self._rings = rings
        self._taken = taken
        self._host, self._port = loopback(listen)
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._routes: dict[tuple[str, str], Callable[[_Request], Awaitable[Answer]]] = {
            ("GET", "/homes"): self._homes,
            ("GET", "/buildings"): self._buildings,
            ("GET", "/phones"): self._phones,
            ("GET", "/crews"): self._crews,
            ("POST", "/crews"): self._take_crew,
            ("POST", "/leak"): self._leak,
            ("POST", "/building-leak"): self._building_leak,
        }

    async def __aenter__(self) -> "ControlPort":
        try:
            self._server = await asyncio.start_server(self._serve, self._host, self._port, limit=_HEAD_MOST)
        except OSError as error:
            raise UserError(
                f"演示控制端口 {self._host}:{self._port} 无法监听：{error.strerror}",
                f"the demonstration's port {self._host}:{self._port} cannot be listened on: {error.strerror}",
            ) from None
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is None:
            return
        await close_door(self._server)
        # Whoever was let in before is answered.
        if self._serving:
            await asyncio.wait(self._serving, timeout=_PATIENCE_S)

    @property
    def url(self) -> str:
        """Where it listens; the port that it was given once it does."""
        port = self._server.sockets[0].getsockname()[1] if self._server is not None else self._port
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{port}"

    # --- the routes -----------------------------------------------------------------------------------------

    async def _homes(self, request: _Request) -> Answer:
        self._leaks.end_stories()
        try:
            limit = min(_MOST, max(1, int(request.first("limit") or _USUAL)))
        except ValueError:
            return _unclear("limit")
        words = request.first("q").casefold().split()
        found = [plan for plan in self._leaks.plans() if all(word in _written(plan) for word in words)]
        # Those that can leak now come first; the order of the district is kept beside that.
        found.sort(key=lambda plan: self._leaks.refusal(plan.home_id) is not None)
        return HTTPStatus.OK, {"items": [self._home(plan) for plan in found[:limit]], "found": len(found)}

    def _home(self, plan: HomePlan) -> dict[str, object]:
        place, why = Building.of(plan), self._leaks.refusal(plan.home_id)
        return {
            "home_id": plan.home_id,
            "address_zh": plan.address_zh,
            "address_en": plan.address_en,
            "district_code": place.district_code,
            "estate": place.estate,
            "building": place.building,
            "busy": why is not None,
            "why": None if why is None else _said(why),
            "kinds": [name for name, kind in DEMO_KINDS.items() if self._leaks.refusal(plan.home_id, kind) is None],
        }

    async def _buildings(self, _: _Request) -> Answer:
        self._leaks.end_stories()
        homes: dict[Building, list[str]] = {}
        for plan in self._leaks.plans():
            homes.setdefault(Building.of(plan), []).append(plan.home_id)
        items = [
            {
                "district_code": place.district_code,
                "estate": place.estate,
                "building": place.building,
                "homes": len(inside),
                "free": sum(self._leaks.refusal(home_id) is None for home_id in inside),
            }
            for place, inside in homes.items()
        ]
        return HTTPStatus.OK, {"items": items}

    async def _phones(self, _: _Request) -> Answer:
        return HTTPStatus.OK, {"items": [ring.model_dump() for ring in self._rings.latest()]}

    async def _crews(self, _: _Request) -> Answer:
        return HTTPStatus.OK, {"items": [{"crew_id": crew_id, "left_s": left_s} for crew_id, left_s in self._taken.latest().items()]}

    async def _take_crew(self, request: _Request) -> Answer:
        try:
            wanted = CrewWanted.model_validate_json(request.body)
        except ValidationError as error:
            return _unclear(*_fields(error))
        if not wanted.plays:
            return HTTPStatus.OK, {"crew_id": wanted.crew_id, "left_s": self._taken.leave(wanted.crew_id)}
        self._taken.take(wanted.crew_id)
        return HTTPStatus.OK, {"crew_id": wanted.crew_id, "left_s": LEASE_S}

    async def _leak(self, request: _Request) -> Answer:
        try:
            wanted = LeakWanted.model_validate_json(request.body)
        except ValidationError as error:
            return _unclear(*_fields(error))
        self._leaks.end_stories()
        refusal = await self._leaks.ask(wanted.home_id, wanted.kind)
        if refusal is not None:
            return _refused(refusal)
        plan = next(plan for plan in self._leaks.plans() if plan.home_id == wanted.home_id)
        return HTTPStatus.OK, {
            "home_id": plan.home_id,
            "kind": wanted.kind,
            "address_zh": plan.address_zh,
            "address_en": plan.address_en,
        }

    async def _building_leak(self, request: _Request) -> Answer:
        try:
            wanted = BuildingLeakWanted.model_validate_json(request.body)
        except ValidationError as error:
            return _unclear(*_fields(error))
        self._leaks.end_stories()
        crowd = await self._leaks.ask_building(wanted.estate, wanted.building, wanted.district_code)
        if isinstance(crowd, Refusal):
            return _refused(crowd)
        left_out = [{"home_id": home_id, **_said(why)} for home_id, why in crowd.left_out]
        return HTTPStatus.OK, {"leaking": list(crowd.leaking), "left_out": left_out}

    # --- the wire -------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: asyncio.Task[None] | None = asyncio.current_task()
        assert task is not None  # noqa: S101  a server runs it as one
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        await self._serve_one(reader, writer)
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                status, answer = await self._answer(reader)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            writer.close()
            return
        except Exception:  # noqa: BLE001  a fault in the demonstration must not end the district
            _log.exception("fault of the control port")
            status, answer = HTTPStatus.INTERNAL_SERVER_ERROR, _problem("fault", "演示控制端口内部故障", "a fault of the control port")
        body = json.dumps(answer, ensure_ascii=False).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
        )
        with contextlib.suppress(OSError):
            writer.write(head.encode() + body)
            await writer.drain()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> Answer:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *rest = head.split("\r\n")
            method, target, _ = line.split(" ")
            length = 0
            headers = {name.strip().lower(): value.strip() for name, _, value in (text.partition(":") for text in rest) if value}
            length = int(headers.get("content-length", "0"))
        except (asyncio.LimitOverrunError, ValueError):
            return _unclear("request")
        if not _own_name(headers.get("host", "")):
            return HTTPStatus.MISDIRECTED_REQUEST, _problem("not_addressed_here", "请求地址不是本机", "not addressed to this machine")
        if not 0 <= length <= _BODY_MOST or "transfer-encoding" in headers:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _problem("too_large", "请求过大", "the request is too large")
        if method == "POST" and headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, _problem("not_json", "应为 application/json", "it must be application/json")
        parts = urlsplit(target)
        path = unquote(parts.path)
        route = self._routes.get((method, path))
        if route is None:
            known = any(path == other for _, other in self._routes)
            status = HTTPStatus.METHOD_NOT_ALLOWED if known else HTTPStatus.NOT_FOUND
            return status, _problem(status.name.lower(), "没有这个地址", "there is nothing at this address")
        return await route(_Request(method, path, parse_qs(parts.query), await reader.readexactly(length)))


def loopback(listen: str) -> tuple[str, int]:
    """Host and port of ``host:port``. Raises UserError when that is not a literal loopback address: a name could lead anywhere."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    try:
        if ipaddress.ip_address(host).is_loopback and 0 <= int(port) < 65536:
            return host, int(port)
    except ValueError:
        pass
    raise UserError(
        f"演示控制端口应为本机回环地址加端口，而不是 {listen!r}", f"the demonstration's port must be host:port on loopback, not {listen!r}"
    )


def _own_name(host: str) -> bool:
    name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
    return name.lower() in ("127.0.0.1", "localhost", "[::1]")


def _written(plan: HomePlan) -> str:
    return f"{plan.home_id} {plan.address_zh} {plan.address_en}".casefold()


def _fields(error: ValidationError) -> list[str]:
    return [".".join(str(part) for part in found["loc"]) or "body" for found in error.errors()]


def _unclear(*fields: str) -> Answer:
    names = ", ".join(fields)
    return HTTPStatus.UNPROCESSABLE_ENTITY, _problem("invalid", f"请求内容有误：{names}", f"the request is not understood: {names}")


def _refused(refusal: Refusal) -> Answer:
    if refusal in (NOT_SIMULATED, NO_BUILDING):
        return HTTPStatus.NOT_FOUND, _said(refusal)
    return (HTTPStatus.SERVICE_UNAVAILABLE if refusal is PLATFORM_AWAY else HTTPStatus.CONFLICT), _said(refusal)


def _said(refusal: Refusal) -> dict[str, Any]:
    return _problem(refusal.reason, refusal.zh, refusal.en)


def _problem(reason: str, zh: str, en: str) -> dict[str, Any]:
    return {"reason": reason, "zh": zh, "en": en}
