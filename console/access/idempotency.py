"""The same change asked for twice is made once: header ``Idempotency-Key``, and the first answer for whoever asks again.

Decides when an answer is kept (what the platform decided), and when not: a fault, so that the next try may succeed, and what nobody may
store (``Cache-Control: no-store``: names and numbers in clear, which are only looked at and may be looked at again; tokens and links, which
are told once: who asks again is told that the thing is there already, and makes a new one). A request that is
put before a station while such a key is answered has an id that follows from the key, so that not even a crash in between doubles it.
"""

import asyncio
import hashlib
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.problems import Problem
from console.store import DatabaseAway, Row, Store

KEPT_MS: Final = 24 * 3_600_000
_UNANSWERED_MS: Final = 30_000
_WAIT_S: Final = 6.0
_LOOK_S: Final = 0.2
_ANSWER_MAX: Final = 256 * 1024
_LONGEST_KEY: Final = 64
_OURS: Final = UUID("6f1d3c58-6a1d-4c35-9d3c-2f6a0c5d7e11")

# An answer that never came (the console died over it) may be worked out again, and so may a key that is older than a day.
_CLAIM = """
    INSERT INTO idempotency_keys AS k (owner, key, asked, made_ms) VALUES (%(owner)s, %(key)s, %(asked)s, %(now_ms)s)
    ON CONFLICT (owner, key) DO UPDATE SET asked = excluded.asked, made_ms = excluded.made_ms, status = NULL, media = NULL, answer = NULL
    WHERE k.made_ms < %(now_ms)s - %(kept_ms)s
       OR (k.status IS NULL AND k.asked = excluded.asked AND k.made_ms < %(now_ms)s - %(unanswered_ms)s)
    RETURNING 1 AS one"""
_READ = "SELECT asked, status, media, answer FROM idempotency_keys WHERE owner = %(owner)s AND key = %(key)s"
_KEEP = """
    UPDATE idempotency_keys SET status = %(status)s, media = %(media)s, answer = %(answer)s WHERE owner = %(owner)s AND key = %(key)s"""
_RELEASE = "DELETE FROM idempotency_keys WHERE owner = %(owner)s AND key = %(key)s AND status IS NULL"


@dataclass(slots=True)
class _Under:
    """The key under which a request is answered; ``count`` requests to stations were put under it."""

    seed: str
    count: int = 0


_under: ContextVar[_Under | None] = ContextVar("under", default=None)


def request_id() -> UUID:
    """The id for a request to a station: the same for the same key, else a new one."""
    under = _under.get()
    if under is None:
        return uuid4()
    under.count += 1
    return uuid5(_OURS, f"{under.seed}/{under.count}")


def checked(key: str) -> str:
    """The key as it was sent. Raises a 422 problem."""
    if not 0 < len(key) <= _LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid",
            f"Idempotency-Key 须为 1 至 {_LONGEST_KEY} 个可见字符",
            f"an Idempotency-Key has 1 to {_LONGEST_KEY} visible characters",
        )
    return key


class OnceOnly:
    """Answers once. ``owner`` is whoever asks: keys of others are others."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def answer(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, owner: str, key: str, body: bytes, now_ms: int
    ) -> None:
        """Answer as the first time; or ask ``app``, and keep what it says. ``body`` is the whole of what ``receive`` gives."""
        path = scope["path"].encode() + b"?" + scope["query_string"]
        asked = hashlib.sha256(b"\0".join((scope["method"].encode(), path, body))).digest()
        mine = {"owner": owner, "key": key}
        claim = {**mine, "asked": asked, "now_ms": now_ms, "kept_ms": KEPT_MS, "unanswered_ms": _UNANSWERED_MS}
        if not await self._store.own(_CLAIM, claim):
            await _say(await self._first(mine, asked), send)
            return
        status, media, said, messages = 500, "", bytearray(), list[Message]()
        to_be_kept = True

        async def held(message: Message) -> None:
            nonlocal status, media, to_be_kept
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = {k.lower(): v.decode("latin-1") for k, v in message["headers"]}
                media, to_be_kept = headers.get(b"content-type", ""), "no-store" not in headers.get(b"cache-control", "")
                if not to_be_kept:
                    await self._settle(mine, status, media, None)
            if not to_be_kept:
                # Nobody asks for it again, and a download may be longer than what is held here.
                await send(message)
                return
            if message["type"] == "http.response.body":
                said.extend(message.get("body", b""))
            messages.append(message)

        token = _under.set(_Under(f"{owner}/{key}/{asked.hex()}"))
        try:
            await app(scope, receive, held)
        finally:
            _under.reset(token)
            if to_be_kept:
                await self._settle(mine, status, media, bytes(said))
        for message in messages:
            await send(message)

    async def _settle(self, mine: dict[str, Any], status: int, media: str, said: bytes | None) -> None:
        try:
            if said is not None and status < 500 and status not in (401, 429) and len(said) <= _ANSWER_MAX:
                await self._store.own(_KEEP, {**mine, "status": status, "media": media, "answer": said})
            else:
                await self._store.own(_RELEASE, mine)
        except DatabaseAway:
            # Found unanswered later, it is worked out again, and comes to the same request.
            return

    async def _first(self, mine: dict[str, Any], asked: bytes) -> Row:
        """What was answered the first time; waits a little while it is being answered."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _WAIT_S
        while True:
            rows = await self._store.own(_READ, mine)
            if rows and bytes(rows[0]["asked"]) != asked:
                raise Problem(
                    HTTPStatus.UNPROCESSABLE_ENTITY,
                    "idempotency_key_reused",
                    "同一 Idempotency-Key 已用于另一个请求",
                    "this Idempotency-Key was used for another request",
                )
            if rows and rows[0]["status"] is not None:
                return rows[0]
            if not rows or loop.time() >= end:
                raise Problem(
                    HTTPStatus.SERVICE_UNAVAILABLE, "still_being_answered", "同一请求正在处理，请稍候", "the same request is being answered"
                )
            await asyncio.sleep(_LOOK_S)


async def _say(row: Row, send: Send) -> None:
    answer = bytes(row["answer"])
    headers = [
        (b"content-type", row["media"].encode("latin-1")),
        (b"content-length", str(len(answer)).encode()),
        (b"idempotency-replayed", b"true"),
    ]
    await send({"type": "http.response.start", "status": row["status"], "headers": headers})
    await send({"type": "http.response.body", "body": answer})
