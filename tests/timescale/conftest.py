"""The two databases that are compared, each with the same homes: one with partitions, one with hypertables."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.console.stage import Records
from tests.timescale.server import TimescaleServer

HOMES = ("home-0001", "home-0002")


@pytest.fixture(scope="session")
def timescale_server() -> Iterator[TimescaleServer]:
    """TimescaleDB with the product's migrations."""
    server = TimescaleServer()
    yield server
    server.stop()


@pytest.fixture
def hypertables(timescale_server: TimescaleServer) -> str:
    """DSN of the database with hypertables, emptied."""
    with psycopg.connect(timescale_server.dsn, autocommit=True) as db:
        db.execute("TRUNCATE detector_readings, meter_readings, device_state, quarantine, contacts, devices, homes RESTART IDENTITY")
    _homes(timescale_server.dsn)
    return timescale_server.dsn


@pytest.fixture
def partitions(database: str) -> str:
    """DSN of a database of the product's own PostgreSQL."""
    _homes(database)
    return database


def _homes(dsn: str) -> None:
    records = Records(dsn)
    # The names of prepared statements outlive their connection there.
    records.db.prepare_threshold = None
    for number, _ in enumerate(HOMES, 1):
        records.home(number)
    records.close()
