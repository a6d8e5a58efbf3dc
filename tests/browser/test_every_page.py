"""Every page, in both languages: understood by a screen reader and by keyboard, with every word in the language that was chosen."""

import json
import re
import time
from collections.abc import Callable
from typing import Final

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from console.access.secret import new_secret
from deploy.pages import WEB
from tests.browser.conftest import WIDTHS, Person, Seat
from tests.browser.pages import PAGES
from tests.console.stage import Records, Served

AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
STANDARD = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
NAMESPACES = "shell|words|desk|wall|demo|signin|more|home|search|orders|crews|conditions|handover|admin|field"
# The size of what a finger has to meet is a rule of axe that is off unless it is asked for.
ASKED = json.dumps({"runOnly": STANDARD, "rules": {"target-size": {"enabled": True}}, "resultTypes": ["violations"]})
# Each language and each width once: English words are the longer ones, and a phone has the least room.
EACH_ONCE: Final = (("en", "phone"), ("zh", "desk"))
SMALL: Final[ViewportSize] = {"width": 360, "height": 740}
CUT_OFF = """(() => {
    const room = document.querySelector(".wall").getBoundingClientRect();
    const texts = [...document.querySelectorAll(".wall dt, .wall dd, .wall h2, .wall-where, .wall-said, .wall-caption, .wall-more")];
    const wide = (each) => each.clientWidth > 0 && each.scrollWidth > each.clientWidth + 1;
    const low = (each) => each.getBoundingClientRect().bottom > room.bottom + 1;
    return texts.filter((each) => wide(each) || low(each)).map((each) => `${each.className || each.tagName} is cut off: ${each.innerText}`);
})()"""
"""What of a wall's words is not seen whole: there nobody scrolls."""
TOO_WIDE = """[document.documentElement, ...document.querySelectorAll("dialog[open], .el-dialog, .van-popup")]
    .map((each) => [each.className || each.tagName, each.scrollWidth - each.clientWidth]).filter(([, beyond]) => beyond > 0)"""
"""The page and what stands over it: what is wider than the room that it has, and by how many pixels."""


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


def complaints(page: Page, language: str, part: str = "html") -> list[str]:
    """What is wrong with a page as it stands. ``part``: what of it is looked at, where the rest was looked at before."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(f"axe.run({json.dumps(part)}, {ASKED}).then(({{ violations }}) => violations)")
    wrong = [f"{rule['id']}: {node['html'][:160]} ({node['failureSummary']})" for rule in found for node in rule["nodes"]]
    lang = page.locator("html").get_attribute("lang")
    if lang != {"zh": "zh-CN", "en": "en"}[language]:
        wrong.append(f"the page says that it speaks {lang}")
    # A word that has no translation is shown by its key.
    wrong += re.findall(rf"\b(?:{NAMESPACES})\.[a-z_]+\b", page.locator("body").inner_text())
    wrong += [f"{what} is {beyond} px wider than its room" for what, beyond in page.evaluate(TOO_WIDE)]
    return wrong


@pytest.mark.parametrize(("language", "width"), EACH_ONCE)
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
    # The handover once one has signed, and once both have.
    leaves, comes = (console.signed_in("operator", name=name) for name in ("leaves", "comes"))
    handovers = "/api/v1/handovers"
    begun = leaves.post(handovers, json={"remarks": "东门门禁坏了 / the gate is broken", "owners": {"*": "comes"}}).json()["handover_id"]
    everybody.goto(f"{console.url}/desk/handover")
    expect(everybody.locator(".begun")).to_be_visible()
    if wrong := complaints(everybody, language):
        found["handover, signed by one"] = wrong
    assert comes.post(f"{handovers}/{begun}/take", json={"note": "已接 / taken"}).status_code == 200
    everybody.goto(f"{console.url}/desk/handovers/{begun}")
    expect(everybody.locator(".signatures")).to_be_visible()
    if wrong := complaints(everybody, language):
        found["handover, signed by both"] = wrong
    assert found == {}


def a_full_wall(records: Records) -> None:
    """A working day and more open incidents than a wall has room for, at every step."""
    a_working_day(records)
    now = time.time_ns() // 1_000_000
    for number in range(3, 19):
        records.home(number, lon=112.93 + number / 100, lat=28.20 + number / 200, coord_datum="WGS-84")
        valve = ("commanded", "reported_closed", "gas_still_flows", "no_answer")[number % 4]
        proof = {"proof": "not_yet", "proof_due_ms": now + 30_000 * number} if valve == "reported_closed" else {}
        records.incident(number, at_ms=now - number * 60_000, valve=valve, **proof)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_wall_shows_whole_words_on_screens_of_its_own_widths(language: str, records: Records, console: Served, seat: Seat) -> None:
    a_full_wall(records)
    page = seat("viewer", path="/wall", width="wall", language=language)
    page.emulate_media(reduced_motion="reduce")
    found: dict[str, list[str]] = {}
    for across, down in ((1920, 1080), (3840, 2160)):
        page.set_viewport_size({"width": across, "height": down})
        page.reload()
        expect(page.locator(".live").first).to_have_attribute("data-state", "live")
        expect(page.locator(".wall-incident").first).to_be_visible()
        expect(page.locator(".wall-more")).to_be_visible()
        expect(page.locator(".wall-ground canvas")).to_be_visible()
        wrong = complaints(page, language) + page.evaluate(CUT_OFF)
        if wrong:
            found[f"{across} px"] = wrong
    assert found == {}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_doors_keep_nobody_out_either(language: str, start_console: Callable[..., Served], person: Person) -> None:
    link, demo = new_secret(), new_secret()
    console = start_console(setup_link=link, demo_link=demo)
    page = person("desk", language, ("/api/v1/session", "/api/v1/setup"))
    across, down = WIDTHS["desk"]
    found: dict[str, list[str]] = {}

    def look(path: str, within: str) -> None:
        page.goto("about:blank")
        page.goto(console.url + path)
        expect(page.locator(within).first).to_be_visible()
        sizes: tuple[ViewportSize, ...] = ({"width": across, "height": down}, SMALL)
        for size in sizes:
            page.set_viewport_size(size)
            if wrong := complaints(page, language):
                found[f"{path.partition('#')[0]}: {within}, {size['width']} px"] = wrong

    look("/setup", "p.soft")
    look(f"/setup#{link}", "form")
    look("/setup#no-link-at-all", ".problem")
    look("/demo", "p.problem")
    look(f"/demo#{demo}", ".eyes button")
    assert found == {}
