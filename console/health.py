"""Could a leak be handled from end to end now? Asks the stations and the database; red when any part cannot, or cannot be asked.

Decides nothing for the stations: each one says itself whether it could do its work. Silence is unknown, and unknown is red.
"""

import asyncio
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Literal

import httpx
from pydantic import BaseModel, Field

from console.briefly import Briefly
from console.store import DatabaseAway, Store
from console.vocabulary import HEALTH_REASONS, Words, said

PROBE = "SELECT 1 AS one"
_CACHED_SECONDS = 1.0
_TIMEOUT_SECONDS = 1.0
_FIGURE: Final = (bool, int, float, str)
_DETAILS_MAX: Final = 30

_PARTS = {
    "line": ("接警与切断", "receiving leaks and closing valves"),
    "dispatch": ("派单", "sending a crew"),
    "voice": ("电话通知", "ringing the household"),
    "database": ("数据库", "the database"),
}


class Part(BaseModel):
    """One part of the platform."""

    ok: bool
    reasons: list[str] = Field(description="short codes; empty when ok", examples=[["broker_away"]])
    words: list[Words] = Field([], description="the reasons in words")
    detail: dict[str, Any] = Field({}, description="what the part says of itself beside, as it says it")


class Health(BaseModel):
    """Whether a leak could be handled from end to end now."""

    ok: bool
    reasons: list[str] = Field(description="part:code for everything that is wrong", examples=[["voice:unreachable"]])
    zh: str
    en: str
    parts: dict[str, Part] = Field(description="line, dispatch, voice, database")
    checked_ms: int = Field(description="Unix ms")


@cache
def _authorities() -> ssl.SSLContext:
    """Whom a station's certificate may be from; reading them all takes 20 ms, once a process."""
    return httpx.create_ssl_context(trust_env=False)


class Doctor:
    """Asks all parts at once, at most once a second however many ask him."""

    def __init__(self, store: Store, urls: Mapping[str, str]) -> None:
        self._store = store
        self._urls = urls
        # Proxies of the environment lead away from loopback.
        self._client = httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False, verify=_authorities())
        self._parts: Briefly[dict[str, Part]] = Briefly(_CACHED_SECONDS)

    async def stop(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def ask(self, now_ms: int) -> Health:
        """The health at ``now_ms``, at most a second old."""
        parts = await self._parts.get(self._ask_all)
        reasons = [f"{name}:{reason}" for name, part in parts.items() if not part.ok for reason in part.reasons or ["red"]]
        sick = [(_PARTS[name], part) for name, part in parts.items() if not part.ok]
        if not sick:
            return Health(ok=True, reasons=[], zh="各环节正常", en="every part is ready", parts=parts, checked_ms=now_ms)
        zh = "现在发生泄漏将无法完整处置：" + "、".join(words[0] + _why(part, "zh", "（{}）", "，") for words, part in sick)
        en = "a leak could not be handled completely now: " + ", ".join(words[1] + _why(part, "en", " ({})", ", ") for words, part in sick)
        return Health(ok=False, reasons=reasons, zh=zh, en=en, parts=parts, checked_ms=now_ms)

    async def _ask_all(self) -> dict[str, Part]:
        names = ("line", "dispatch", "voice")
        found = await asyncio.gather(*(self._station(name) for name in names), self._database())
        return dict(zip((*names, "database"), found, strict=True))

    async def _station(self, name: str) -> Part:
        url = self._urls.get(name)
        if not url:
            return _sick("not_configured")
        try:
            # The client's timeout is per read: a station that drips must not hold the answer.
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                response = await self._client.get(url)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            return _sick("unreachable")
        try:
            body = response.json()
            reasons = [str(reason)[:64] for reason in body.get("reasons", [])][:10]
            # Figures alone, and few of them: what a station says of itself is shown, not trusted.
            detail = {key: value for key, value in body.items() if isinstance(value, _FIGURE) and key not in ("ok", "reasons")}
            detail = dict(list(detail.items())[:_DETAILS_MAX])
        except (ValueError, AttributeError, TypeError):
            reasons, detail = [], {}
        if response.status_code == httpx.codes.OK:
            return Part(ok=True, reasons=[], detail=detail)
        return _sick(*(reasons or [f"status_{response.status_code}"]), detail=detail)

    async def _database(self) -> Part:
        try:
            # The store ends the wait itself: giving up here would ask a silent server to stop, and wait for that.
            await self._store.row(PROBE)
        except DatabaseAway:
            return _sick("away")
        return Part(ok=True, reasons=[])


def _sick(*reasons: str, detail: dict[str, Any] | None = None) -> Part:
    return Part(ok=False, reasons=list(reasons), words=[said(HEALTH_REASONS, reason) for reason in reasons], detail=detail or {})


def _why(part: Part, language: Literal["zh", "en"], around: str, between: str) -> str:
    return around.format(between.join(words.zh if language == "zh" else words.en for words in part.words)) if part.words else ""
