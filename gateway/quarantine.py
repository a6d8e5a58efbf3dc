"""Bad input, kept as counted values: one row per account, reason and payload, with first, last and count. Bounded in memory and on disk.

Sole writer of ``quarantine``. Losing a count is allowed when the database is away for long; losing the line is not.
"""

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import psycopg

from alarm_engine import metrics
from gateway.decode import Rejection

_MOST_KEYS = 2_000
_MOST_OF_ACCOUNT = 200
_HOUR_MS = 3_600_000

STORE = """
INSERT INTO quarantine (account, reason, payload_hash, lane, sample, first_ms, last_ms, count)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (account, reason, payload_hash) DO UPDATE SET last_ms = excluded.last_ms, count = quarantine.count + excluded.count
"""
KEEP_NEWEST = """
DELETE FROM quarantine q USING (
    SELECT account, reason, payload_hash FROM quarantine ORDER BY last_ms DESC OFFSET %s
) AS old WHERE (q.account, q.reason, q.payload_hash) = (old.account, old.reason, old.payload_hash)
"""
_MOST_ROWS = 100_000
_TIDY_EVERY = 2_000


@dataclass(slots=True)
class _Kept:
    lane: str
    sample: bytes
    first_ms: int
    last_ms: int
    count: int


class Quarantine:
    """Counts rejections in memory and stores them now and then."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, bytes], _Kept] = {}
        self._hour = 0
        self._seen: defaultdict[str, set[bytes]] = defaultdict(set)
        self._new_rows = 0

    def add(self, account: str, lane: str, rejection: Rejection, at_ms: int) -> None:
        """Count one rejection. An account that makes up ever new payloads has one row a reason for the rest of the hour, and beyond the
        bound in memory only reasons are told apart.
        """
        metrics.rejected.labels(lane, rejection.reason).inc(rejection.count)
        key = (account[:64], rejection.reason, hashlib.sha256(rejection.sample).digest())
        if key not in self._kept:
            if at_ms // _HOUR_MS != self._hour:
                self._hour = at_ms // _HOUR_MS
                self._seen.clear()
            seen = self._seen[key[0]]
            if len(seen) < _MOST_OF_ACCOUNT:
                seen.add(key[2])
            elif key[2] not in seen:
                key = (key[0], rejection.reason, b"")
            if key not in self._kept and len(self._kept) >= _MOST_KEYS:
                key = ("", rejection.reason, b"")
        kept = self._kept.get(key)
        if kept is None:
            self._kept[key] = _Kept(lane, rejection.sample, at_ms, at_ms, rejection.count)
        else:
            kept.last_ms = at_ms
            kept.count += rejection.count

    @property
    def waiting(self) -> int:
        """Kinds of rejections counted and not stored yet."""
        return len(self._kept)

    async def store(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Write what was counted since the last time. On an error the counts stay for the next time."""
        if not self._kept:
            return
        taken, self._kept = self._kept, {}
        rows = [
            (account, reason, digest, kept.lane, kept.sample, kept.first_ms, kept.last_ms, kept.count)
            for (account, reason, digest), kept in taken.items()
        ]
        try:
            async with connection.transaction(), connection.cursor() as cursor:
                await cursor.executemany(STORE, rows)
                self._new_rows += len(rows)
                if self._new_rows >= _TIDY_EVERY:
                    await cursor.execute(KEEP_NEWEST, (_MOST_ROWS,))
                    self._new_rows = 0
        except psycopg.Error:
            for key, kept in taken.items():
                newer = self._kept.get(key)
                if newer is not None:
                    kept.count += newer.count
                    kept.last_ms = newer.last_ms
                self._kept[key] = kept
            raise
