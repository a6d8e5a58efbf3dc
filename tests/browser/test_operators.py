"""The operator's desk: worked by keyboard, two at once, and the whole story of a leak with nobody pressing anything that matters."""

import re
from pathlib import Path

from playwright.sync_api import expect

from deploy.embedded.testing import reachable_folder, remove_folder
from tests.browser.conftest import Person, Seat
from tests.browser.district import running_district
from tests.console.stage import Records, Served

LEAK_MS = 120_000
END_MS = 180_000


def test_two_operators_see_what_the_other_does_as_he_does_it(console: Served, records: Records, seat: Seat) -> None:
    records.home(1)
    one, two = seat("operator", language="en"), seat("operator", language="en")
    for page in (one, two):
        expect(page.locator(".live").first).to_have_attribute("data-state", "live")
    incident = records.incident(1)
    for page in (one, two):
        expect(page.locator(f'[data-incident="{incident}"]')).to_be_visible()
        expect(page.locator(".row .age .waits")).to_be_visible()

    one.keyboard.press("j")
    one.keyboard.press("a")
    one.get_by_label("Remark (may stay empty)").fill("neighbour rang too")
    one.keyboard.press("Enter")
    for page in (one, two):
        expect(page.get_by_text(re.compile("acknowledged by operator-1 at"))).to_be_visible()
        expect(page.locator(".row .age .waits")).to_have_count(0)

    two.keyboard.press("j")
    two.keyboard.press("c")
    two.get_by_role("textbox", name="Remark").fill("riser key is at the gate")
    two.keyboard.press("Control+Enter")
    one.keyboard.press("Enter")
    for words in ("neighbour rang too", "riser key is at the gate"):
        expect(one.get_by_text(words).first).to_be_visible()


def test_a_leak_is_followed_from_the_desk_to_its_archived_order(person: Person, tmp_path: Path) -> None:
    folder = reachable_folder(tmp_path / "district")
    with running_district(folder / "data") as line:
        page = person(language="en", expected=("/api/v1/session", "/recording", "/api/v1/events"))
        page.goto(line["demo_link"])
        page.get_by_role("button", name="Every role").click()
        first = page.locator(".row [data-incident]").first
        expect(first).to_be_visible(timeout=LEAK_MS)
        incident = first.get_attribute("data-incident")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(f"/desk/incidents/{incident}"))
        # The four answers come by themselves, and so do call, crew and order.
        for words in ("Close sent", "Reported closed", "Call placed", "Order created", "Crew assigned"):
            expect(page.get_by_text(words).first).to_be_visible()
        for told in ("The meter reports: valve closed", "is on site", "made safe", "tightness test passed", "Incident closed"):
            expect(page.get_by_text(told).first).to_be_visible(timeout=END_MS)
        expect(page.get_by_text(re.compile("archived", re.IGNORECASE)).first).to_be_visible()
    remove_folder(folder)
