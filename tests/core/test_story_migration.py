"""A database that an earlier version has written: its finished stories keep what was suspected, and the way back loses no row."""

from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import pytest

from core import store

FILE: Final = Path(store.__file__).parent / "migrations" / "0011_story.sql"
T0: Final = 1_775_120_400_000


def _half(name: str) -> bytes:
    """One half of the migration."""
    up, down = FILE.read_bytes().split(b"-- migrate:down")
    return up if name == "up" else down


def _put(db: "psycopg.Connection[Any]", kind: str, proof: str, before_ms: int | None, *said_ms: int) -> UUID:
    """An incident as the earlier version left it, with the moments at which a leak before the meter was suspected."""
    key = uuid4()
    db.execute(
        "INSERT INTO incidents (incident_id, kind, state, account, place, simulated, lane, reason, lel_vol_percent, boot, seq, valve,"
        " alarmed_ms, received_ms, last_leak_ms, devices, home, proof, before_meter_ms)"
        " VALUES (%s, %s, 'closed', 'D1', 'H1', true, 'alarm', 'event', 5, 1, 1, 'opened', %s, %s, %s, '{}', '{}', %s, %s)",
        [key, kind, T0, T0, T0, proof, before_ms],
    )
    for at_ms in said_ms:
        db.execute(
            "INSERT INTO incident_events (event_id, incident_id, at_ms, kind, actor) VALUES (%s, %s, %s, 'before_meter_suspected', 'line')",
            [uuid4(), key, at_ms],
        )
    return key


@pytest.mark.parametrize(
    ("kind", "proof", "before_ms", "said_ms", "kept"),
    [
        ("leak", "none", None, (T0 + 300_000,), T0 + 300_000),
        ("hotline_report", "holds", T0 + 900_000, (T0 + 900_000, T0 + 300_000), T0 + 300_000),
        ("leak", "flows", None, (T0 + 300_000,), None),
        ("leak", "none", None, (), None),
    ],
    ids=["gas restored", "suspected twice", "it was the valve", "never suspected"],
)
def test_an_earlier_versions_stories_keep_what_was_suspected(
    database: str, kind: str, proof: str, before_ms: int | None, said_ms: tuple[int, ...], kept: int | None
) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(_half("down"))
        key = _put(db, kind, proof, before_ms, *said_ms)
        db.execute(_half("up"))
        assert db.execute("SELECT before_meter_ms, before_meter_first_ms FROM incidents WHERE incident_id = %s", [key]).fetchone() == (
            before_ms,
            kept,
        )
        numbered = db.execute("SELECT count(*), count(entry_no) FROM incident_events").fetchone()
        assert numbered == (len(said_ms), 0)
