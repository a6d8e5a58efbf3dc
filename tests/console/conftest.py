"""A console as a person meets it: a real database with records written by SQL, and a real server on a free port."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.console.stage import Records, Served, running_console


@pytest.fixture
def records(database: str) -> Iterator[Records]:
    """Writes into the test's own database."""
    found = Records(database)
    yield found
    found.close()


@pytest.fixture
def start_console(database: str) -> Iterator[Callable[..., Served]]:
    """Starts consoles on the test's database, with settings of its own; all stop at the test's end."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running_console(settings.pop("postgres_dsn", database), **settings))


@pytest.fixture
def console(start_console: Callable[..., Served]) -> Served:
    """A console on the test's database."""
    return start_console()
