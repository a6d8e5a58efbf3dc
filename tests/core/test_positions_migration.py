"""A database that an earlier version has written: where a crew stood when it told that is on no record, and the rest of it stays."""

from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from core import store

FILE: Final = Path(store.__file__).parent / "migrations" / "0013_devices_listed.sql"
TOLD: Final = {"crew_id": "c1", "lon": 113.01, "lat": 28.19, "coord_datum": "WGS-84"}
KEPT: Final = {"crew_id": "c1", "coord_datum": "WGS-84"}


@pytest.mark.parametrize(
    ("kind", "state", "before", "after"),
    [
        ("crew_position", "done", TOLD, KEPT),
        ("crew_position", "refused", TOLD, KEPT),
        ("crew_position", "done", KEPT, KEPT),
        ("crew_position", "pending", TOLD, TOLD),
        ("hotline_report", "done", TOLD, TOLD),
    ],
    ids=["answered", "refused", "of the newer version", "not answered yet: dispatch needs it", "of something else"],
)
def test_positions_that_were_told_before_are_taken_out(
    database: str, kind: str, state: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    up, down = FILE.read_bytes().split(b"-- migrate:down")
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(down)
        key = uuid4()
        db.execute(
            "INSERT INTO requests (request_id, station, kind, body, actor, state) VALUES (%s, 'dispatch', %s, %s, 'c1-A', %s)",
            [key, kind, Jsonb(before), state],
        )
        db.execute(up)
        assert db.execute("SELECT body, actor, state FROM requests WHERE request_id = %s", [key]).fetchone() == (after, "c1-A", state)
