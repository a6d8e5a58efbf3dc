"""A page never lets anybody take old for new: it says within three seconds that it is stale and since when, and catches up by itself."""

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Seat
from tests.browser.line import Line
from tests.console.stage import T0, Records, Served

_TRIES = 10
_DRAWN_MS = 3_000


def _becomes_stale(live: Locator) -> bool:
    try:
        expect(live).to_have_attribute("data-state", "stale", timeout=_DRAWN_MS)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("path", ["/desk", "/wall"])
def test_a_dead_line_is_said_within_three_seconds_and_what_was_missed_is_shown(
    console: Served, records: Records, seat: Seat, path: str
) -> None:
    records.home(1)
    with Line(console.url) as line:
        page = seat("operator", path=path, url=line.url, expected=("/api/v1/events",))
        live = page.locator(".live").first
        expect(live).to_have_attribute("data-state", "live")
        # The browser's own clock stands, and is moved: the promise is about what the page shows, not about how quick this machine is.
        page.clock.install()
        line.hold()
        page.clock.pause_at(page.evaluate("Date.now()") + 10_000)
        expect(live).to_have_attribute("data-state", "stale")
        line.go_on()
        expect(live).to_have_attribute("data-state", "live")
        for _ in range(_TRIES):
            line.hold()
            page.clock.run_for(2_000)
            early = live.get_attribute("data-state")
            page.clock.run_for(1_000)
            if _becomes_stale(live):
                break
            # A word was on its way into the page when the line was held, and the three seconds are counted from that: once more.
            page.clock.run_for(3_000)
            expect(live).to_have_attribute("data-state", "stale")
            line.go_on()
            expect(live).to_have_attribute("data-state", "live")
        assert early == "live"
        expect(live).to_have_attribute("data-state", "stale")
        expect(live.locator("time")).to_contain_text(re.compile(r"\d\d:\d\d:\d\d"))
        records.incident(1, at_ms=T0)
        page.clock.resume()
        line.go_on()
        expect(live).to_have_attribute("data-state", "live")
        expect(page.get_by_text("501室").first).to_be_visible()
