"""Invariant 8 at the database: what was decided is never changed nor deleted; the canary's rounds alone are forgotten."""

from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import pytest

from core import store

FILE: Final = Path(store.__file__).parent / "migrations" / "0012_append_only.sql"
T0: Final = 1_775_120_400_000
EVENT: Final = "INSERT INTO incident_events (event_id, incident_id, at_ms, kind, actor) VALUES (%s, %s, %s, 'opened', 'line')"
STEP: Final = "INSERT INTO order_steps (order_id, at_ms, event, to_state, actor) VALUES (%s, %s, 'created', 'waiting', 'dispatch')"

Connection = psycopg.Connection[Any]


def decided(db: Connection, kind: str = "leak", order_kind: str = "emergency") -> tuple[UUID, UUID]:
    """An incident and its order, with an entry and a step; returns their ids."""
    incident, order = uuid4(), uuid4()
    db.execute(
        "INSERT INTO incidents (incident_id, kind, state, account, place, simulated, lane, reason, boot, seq, valve,"
        " alarmed_ms, received_ms, last_leak_ms, home)"
        " VALUES (%s, %s, 'closed', 'D1', %s, true, 'alarm', 'event', 1, 1, 'commanded', %s, %s, %s, '{}')",
        [incident, kind, str(incident), T0, T0, T0],
    )
    db.execute(
        "INSERT INTO work_orders (order_id, order_no, kind, incident_id, incident_kind, simulated, priority, state, place, valve,"
        " created_ms) VALUES (%s, %s, %s, %s, %s, true, 1, 'waiting', '{}', 'commanded', %s)",
        [order, str(order), order_kind, incident, kind, T0],
    )
    db.execute(EVENT, [uuid4(), incident, T0])
    db.execute(STEP, [order, T0])
    return incident, order


def rows(db: Connection) -> list[tuple[str]]:
    """Every entry and every step, as text."""
    return db.execute("SELECT e::text FROM incident_events e UNION ALL SELECT s::text FROM order_steps s ORDER BY 1").fetchall()


@pytest.mark.parametrize("how", ["origin", "replica"], ids=["as anybody", "with ordinary triggers switched off"])
@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("incident_events", "UPDATE incident_events SET actor = 'nobody'"),
        ("incident_events", "UPDATE incident_events SET incident_id = gen_random_uuid()"),
        ("incident_events", "DELETE FROM incident_events"),
        ("incident_events", "TRUNCATE incident_events"),
        ("incident_events", "WITH i AS (DELETE FROM incidents) DELETE FROM incident_events"),
        ("order_steps", "UPDATE order_steps SET at_ms = 0"),
        ("order_steps", "DELETE FROM order_steps"),
        ("order_steps", "TRUNCATE order_steps"),
        ("order_steps", "TRUNCATE work_orders CASCADE"),
    ],
)
def test_every_decision_stays_as_it_was_recorded(database: str, how: str, table: str, statement: str) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        decided(db)
        before = rows(db)
        assert len(before) == 2
        db.execute(f"SET session_replication_role = {how}".encode())
        with pytest.raises(psycopg.errors.RestrictViolation, match=f"{table} is append-only"):
            db.execute(statement.encode())
        assert rows(db) == before


def test_an_entry_whose_incident_was_never_stored_stays_too(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(EVENT, [uuid4(), uuid4(), T0])
        with pytest.raises(psycopg.errors.RestrictViolation, match="incident_events is append-only") as refused:
            db.execute("DELETE FROM incident_events")
        assert refused.value.diag.message_detail == "Only what is the canary's is ever deleted."
        assert len(rows(db)) == 1


def test_the_canarys_rounds_are_forgotten_together_with_their_incident_and_order(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        decided(db)
        kept = rows(db)
        incident, order = decided(db, "canary", "canary")
        assert len(rows(db)) == 4
        db.execute("WITH s AS (DELETE FROM order_steps WHERE order_id = %s) DELETE FROM work_orders WHERE order_id = %s", [order, order])
        db.execute(
            "WITH e AS (DELETE FROM incident_events WHERE incident_id = %s) DELETE FROM incidents WHERE incident_id = %s",
            [incident, incident],
        )
        assert rows(db) == kept


def test_what_is_added_twice_is_there_once(database: str) -> None:
    """The line writes its entries so after a crash: what is there already stays, and that is no change."""
    with psycopg.connect(database, autocommit=True) as db:
        key, incident = uuid4(), uuid4()
        for _ in range(2):
            db.execute(f"{EVENT} ON CONFLICT DO NOTHING".encode(), [key, incident, T0])
        assert len(rows(db)) == 1


def test_the_guard_is_what_refuses_and_it_can_be_taken_back_and_put_on_again(database: str) -> None:
    up, down = FILE.read_bytes().split(b"-- migrate:down")
    change = b"UPDATE incident_events SET actor = 'somebody else'"
    with psycopg.connect(database, autocommit=True) as db:
        decided(db)
        db.execute(down)
        assert db.execute(change).rowcount == 1
        db.execute(up)
        with pytest.raises(psycopg.errors.RestrictViolation):
            db.execute(change)
