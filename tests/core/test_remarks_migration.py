"""A database that an earlier version has written: who acknowledged has seen what there was, and the way back keeps each person's first."""

from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import psycopg

from core import store

FILE: Final = Path(store.__file__).parent / "migrations" / "0014_alarmed_again.sql"
T0: Final = 1_775_120_400_000


def _half(name: str) -> bytes:
    """One half of the migration."""
    up, down = FILE.read_bytes().split(b"-- migrate:down")
    return up if name == "up" else down


def test_what_was_acknowledged_stays_and_the_way_back_keeps_each_persons_first(database: str) -> None:
    incident = uuid4()
    with psycopg.connect(database, autocommit=True) as db:

        def say(remark: UUID, kind: str, actor: str, **alarm: int) -> None:
            columns, marks = ("", "") if not alarm else (", alarm_ms", ", %s")
            db.execute(
                "INSERT INTO incident_remarks (remark_id, incident_id, at_ms, kind, actor, display" + columns + ")"
                " VALUES (%s, %s, %s, %s, %s, %s" + marks + ")",
                [remark, incident, T0, kind, actor, actor, *alarm.values()],
            )

        db.execute(_half("down"))
        before, remark = uuid4(), uuid4()
        say(before, "acknowledge", "li")
        say(remark, "remark", "li")
        db.execute(_half("up"))
        assert set(db.execute("SELECT kind, alarm_ms FROM incident_remarks").fetchall()) == {("acknowledge", T0), ("remark", 0)}
        for number in (1, 2):
            say(uuid4(), "acknowledge", "li", alarm_ms=T0 + number)
            say(UUID(int=number), "acknowledge", "chen", alarm_ms=T0 + number)
        db.execute(_half("down"))
        kept = db.execute("SELECT remark_id FROM incident_remarks").fetchall()
        assert {row[0] for row in kept} == {before, remark, UUID(int=1)}
        try:
            db.execute("DELETE FROM incident_remarks")
        except psycopg.errors.RestrictViolation:
            return
        raise AssertionError("what was said can be taken back")
