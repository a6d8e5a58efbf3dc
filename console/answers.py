"""Puts a request before a station and waits for its answer: a row in ``requests``, NOTIFY ``answers``, polling behind.

Decides how long is waited; whether the request is allowed is the station's decision alone.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

from psycopg.types.json import Jsonb

from console.access.idempotency import request_id as new_request_id
from console.access.in_scope import REQUEST_IN_SCOPE
from console.access.scope import Scope
from console.listener import Listener
from console.store import DatabaseAway, Row, Store

Station = Literal["line", "dispatch"]

NEW_REQUEST = """
    INSERT INTO requests (request_id, station, kind, body, actor)
    VALUES (%(request_id)s, %(station)s, %(kind)s, %(body)s, %(actor)s)
    ON CONFLICT (request_id) DO NOTHING"""
REQUEST = """
    SELECT request_id, station, kind, body, actor, state, answer, (extract(epoch FROM made_at) * 1000)::bigint AS made_ms,
           (extract(epoch FROM answered_at) * 1000)::bigint AS answered_ms
    FROM requests WHERE request_id = %(request_id)s"""
REQUEST_SEEN = f"{REQUEST} AND {REQUEST_IN_SCOPE}"

_POLL_SECONDS = 0.5


class Answers:
    """Those who wait for a station."""

    def __init__(self, store: Store, wait_s: float) -> None:
        self._store = store
        self._wait_s = wait_s
        self._waiting: dict[UUID, asyncio.Event] = {}
        self.listening = False
        self._listener = Listener(store.dsn, "answers", self._heard, self._listens)

    def start(self) -> None:
        """Begin to listen for answers."""
        self._listener.start()

    async def stop(self) -> None:
        """Stop listening."""
        await self._listener.stop()

    def _heard(self, payload: str) -> None:
        try:
            waiting = self._waiting.get(UUID(payload))
        except ValueError:
            return
        if waiting is not None:
            waiting.set()

    def _listens(self, up: bool) -> None:
        self.listening = up

    async def ask(self, station: Station, kind: str, body: Mapping[str, Any], actor: str) -> tuple[UUID, Row | None]:
        """Put a request and wait: its row once answered, None when not yet. Raises DatabaseAway when it was not put."""
        request_id = new_request_id()
        heard = self._waiting[request_id] = asyncio.Event()
        try:
            values = {"request_id": request_id, "station": station, "kind": kind, "body": Jsonb(dict(body)), "actor": actor}
            await self._store.insert(NEW_REQUEST, values)
            return request_id, await self._answered(request_id, heard)
        finally:
            del self._waiting[request_id]

    async def _answered(self, request_id: UUID, heard: asyncio.Event) -> Row | None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._wait_s
        while (left := end - loop.time()) > 0:
            try:
                async with asyncio.timeout(min(_POLL_SECONDS, left)):
                    await heard.wait()
            except TimeoutError:
                pass
            heard.clear()
            try:
                row = await self.read(request_id)
            except DatabaseAway:
                # It was put, and may yet be carried out: "no answer yet" is the truth.
                return None
            if row is not None and row["state"] != "pending":
                return row
        return None

    async def read(self, request_id: UUID) -> Row | None:
        """A request as it stands, whoever asks, or None."""
        return await self._store.row(REQUEST, {"request_id": request_id})

    async def seen(self, request_id: UUID, scope: Scope) -> Row | None:
        """The same for whoever sees no more than ``scope``."""
        return await self._store.row(REQUEST_SEEN, {"request_id": request_id, **scope.values()})
