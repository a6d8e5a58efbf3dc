"""Asks the platform for its account of a scenario: the API, and read-only SQL where the API has no word for it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, LiteralString

import psycopg

from simulator.platform import Entity, PlatformApi
from simulator.report.facts import Canary, Incident, Quarantined, Span, Stored

_AT_ONCE = 6
_READ_ONLY = "-c default_transaction_read_only=on -c statement_timeout=10000"

QUARANTINED = """
    SELECT account, reason, sum(count)::bigint AS count FROM quarantine
    WHERE account = ANY(%(accounts)s) AND last_ms >= %(since_ms)s GROUP BY account, reason ORDER BY account, reason LIMIT 50"""
HOLDS = """
    SELECT home_id, hold, set_ms, lifted_ms, '' FROM valve_holds
    WHERE home_id = ANY(%(homes)s) AND (lifted_ms IS NULL OR lifted_ms >= %(since_ms)s) ORDER BY set_ms"""
CONDITIONS = """
    SELECT home_id, condition, since_ms, ended_ms, device_id FROM home_conditions
    WHERE home_id = ANY(%(homes)s) AND (ended_ms IS NULL OR ended_ms >= %(since_ms)s) ORDER BY since_ms"""
# A task of an incident belongs to its home; one of a whole building names a home of it in its detail, or none at all.
TASKS = """
    SELECT t.kind, count(*)::int FROM tasks t LEFT JOIN incidents i USING (incident_id)
    WHERE t.created_ms >= %(since_ms)s AND (coalesce(t.home_id, i.home_id) = ANY(%(homes)s)
        OR (coalesce(t.home_id, i.home_id) IS NULL AND (i.account IS NULL OR i.account = ANY(%(accounts)s))))
      AND coalesce(i.kind, '') <> 'canary'
    GROUP BY t.kind"""
CANARY = "SELECT received_ms, closed_ms FROM incidents WHERE kind = 'canary' AND received_ms >= %(since_ms)s ORDER BY received_ms"
RESENDS = """
    SELECT count(*)::int, coalesce(sum(greatest(sends - 1, 0)), 0)::int FROM commands c JOIN incidents i USING (incident_id)
    WHERE c.command = 'close_valve' AND i.home_id = ANY(%(homes)s) AND c.issued_ms >= %(since_ms)s"""
ALIASES = """
    SELECT (SELECT count(*) FROM incident_aliases a JOIN incidents i USING (incident_id)
            WHERE i.home_id = ANY(%(homes)s) AND a.at_ms >= %(since_ms)s)
         + (SELECT count(*) FROM order_aliases a JOIN work_orders o USING (order_id)
            WHERE o.home_id = ANY(%(homes)s) AND a.at_ms >= %(since_ms)s)"""


async def incidents(api: PlatformApi, homes: Iterable[str], accounts: Iterable[str], since_ms: int) -> tuple[Incident, ...]:
    """Every incident of these homes, or of no home but one of these accounts, received since ``since_ms``; oldest first."""
    ours, publishing = set(homes), set(accounts)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def whole(brief: Entity) -> Incident:
        async with gate:
            detail = await api.get(f"incidents/{brief['incident_id']}")
            timeline = await api.get(f"incidents/{brief['incident_id']}/timeline")
            return Incident(detail, tuple(timeline["items"]))

    briefs = [
        brief
        async for brief in api.every("incidents", since_ms=since_ms)
        if brief["kind"] != "canary" and (brief["home_id"] in ours or (brief["home_id"] is None and brief["account"] in publishing))
    ]
    return tuple(reversed(await asyncio.gather(*map(whole, briefs))))


async def stored(api: PlatformApi, home_id: str, since_ms: int) -> Stored:
    """What the platform stored of this home's detector since ``since_ms``."""
    found = await api.get(f"homes/{home_id}/readings", from_ms=since_ms, limit=5_000)
    values = [reading["ch4_lel"] for reading in found["detector"] if reading["ch4_lel"] is not None]
    return Stored(len(values), max(values, default=0.0))


async def crews(api: PlatformApi) -> Mapping[str, bool]:
    """Crew id -> whether it is simulated."""
    return {crew["crew_id"]: bool(crew["simulated"]) async for crew in api.every("crews")}


class Books:
    """The platform's tables, read only. ``async with``."""

    def __init__(self, dsn: str, homes: Iterable[str], accounts: Iterable[str], since_ms: int) -> None:
        self._dsn = dsn
        self._values = {"homes": list(homes), "accounts": list(accounts), "since_ms": since_ms}
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def __aenter__(self) -> "Books":
        self._connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, options=_READ_ONLY, connect_timeout=10)
        return self

    async def __aexit__(self, *_why: object) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def _rows(self, statement: LiteralString) -> Sequence[tuple[Any, ...]]:
        if self._connection is None:
            raise RuntimeError("the books are closed")
        return await (await self._connection.execute(statement, self._values)).fetchall()

    async def quarantined(self) -> tuple[Quarantined, ...]:
        """What these accounts sent that the platform could not use."""
        return tuple(Quarantined(*row) for row in await self._rows(QUARANTINED))

    async def holds(self) -> tuple[Span, ...]:
        """Every hold of these homes that was in force at some time since the start."""
        return tuple(Span(*row) for row in await self._rows(HOLDS))

    async def conditions(self) -> tuple[Span, ...]:
        """Every condition of these homes since the start."""
        return tuple(Span(*row) for row in await self._rows(CONDITIONS))

    async def tasks(self) -> Mapping[str, int]:
        """How many tasks the desk got, by kind."""
        return {str(kind): int(count) for kind, count in await self._rows(TASKS)}

    async def canary(self) -> Canary:
        """The rounds of the canary home."""
        return Canary(tuple((int(received), closed) for received, closed in await self._rows(CANARY)))

    async def resends(self) -> tuple[int, int]:
        """How many closes there were (each with an id of its own), and how often one was sent again under its id."""
        attempts, resends = (await self._rows(RESENDS))[0]
        return int(attempts), int(resends)

    async def aliases(self) -> int:
        """Further ids of incidents and orders."""
        return int((await self._rows(ALIASES))[0][0])
