"""Real parts for every test: one PostgreSQL and one broker a run, a fresh database a test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from deploy.embedded.testing import TestBroker, TestPostgres, start_test_broker, start_test_postgres

# How quick this machine is at the moment is no property of the code: neither a slow draw nor a slow example fails a test.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestPostgres]:
    """A running PostgreSQL 18 with a migrated template database."""
    server = start_test_postgres(Path(tmp_path_factory.mktemp("postgres")))
    yield server
    server.stop()


@pytest.fixture
def database(postgres: TestPostgres) -> Iterator[str]:
    """DSN of a fresh, migrated, empty database. Dropped afterwards: hundreds of them kept are gigabytes to write, and to stop with."""
    dsn = postgres.clone()
    yield dsn
    postgres.drop(dsn)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestBroker]:
    """A running mosquitto with the product's own configuration and the station accounts."""
    server = start_test_broker(Path(tmp_path_factory.mktemp("broker")))
    yield server
    server.stop()
