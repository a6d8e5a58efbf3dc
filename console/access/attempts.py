"""How soon somebody may try a password again. A try counts as failed before it is judged, so that many at once gain nothing.

Decides the waits: growing, at most a minute, forgotten after a quarter of an hour. A stranger must not lock a control room out: where
somebody signed in lately, only the failures *there* make him wait.
"""

from http import HTTPStatus
from typing import Final

from console.problems import Problem
from console.store import Store

FREE: Final = {"name": 10, "origin": 20, "both": 5}
"""Failures without a wait: of one name from all over, from one origin whatever the name, of one name from one origin."""
LONGEST_WAIT_S: Final = 60
FORGOTTEN_AFTER_S: Final = 900
KNOWN_FOR_MS: Final = 30 * 86_400_000

# One statement that asks and counts: what comes at the same time waits for this row, and then finds it waiting.
_CHARGE = """
    WITH asked AS (
        SELECT * FROM unnest(%(whats)s::text[], %(keys)s::text[], %(frees)s::int[]) AS a (what, key, free)
    ), waiting AS (
        SELECT max(f.until_ms) AS until_ms FROM sign_in_failures f JOIN asked USING (what, key) WHERE f.until_ms > %(now_ms)s
    ), charged AS (
        INSERT INTO sign_in_failures AS f (what, key, failures, last_ms, until_ms)
        SELECT what, key, 1, %(now_ms)s, 0 FROM asked WHERE (SELECT until_ms FROM waiting) IS NULL ORDER BY what, key
        ON CONFLICT (what, key) DO UPDATE SET
            failures = CASE WHEN f.last_ms < %(forgotten_ms)s THEN 1 ELSE f.failures + 1 END,
            last_ms = excluded.last_ms,
            until_ms = CASE
                WHEN f.last_ms < %(forgotten_ms)s THEN 0
                WHEN f.failures + 1 < (SELECT free FROM asked a WHERE a.what = f.what) THEN 0
                ELSE %(now_ms)s + 1000 * least(
                    %(longest_s)s, 2 ^ least(f.failures + 1 - (SELECT free FROM asked a WHERE a.what = f.what), 6)
                )::bigint
            END
        WHERE f.until_ms <= %(now_ms)s
        RETURNING 1
    )
    SELECT (SELECT until_ms FROM waiting) AS until_ms, (SELECT count(*) FROM charged) AS charged"""

_RIGHT = """
    UPDATE sign_in_failures SET failures = CASE WHEN what = 'both' THEN 0 ELSE greatest(failures - 1, 0) END, until_ms = 0
    WHERE (what, key) IN (SELECT * FROM unnest(%(whats)s::text[], %(keys)s::text[]))"""

_KNOWN = """
    SELECT 1 AS one FROM known_origins JOIN users USING (user_id)
    WHERE name = %(name)s AND origin = %(origin)s AND last_ms > %(since_ms)s"""

_KNOW = """
    INSERT INTO known_origins (user_id, origin, last_ms) SELECT user_id, %(origin)s, %(now_ms)s FROM users WHERE name = %(name)s
    ON CONFLICT (user_id, origin) DO UPDATE SET last_ms = excluded.last_ms"""


class Attempts:
    """The count of one console's database. ``name`` as it is stored, ``origin`` the address that somebody came from."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def charge(self, name: str, origin: str, now_ms: int) -> None:
        """Count a try as failed. Raises a 429 problem, and counts nothing, where it comes too soon."""
        known = await self._store.own(_KNOWN, {"name": name, "origin": origin, "since_ms": now_ms - KNOWN_FOR_MS})
        keys = _keys(name, origin, stranger=not known)
        asked = {
            "whats": list(keys),
            "keys": list(keys.values()),
            "frees": [FREE[what] for what in keys],
            "now_ms": now_ms,
            "forgotten_ms": now_ms - FORGOTTEN_AFTER_S * 1000,
            "longest_s": LONGEST_WAIT_S,
        }
        [found] = await self._store.own(_CHARGE, asked)
        if found["until_ms"] is not None:
            raise too_soon(found["until_ms"] - now_ms)
        if found["charged"] < len(keys):
            raise too_soon(1000)

    async def right(self, name: str, origin: str, now_ms: int) -> None:
        """The password was right: take the count back, and know the origin."""
        keys = _keys(name, origin, stranger=True)
        await self._store.own(_RIGHT, {"whats": list(keys), "keys": list(keys.values())})
        await self._store.own(_KNOW, {"name": name, "origin": origin, "now_ms": now_ms})


def _keys(name: str, origin: str, *, stranger: bool) -> dict[str, str]:
    keys = {"both": f"{name}@{origin}", "origin": origin}
    return {"name": name, **keys} if stranger else keys


def too_soon(wait_ms: int) -> Problem:
    """429 with the seconds to wait."""
    seconds = max(1, -(-wait_ms // 1000))
    return Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        "locked_out",
        f"失败次数过多，请 {seconds} 秒后再试",
        f"too many failures: try again in {seconds} s",
        retry_after_s=seconds,
    )
