"""A real Chromium before a real console. Every page is watched: an error in it, or a look beyond this machine, fails its test."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from console.access.rights import Role
from tests.browser.chromium import OPTIONS, find
from tests.browser.line import Line
from tests.browser.technician import Visit, stations
from tests.console.conftest import console, records, start_console  # noqa: F401  the same console, seen through a browser
from tests.console.stage import Records, Served

WIDTHS = {"phone": (390, 844), "desk": (1600, 900), "wall": (1920, 1080)}
_PATIENCE_MS = 30_000
# What is expected may take its time on a busy machine; that it comes is what a test says.
expect.set_options(timeout=_PATIENCE_MS)


@dataclass
class Watched:
    """What went wrong on the pages of one person."""

    errors: list[str] = field(default_factory=list)
    abroad: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    """Parts of messages that a test means to cause."""

    def heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(part in f"{message.text} {message.location.get('url', '')}" for part in self.expected):
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def asked(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in {"http", "https"} and address.hostname not in {"127.0.0.1", "localhost"}:
            self.abroad.append(request.url)


Person = Callable[..., Page]
"""``person(width="desk", language="zh", expected=())``: a page of a browser profile of its own."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for the run; each person has a profile of his own."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=find(), args=list(OPTIONS), headless=True)
        yield browser
        browser.close()


@pytest.fixture
def person(chromium: Browser) -> Iterator[Person]:
    """Somebody with a browser of his own. After the test, whatever his pages complained about fails it."""
    contexts: list[BrowserContext] = []
    watched: list[Watched] = []

    def come(width: str = "desk", language: str = "zh", expected: tuple[str, ...] = ()) -> Page:
        across, down = WIDTHS[width]
        context = chromium.new_context(
            viewport={"width": across, "height": down},
            locale="zh-CN" if language == "zh" else "en-GB",
            timezone_id="Asia/Shanghai",
            color_scheme="dark",
        )
        context.set_default_timeout(_PATIENCE_MS)
        seen = Watched(expected=list(expected))
        context.on("console", seen.heard)
        context.on("weberror", lambda error: seen.errors.append(str(error.error)))
        context.on("request", seen.asked)
        contexts.append(context)
        watched.append(seen)
        return context.new_page()

    yield come
    for context in contexts:
        context.close()
    for seen in watched:
        assert seen.abroad == []
        assert seen.errors == []


Seat = Callable[..., Page]
"""``seat("operator", path="/desk", width="desk", language="zh", districts=None)``: a signed-in person at a page."""


@pytest.fixture
def seat(
    console: Served,
    person: Person,
) -> Seat:
    """Signs people in by cookie, as the sign-in page would, and opens their page."""
    numbers = itertools.count(1)

    def sit(
        *roles: Role,
        path: str = "/desk",
        width: str = "desk",
        language: str = "zh",
        districts: list[str] | None = None,
        technician_id: str | None = None,
        url: str = "",
        expected: tuple[str, ...] = (),
    ) -> Page:
        name = f"{roles[0]}-{next(numbers)}"
        cookie = console.signed_in(*roles, name=name, districts=districts, technician_id=technician_id).cookies["gs_session"]
        page = person(width, language, expected)
        page.context.add_cookies([{"name": "gs_session", "value": cookie, "url": url or console.url}])
        page.goto((url or console.url) + path)
        return page

    return sit


@pytest.fixture
def visit(records: Records, console: Served) -> Iterator[Visit]:
    """An order for a technician, and stations that answer."""
    found = Visit(records)
    with stations(records.dsn):
        yield found


@pytest.fixture
def line(console: Served) -> Iterator[Line]:
    """What lies between a technician's phone and the console."""
    with Line(console.url) as between:
        yield between


def until_so(page: Page, condition: Callable[[], object], what: str) -> None:
    """Wait for what no page shows."""
    end = time.monotonic() + _PATIENCE_MS / 1000
    while not condition():
        assert time.monotonic() < end, what
        page.wait_for_timeout(50)
