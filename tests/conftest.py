"""Real parts for every test: one PostgreSQL and one broker a run, a fresh database a test; and the longest tests first."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from deploy.embedded.testing import TestBroker, TestPostgres, start_test_broker, start_test_postgres

# How quick this machine is at the moment is no property of the code: neither a slow draw nor a slow example fails a test.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

LONGEST: Final = (
    "tests/alarm_engine/test_machine_journal.py",
    "tests/dispatch/test_whole_call.py",
    "tests/deploy/test_certificates.py::test_up_opens_the_door",
    "tests/faults",
    "tests/deploy/test_access.py::test_users_by_command",
    "tests/gateway/test_conformance.py",
    "tests/dispatch/test_storm.py",
    "tests/console/test_contract.py",
    "tests/alarm_engine/test_machine.py",
    "tests/deploy/test_up.py",
    "tests/browser/test_operators.py::test_a_leak_is_followed",
    "tests/browser/test_every_dialog.py::test_every_dialog",
    "tests/browser/test_every_step.py",
    "tests/browser/test_every_page.py::test_every_page",
    "tests/browser/test_fresh.py::test_every_page",
)
"""How the names of the tests begin that take ten seconds and more, the longest first: one that begins last is waited for alone."""


def longest_first(names: Sequence[str], workers: int) -> list[str]:
    """The names of tests in an order in which each of several processes begins with its share of the longest.

    ``--dist worksteal`` hands the list out in as many equal parts as there are processes, and each part is begun at its head.
    """
    long = [name for start in LONGEST for name in names if name.startswith(start)]
    short = iter([name for name in names if not name.startswith(LONGEST)])
    ordered: list[str] = []
    for worker in range(workers):
        part = (len(names) - len(ordered)) // (workers - worker)
        head = long[worker::workers]
        ordered += [*head, *islice(short, max(0, part - len(head)))]
    return [*ordered, *short]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest first, where processes share the tests."""
    if (shared := getattr(config, "workerinput", None)) is not None:
        places = {name: place for place, name in enumerate(longest_first([item.nodeid for item in items], shared["workercount"]))}
        items.sort(key=lambda item: places[item.nodeid])


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
