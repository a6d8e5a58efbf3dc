"""A console as a person meets it: a real database with records written by SQL, and a real server on a free port."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack

import pytest

from console.access.access import Access
from console.settings import ConsoleSettings
from console.store import Store
from core.clock import ManualClock
from tests.console.access_stage import NOW
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


@pytest.fixture
async def clock() -> ManualClock:
    """Stands still until a test moves it."""
    return ManualClock(NOW)


@pytest.fixture
async def access(database: str, clock: ManualClock) -> AsyncIterator[Access]:
    """Signing in on the test's database, by the test's clock and without a server."""
    store = Store(database)
    await store.start()
    found = Access(store, ConsoleSettings(postgres_dsn=database), clock, clock)
    yield found
    await found.stop()
    await store.stop()
