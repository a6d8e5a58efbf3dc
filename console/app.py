"""Puts the console together: routes, what each of them needs, errors, doorway, gate, pages. Knows no SQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi
from prometheus_client import CONTENT_TYPE_LATEST

from console import page, problems
from console.access.description import describe_access
from console.access.gate import Gate
from console.api import (
    attachments,
    audit,
    board,
    calls,
    commands,
    conditions,
    crews,
    demo,
    devices,
    events,
    exports,
    field,
    handover,
    holds,
    homes,
    incidents,
    orders,
    overview,
    people,
    promise,
    recordings,
    remarks,
    requests,
    search,
    session,
    tasks,
    timeline,
    tokens,
    users,
)
from console.api import map as city_map
from console.api.changed import ChangedThings
from console.api.needs import Console
from console.doorway import Doorway, names_of
from console.health import Health
from console.recordings_folder import RecordingsFolder
from console.running import Running
from console.settings import ConsoleSettings

_NOUNS: Final = (
    *(session, users, tokens, audit),
    *(incidents, timeline, remarks, homes, devices, people, conditions, holds, search, city_map, overview, promise),
    *(orders, board, exports, handover, attachments, field, calls, recordings, commands, crews, tasks, requests, events, demo),
)
# Not by include_router: that reads the parameters of every route once more, a quarter of a second within the first request.
_ROUTES: Final = tuple(route for noun in _NOUNS for route in noun.router.routes)

_TAGS = [
    {"name": "access", "description": "Signing in, users, tokens, the audit record · 登录、用户、令牌、审计"},
    {"name": "incidents", "description": "Incidents, their clocks and their story · 事件、时钟与经过"},
    {"name": "homes", "description": "Homes, devices, readings · 住户、设备、读数"},
    {"name": "orders", "description": "Work orders and their steps · 抢修单"},
    {"name": "calls", "description": "Telephone calls · 电话"},
    {"name": "commands", "description": "Commands to devices · 下发指令"},
    {"name": "crews", "description": "Crews · 抢修队"},
    {"name": "tasks", "description": "Work for people · 人工任务"},
    {"name": "requests", "description": "What people ask of the stations, which decide · 请求（由站点决定）"},
    {"name": "events", "description": "Everything that changes, live · 实时事件流"},
    {"name": "handover", "description": "Shift handover · 交接班"},
    {"name": "demo", "description": "The demonstration, where this platform runs one · 演示"},
    {"name": "state", "description": "Health and metrics · 健康与指标"},
]
_DESCRIPTION = (
    "Reads everything, decides nothing: requests are put before the line or dispatch, which answer or refuse. "
    "Times are Unix ms (UTC), methane in %LEL, pressures in kPa. Errors are RFC 9457 problem details in both languages. "
    "Sign in with a session cookie (changes carry X-CSRF-Token), or send an API token. `x-right` names what a route needs.\n\n"
    "只读取、不决定：所有请求交由接警线或调度裁决。时间为 Unix 毫秒（UTC），甲烷为 %LEL，压力为 kPa。"
    "错误按 RFC 9457 返回中英文说明。以会话 Cookie 登录（更改须带 X-CSRF-Token），或使用接口令牌；x-right 为所需权限。"
)


def create_app(settings: ConsoleSettings) -> FastAPI:
    """The console as an ASGI application; its parts start and stop with it."""
    running = Running(settings, ChangedThings(RecordingsFolder(settings.recordings_dir)).read)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await running.start()
        yield
        await running.stop()

    app = FastAPI(
        title="燃气哨兵 Gas Sentinel",
        version="0.1.0",
        summary="Console API · 控制台接口",
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=life,
        routes=[*_ROUTES, *page.routes()],
        # Their pages load scripts from the internet.
        docs_url=None,
        redoc_url=None,
    )
    app.state.running = running
    problems.install(app)
    _add_state(app)
    app.add_middleware(Gate, running=running)
    app.add_middleware(Doorway, metrics=running.metrics, names=names_of(settings))
    _document(app)
    return app


def _add_state(app: FastAPI) -> None:
    @app.get(
        "/health",
        tags=["state"],
        summary="Could a leak be handled now? · 健康",
        responses={503: {"model": Health, "description": "A leak could not be handled now / 现在无法完整处置泄漏"}},
    )
    async def health(console: Console, response: Response) -> Health:
        """Asks the line, dispatch, the voice worker and the database."""
        found = await console.doctor.ask(console.clock.now_ms())
        console.metrics.healthy.set(int(found.ok))
        response.status_code = 200 if found.ok else 503
        response.headers["Cache-Control"] = "no-store"
        return found

    @app.get(
        "/metrics",
        tags=["state"],
        summary="Prometheus metrics · 指标",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics(console: Console) -> Response:
        """Of the console itself; every station has its own."""
        return Response(console.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _document(app: FastAPI) -> None:
    """OpenAPI with problem details as the one shape of every error."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
                license_info=app.license_info,
            )
            schemas = document["components"]["schemas"]
            schemas.pop("HTTPValidationError", None)
            schemas.pop("ValidationError", None)
            problem = problems.ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(problem.pop("$defs", {}))
            schemas["ProblemDetails"] = problem
            describe_access(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI names for one's own document
