"""Asks the platform for its account of a scenario: the API, and read-only SQL where the API has no word for it."""

from collections.abc import Iterable, Mapping

import psycopg

from simulator.platform import PlatformApi
from simulator.report.facts import Incident, Quarantined, Stored

QUARANTINED = """
    SELECT account, reason, sum(count)::bigint AS count FROM quarantine
    WHERE account = ANY(%(accounts)s) AND last_ms >= %(since_ms)s GROUP BY account, reason ORDER BY account, reason LIMIT 50"""


async def incidents(api: PlatformApi, homes: Iterable[str], accounts: Iterable[str], since_ms: int) -> tuple[Incident, ...]:
    """Every incident of these homes, or of no home but one of these accounts, received since ``since_ms``; oldest first."""
    ours, publishing = set(homes), set(accounts)
    found = []
    async for brief in api.every("incidents", since_ms=since_ms):
        if brief["home_id"] in ours or (brief["home_id"] is None and brief["account"] in publishing):
            detail = await api.get(f"incidents/{brief['incident_id']}")
            timeline = await api.get(f"incidents/{brief['incident_id']}/timeline")
            found.append(Incident(detail, tuple(timeline["items"])))
    return tuple(reversed(found))


async def stored(api: PlatformApi, home_id: str, since_ms: int) -> Stored:
    """What the platform stored of this home's detector since ``since_ms``."""
    found = await api.get(f"homes/{home_id}/readings", from_ms=since_ms, limit=5_000)
    values = [reading["ch4_lel"] for reading in found["detector"] if reading["ch4_lel"] is not None]
    return Stored(len(values), max(values, default=0.0))


async def crews(api: PlatformApi) -> Mapping[str, bool]:
    """Crew id -> whether it is simulated."""
    return {crew["crew_id"]: bool(crew["simulated"]) async for crew in api.every("crews")}


async def quarantined(dsn: str, accounts: Iterable[str], since_ms: int) -> tuple[Quarantined, ...]:
    """What these accounts sent since ``since_ms`` that the platform could not use."""
    options = "-c default_transaction_read_only=on -c statement_timeout=5000"
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, options=options, connect_timeout=5) as connection:
        rows = await (await connection.execute(QUARANTINED, {"accounts": list(accounts), "since_ms": since_ms})).fetchall()
    return tuple(Quarantined(account, reason, count) for account, reason, count in rows)
