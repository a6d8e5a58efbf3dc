"""Every page, in both languages: understood by a screen reader and by keyboard, with every word in the language that was chosen."""

import json
import re
import time

import pytest
from playwright.sync_api import Page, expect

from deploy.pages import WEB
from tests.browser.conftest import Person, Seat
from tests.browser.pages import PAGES
from tests.console.stage import Records, Served

AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
STANDARD = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
NAMESPACES = "|".join(
    ("shell", "words", "desk", "wall", "demo", "signin", "more", "home", "search", "orders", "crews", "conditions", "handover", "admin")
)


def a_working_day(records: Records) -> dict[str, str]:
    """A leak under way, one that is over, a crew, an order, a blind home; the ids that paths stand for."""
    now = time.time_ns() // 1_000_000
    records.home(1)
    records.home(2)
    crew = records.crew()
    incident = records.incident(1, at_ms=now - 60_000, valve="reported_closed", reported_closed_ms=now - 58_000)
    records.event(incident, "opened", now - 59_900)
    records.order(incident, 1, at_ms=now - 59_000, state="on_site", crew_id=crew, technician_id=f"{crew}-A")
    records.call(incident, at_ms=now - 59_500)
    records.command(incident, at_ms=now - 59_900)
    records.task(incident, at_ms=now - 30_000)
    records.incident(2, at_ms=now - 3_600_000, state="closed", closed_ms=now - 3_000_000)
    return {"home": "home-0001", "incident": str(incident), "order": "QX-260402-0001"}


def complaints(page: Page, language: str) -> list[str]:
    """What is wrong with a page as it stands."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(f"axe.run({{runOnly: {json.dumps(STANDARD)}}})")
    wrong = [f"{rule['id']}: {node['html'][:160]} ({node['failureSummary']})" for rule in found["violations"] for node in rule["nodes"]]
    lang = page.locator("html").get_attribute("lang")
    if lang != {"zh": "zh-CN", "en": "en"}[language]:
        wrong.append(f"the page says that it speaks {lang}")
    # A word that has no translation is shown by its key.
    wrong += re.findall(rf"\b(?:{NAMESPACES})\.[a-z_]+\b", page.locator("body").inner_text())
    beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if beyond > 0:
        wrong.append(f"it is {beyond} px wider than the screen")
    return wrong


@pytest.mark.parametrize("width", ["phone", "desk"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_keeps_nobody_out_and_speaks_one_language(
    language: str, width: str, records: Records, console: Served, person: Person, seat: Seat
) -> None:
    ids = a_working_day(records)
    stranger = person(width, language, ("/api/v1/session",))  # which says that nobody is signed in
    stranger.goto(f"{console.url}/signin")
    everybody = seat("supervisor", "engineer", "auditor", path="/desk", width=width, language=language)
    found: dict[str, list[str]] = {}
    for shown in PAGES:
        page = stranger if shown.role is None else everybody
        page.goto(console.url + shown.path.format(**ids))
        expect(page.locator("h1").first).to_be_visible()
        if shown.role is not None:
            expect(page.locator(".live").first).to_have_attribute("data-state", "live")
        if wrong := complaints(page, language):
            found[shown.name] = wrong
    assert found == {}
