"""The desk's routes on a real database, asked by whoever a test names: signing in is not what is tested here."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import uuid4

import httpx
import psycopg
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from console import problems
from console.access.rights import Role, rights_of
from console.access.who import Who
from console.api import board, handover, promise, remarks, search
from console.api import map as city_map
from console.api.changed import ChangedThings
from console.running import Running
from console.settings import ConsoleSettings
from tests.console.stage import Records

_PATIENCE_S: Final = 60


def told(listener: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """What whoever listens to ``changes`` was told until now, oldest first: a last word said by somebody else ends it, no time does."""
    last = str(uuid4())
    with psycopg.connect(listener.info.dsn, password=listener.info.password, autocommit=True) as another:
        another.execute("SELECT pg_notify('changes', %s)", [last])
    heard: list[dict[str, Any]] = []
    for notice in listener.notifies(timeout=_PATIENCE_S):
        if notice.payload == last:
            break
        heard.append(json.loads(notice.payload))
    else:
        raise AssertionError("the last word was not told")
    return heard


def person(name: str, *roles: Role, **values: Any) -> Who:
    """Somebody who is signed in with these roles."""
    row: dict[str, Any] = {
        "user_id": uuid4(),
        "name": name,
        "display": values.pop("display", name),
        "roles": frozenset(roles),
        "districts": None,
        "technician_id": None,
        "crew_id": None,
        "via": "password",
        "rights": rights_of(frozenset(roles)),
        "expires_ms": 2**62,
    }
    return Who(**{**row, **values})


SUPERVISOR = person("chen", "supervisor", display="陈班长")
OPERATOR = person("li", "operator", display="李值班")
VIEWER = person("wall", "viewer")


class _AskedBy:
    """Puts who asks where the gate would."""

    def __init__(self, app: ASGIApp, who: Who) -> None:
        self._app = app
        self._who = who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["who"] = self._who
        await self._app(scope, receive, send)


class Desk:
    """The routes, and people who ask."""

    def __init__(self, app: FastAPI, running: Running) -> None:
        self._app = app
        self.running = running

    async def answer(
        self, method: str, path: str, who: Who, *, json: Any = None, headers: dict[str, str] | None = None, **params: Any
    ) -> httpx.Response:
        """The answer as it comes."""
        transport = httpx.ASGITransport(_AskedBy(self._app, who), raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/api/v1") as client:
            return await client.request(method, path, json=json, params=params, headers=headers)

    async def get(self, path: str, who: Who = SUPERVISOR, **params: Any) -> Any:
        """The JSON of a GET that must succeed."""
        response = await self.answer("GET", path, who, **params)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, who: Who = SUPERVISOR, **body: Any) -> Any:
        """The JSON of a POST that must succeed."""
        response = await self.answer("POST", path, who, json=body)
        assert response.status_code == 200, response.text
        return response.json()

    async def refused(self, method: str, path: str, who: Who = SUPERVISOR, **body: Any) -> tuple[int, str]:
        """Status and reason of what must not succeed."""
        response = await self.answer(method, path, who, json=body if method == "POST" else None)
        assert response.status_code >= 400, response.text
        return response.status_code, response.json()["reason"]


@asynccontextmanager
async def running_desk(dsn: str, **settings: Any) -> AsyncIterator[Desk]:
    """The desk's routes on the database ``dsn``."""
    running = Running(ConsoleSettings(postgres_dsn=dsn, **settings), ChangedThings().read)
    app = FastAPI()
    app.state.running = running
    problems.install(app)
    for noun in (board, city_map, handover, promise, remarks, search):
        app.include_router(noun.router)
    await running.store.start()
    running.answers.start()
    try:
        yield Desk(app, running)
    finally:
        await running.answers.stop()
        await running.store.stop()


def user(records: Records, name: str, *roles: Role, **values: Any) -> None:
    """A user in the console's own table."""
    row = {
        "user_id": uuid4(),
        "name": name,
        "display": name,
        "roles": list(roles),
        "made_ms": 0,
        "made_by": "test",
        "changed_ms": 0,
    }
    records.put("users", **{**row, **values})
