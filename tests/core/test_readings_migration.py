"""Which layout the tables of readings get on a server that offers TimescaleDB without having it ready.

The real extension is met by ``make timescale``. Here a server offers one of that name, which is all that the choice looks at.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from core import store
from deploy.embedded.testing import TestPostgres, reachable_folder, remove_folder

FILE: Final = Path(store.__file__).parent / "migrations" / "0003_readings.sql"
UP, DOWN = FILE.read_bytes().split(b"-- migrate:down")
TABLES: Final = ("detector_readings", "meter_readings")


@pytest.fixture
def offering(postgres: TestPostgres, database: str, tmp_path: Path) -> Iterator[psycopg.Connection[Any]]:
    """A transaction in a database that has no tables of readings yet, on a server that offers TimescaleDB; it is rolled back."""
    folder = reachable_folder(tmp_path / "offered")
    (folder / "extension").mkdir()
    (folder / "extension" / "timescaledb.control").write_text("default_version = '2.0'\n", encoding="ascii")
    (folder / "extension" / "timescaledb--2.0.sql").write_text("SELECT 1;\n", encoding="ascii")
    with psycopg.connect(database) as db:
        db.execute(DOWN)
        db.execute("SELECT set_config('extension_control_path', %s, true)", [f"$system:{folder}"])
        assert db.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'").fetchone()
        yield db
        db.rollback()
    remove_folder(folder)


def _partitioned(db: psycopg.Connection[Any]) -> list[str]:
    return [name for (name,) in db.execute("SELECT partrelid::regclass::text FROM pg_partitioned_table ORDER BY 1")]


def test_where_it_is_offered_but_not_preloaded_readings_go_into_partitions(offering: psycopg.Connection[Any]) -> None:
    offering.execute(UP)
    assert _partitioned(offering) == list(TABLES)


def test_a_role_that_may_not_read_what_is_preloaded_gets_partitions(offering: psycopg.Connection[Any]) -> None:
    offering.execute("CREATE ROLE ordinary")
    offering.execute("GRANT CREATE ON SCHEMA public TO ordinary")
    offering.execute("SET LOCAL ROLE ordinary")
    offering.execute(UP)
    assert _partitioned(offering) == list(TABLES)


def test_where_it_was_created_it_is_asked_for_hypertables(offering: psycopg.Connection[Any]) -> None:
    offering.execute("CREATE EXTENSION timescaledb")
    with pytest.raises(psycopg.errors.UndefinedFunction, match="create_hypertable"):
        offering.execute(UP)
