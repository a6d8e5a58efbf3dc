"""A page never lets anybody take old for new: it says within three seconds that it is stale and since when, and catches up by itself."""

import re
import time
from dataclasses import dataclass
from typing import Final

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Seat
from tests.browser.line import Line
from tests.browser.technician import TECHNICIAN, Visit
from tests.browser.test_technician import NO_RECEPTION
from tests.console.stage import T0, Records, Served

_TRIES = 10
_DRAWN_MS = 3_000
DESK: Final = (
    "/desk/incidents/{incident}", "/desk/homes/home-0001", "/desk/orders", "/desk/orders/{order}", "/desk/crews", "/desk/conditions",
    "/desk/handover", "/desk/search",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Screen:
    """A page, and how it says that it is live, and that it is stale, and since when."""

    page: Page
    live: Locator
    stale: Locator
    since: Locator


def desk(page: Page) -> Screen:
    stale = page.locator('.live[data-state="stale"]')
    return Screen(page, page.locator('.live[data-state="live"]'), stale, stale.locator("time"))


def phone(page: Page) -> Screen:
    since = page.locator(".notices time")
    return Screen(page, page.locator(".net.good"), since, since)


def _becomes_stale(screen: Screen) -> bool:
    try:
        expect(screen.stale).to_be_visible(timeout=_DRAWN_MS)
    except AssertionError:
        return False
    return True


def a_dead_line_is_said(line: Line, screens: list[Screen]) -> None:
    """Every page says it within three seconds, and none of them early. Their clocks stand, and the line is dead, when this returns."""
    # The browser's own clock stands, and is moved: the promise is about what the page shows, not about how quick this machine is.
    for screen in screens:
        expect(screen.live).to_be_visible()
        screen.page.clock.install()
    line.hold()
    for screen in screens:
        screen.page.clock.pause_at(screen.page.evaluate("Date.now()") + 10_000)
    for screen in screens:
        expect(screen.stale).to_be_visible()
    line.go_on()
    for screen in screens:
        expect(screen.live).to_be_visible()
    for _ in range(_TRIES):
        line.hold()
        for screen in screens:
            screen.page.clock.run_for(2_000)
        early = [screen.live.is_visible() for screen in screens]
        for screen in screens:
            screen.page.clock.run_for(1_000)
        said = [_becomes_stale(screen) for screen in screens]
        if all(said):
            break
        # A word was on its way into a page when the line was held, and the three seconds are counted from that: once more.
        for screen in screens:
            screen.page.clock.run_for(3_000)
        for screen in screens:
            expect(screen.stale).to_be_visible()
        line.go_on()
        for screen in screens:
            expect(screen.live).to_be_visible()
    assert early == [True] * len(screens)
    for screen in screens:
        expect(screen.stale).to_be_visible()
        expect(screen.since).to_contain_text(re.compile(r"\d\d:\d\d:\d\d"))


@pytest.mark.parametrize("path", ["/desk", "/wall"])
def test_a_dead_line_is_said_within_three_seconds_and_what_was_missed_is_shown(
    console: Served, records: Records, seat: Seat, path: str
) -> None:
    records.home(1)
    with Line(console.url) as line:
        screen = desk(seat("operator", path=path, url=line.url, expected=("/api/v1/events",)))
        a_dead_line_is_said(line, [screen])
        records.incident(1, at_ms=T0)
        screen.page.clock.resume()
        line.go_on()
        expect(screen.live).to_be_visible()
        expect(screen.page.get_by_text("501室").first).to_be_visible()


def test_every_page_that_the_stream_feeds_says_it_too_and_so_does_the_phone(console: Served, records: Records, seat: Seat) -> None:
    visit = Visit(records)
    ids = {"incident": str(visit.incident), "order": "QX-260402-0001"}
    with Line(console.url) as line:
        paths = [path.format(**ids) for path in DESK]
        screens = [desk(seat("dispatcher", path=path, url=line.url, expected=("/api/v1/", "net::ERR_"))) for path in paths]
        for path in ("/field/", f"/field/orders/{ids['order']}"):
            page = seat("technician", path=path, width="phone", technician_id=TECHNICIAN, url=line.url, expected=NO_RECEPTION)
            screens.append(phone(page))
        a_dead_line_is_said(line, screens)
        # They catch up by themselves, and show what they have missed where it belongs to them.
        now_ms = time.time_ns() // 1_000_000
        visit.records.step(visit.order_id, "accept", now_ms, "accepted")
        visit.records.change("work_orders", "order_id", visit.order_id, state="accepted", accepted_ms=now_ms)
        for screen in screens:
            screen.page.clock.resume()
        line.go_on()
        for screen in screens:
            expect(screen.live).to_be_visible()
            expect(screen.stale).to_have_count(0)
        for path in (f"/desk/incidents/{ids['incident']}", f"/desk/orders/{ids['order']}"):
            expect(screens[paths.index(path)].page.get_by_text("已接单，前往现场").first).to_be_visible()
        for screen in screens[len(paths) :]:
            expect(screen.page.get_by_text("已接单，前往现场").first).to_be_visible()


def test_a_page_that_cannot_be_loaded_says_so_and_is_loaded_anew(seat: Seat) -> None:
    page = seat("operator", path="/desk", language="en", expected=("/assets/",))
    expect(page.locator(".live").first).to_have_attribute("data-state", "live")
    page.route("**/assets/*", lambda route: route.abort())
    page.get_by_role("link", name="Crews").click()
    anew = page.get_by_role("alert").get_by_role("link", name="Load it again")
    expect(anew).to_be_visible()
    page.unroute("**/assets/*")
    anew.click()
    expect(page.get_by_role("heading", name="Crews", level=1)).to_be_visible()
    expect(anew).to_have_count(0)
