"""The platform as an outsider reaches it: the line that ``up`` prints, and the HTTP API that technicians use.

Decides how a request is sent and what a refusal looks like here. Refuses to know what anybody does with the answer.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.clock import SystemClock
from core.errors import GasSentinelError, UserError

Entity = Mapping[str, Any]
"""One JSON object as the API gives it."""

_PAGE = 200
_TIMEOUT_S = 10.0
_POLL_S = 0.2


class PlatformLostError(GasSentinelError):
    """The API stopped answering."""


class MqttDoor(BaseModel):
    """The broker and the ``fleet`` account."""

    model_config = ConfigDict(frozen=True)
    host: str
    port: int
    username: str
    password: str


class PlatformLine(BaseModel):
    """The JSON line that ``gas-sentinel up`` prints when it is ready."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    mqtt: MqttDoor
    postgres: str
    http: str
    api_token: str = Field("", repr=False, description="lets the simulated technicians in")
    sim_sip: str = Field(description="host:port where the platform expects the simulated telephones")
    clock_rate: float = 1.0
    clock_epoch_ms: int | None = None

    def clock(self) -> SystemClock:
        """The platform's clock."""
        return SystemClock(self.clock_rate, self.clock_epoch_ms)


def platform_line(found: Mapping[str, Any]) -> PlatformLine:
    """Read what ``up`` printed. Raises UserError when a field is missing."""
    try:
        return PlatformLine.model_validate(found)
    except ValidationError as error:
        fields = ", ".join(".".join(str(part) for part in e["loc"]) for e in error.errors())
        raise UserError(
            f"平台描述缺少或不正确：{fields}（应为 gas-sentinel up 打印的那一行）",
            f"the platform file lacks or misstates: {fields} (it should hold the line that 'gas-sentinel up' prints)",
        ) from None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that a station refused, in its words."""

    reason: str
    zh: str
    en: str


class PlatformApi:
    """The HTTP API. ``async with``. Methods raise PlatformLostError when it does not answer."""

    def __init__(self, url: str, token: str = "") -> None:
        """``token`` as the platform's line has it: who acts here does so for the technicians that he names."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.AsyncClient(base_url=f"{url.rstrip('/')}/api/v1", timeout=_TIMEOUT_S, trust_env=False, headers=headers)
        self._root = url.rstrip("/")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._client.aclose()

    async def wait_healthy(self, seconds: float) -> None:
        """Return when ``/health`` is green. Raises UserError with its last reasons after ``seconds`` real seconds."""
        said = "no answer"
        for _ in range(max(1, round(seconds / _POLL_S))):
            try:
                response = await self._client.get(f"{self._root}/health")
                if response.status_code == 200:
                    return
                said = _reasons(response)
            except httpx.HTTPError as error:
                said = type(error).__name__
            await asyncio.sleep(_POLL_S)
        raise UserError(f"平台 {self._root} 未就绪：{said}", f"the platform at {self._root} is not ready: {said}")

    async def get(self, path: str, **query: Any) -> Any:
        """One GET below ``/api/v1``; asked three times before it counts as lost. Raises KeyError for a 404."""
        parameters = {key: value for key, value in query.items() if value is not None}
        said = ""
        for attempt in itertools.count(1):
            try:
                response = await self._client.get(path, params=parameters)
            except httpx.HTTPError as error:
                said = type(error).__name__
            else:
                if response.status_code == 200:
                    return response.json()
                if response.status_code == 404:
                    raise KeyError(path)
                said = f"{response.status_code} {_reasons(response)}"
            if attempt == 3:
                break
            await asyncio.sleep(_POLL_S * attempt)
        raise PlatformLostError(f"GET {path}: {said}")

    async def every(self, path: str, **query: Any) -> AsyncIterator[Entity]:
        """All items of a list, page by page."""
        after: str | None = None
        while True:
            page = await self.get(path, limit=_PAGE, after=after, **query)
            for item in page["items"]:
                yield item
            after = page["next"]
            if after is None:
                return

    async def ask(self, path: str, actor: str, **body: Any) -> Entity | Refusal:
        """One request that a station answers: its answer, or its refusal. Waits for an answer that is late."""
        try:
            response = await self._client.post(path, json={"actor": actor, **body})
            if response.status_code == 202:
                response = await self._late_answer(response.json()["request_id"])
        except httpx.HTTPError as error:
            name = type(error).__name__
            return Refusal("not_reached", f"平台未响应（{name}）", f"the platform did not answer ({name})")
        if response.status_code == 202:
            return Refusal("no_answer", "平台没有及时答复", "the platform did not answer in time")
        found = response.json()
        if response.status_code == 200:
            answer: Entity = found.get("answer") or {}
            # A late answer comes as the request itself, which says by its state how it ended.
            return _refusal(answer, response) if found.get("state") == "refused" else answer
        return _refusal(found, response)

    async def _late_answer(self, request_id: str) -> httpx.Response:
        response = await self._client.get(f"requests/{request_id}")
        for _ in range(round(_TIMEOUT_S / _POLL_S)):
            if response.status_code != 200 or response.json()["state"] != "pending":
                return response
            await asyncio.sleep(_POLL_S)
            response = await self._client.get(f"requests/{request_id}")
        return httpx.Response(202)


def _refusal(found: Entity, response: httpx.Response) -> Refusal:
    return Refusal(found.get("reason", str(response.status_code)), found.get("zh", ""), found.get("en", response.text))


def _reasons(response: httpx.Response) -> str:
    try:
        found = response.json()
    except ValueError:
        return str(response.status_code)
    return ", ".join(map(str, found.get("reasons") or [])) or str(found.get("en", response.status_code))
