"""The technician's pages at every step of an order, on a phone of 360 px: by day in one language, by night in the other."""

import re
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Seat
from tests.browser.technician import TECHNICIAN, Visit, now_ms, stations
from tests.browser.test_every_page import complaints
from tests.browser.test_technician import NO_RECEPTION, PHOTO
from tests.console.stage import Records, Served

STATES = {
    "assigned": "已派单，待接单|assigned: accept it", "accepted": "已接单，前往现场|accepted, on the way", "on_site": "已到场|on site",
    "no_access": "到访不遇|no access", "made_safe": "已控制|made safe", "cause_recorded": "已查明原因|cause recorded",
    "tightness_passed": "严密性试验合格|tightness test passed", "restored": "已复气|gas restored", "archived": "已归档|archived",
}  # fmt: skip


@pytest.fixture
def visit(records: Records, console: Served) -> Iterator[Visit]:
    """An order for him, and stations that answer."""
    found = Visit(records)
    with stations(records.dsn):
        yield found


class Walk:
    """His page from step to step. What is wrong with it on the way stands in ``found``."""

    def __init__(self, page: Page, visit: Visit, language: str) -> None:
        self.page, self._visit, self._language = page, visit, language
        self.found: dict[str, list[str]] = {}

    def look(self, name: str) -> None:
        if wrong := complaints(self.page, self._language):
            self.found[name] = wrong

    def reach(self, state: str, **values: object) -> None:
        """The order gets there by other hands, and the page has heard of it."""
        self._visit.records.change("work_orders", "order_id", self._visit.order_id, state=state, **values)
        self._visit.records.step(self._visit.order_id, "reached", now_ms(), state)
        expect(self.page.locator("header.head .tag").last).to_have_text(re.compile(STATES[state], re.IGNORECASE))

    def measured_outside(self, lel: str) -> None:
        door = self.page.get_by_role("region").filter(has=self.page.locator("#door"))
        door.get_by_role("textbox").fill(lel)
        door.get_by_role("button").click()
        expect(door.get_by_role("textbox")).to_have_count(0)

    def press(self, at: int = 0) -> None:
        """The button that comes next: they are large."""
        self.page.locator(".van-button--large").nth(at).click()


@pytest.mark.parametrize(("language", "scheme"), [("zh", "light"), ("en", "dark")])
def test_every_step_of_an_order_is_read_and_touched_on_a_small_phone(
    visit: Visit, seat: Seat, records: Records, language: str, scheme: Literal["light", "dark"]
) -> None:
    page = seat("technician", path="/field/", width="phone", language=language, technician_id=TECHNICIAN, expected=NO_RECEPTION)
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    walk = Walk(page, visit, language)
    ringing = page.get_by_role("alertdialog")
    expect(ringing).to_be_visible()
    walk.look("a new order rings")
    ringing.get_by_role("button").click()
    expect(ringing).to_be_hidden()
    walk.look("an order that is not accepted")
    page.locator("a.back").click()
    expect(page.locator("article.card")).to_be_visible()
    walk.look("the day")
    page.locator("button.who").click()
    menu = page.locator(".van-popup section.ringing")
    expect(menu).to_be_visible()
    walk.look("the menu")
    menu.get_by_role("button").last.click()
    expect(menu).to_be_hidden()
    page.locator("article.card a").click()

    at_ms = now_ms() - 60_000
    walk.reach("accepted", accepted_ms=at_ms)
    walk.look("on the way")
    records.change("incidents", "incident_id", visit.incident, valve="accepted", proof="none", before_meter_ms=at_ms)
    expect(page.locator(".note.alarm")).to_have_count(2)
    walk.look("the valve sticks, and gas leaks before the meter")
    records.change("incidents", "incident_id", visit.incident, valve="reported_closed", proof="holds", before_meter_ms=None)
    expect(page.locator(".note.alarm")).to_have_count(0)
    page.context.set_offline(True)
    expect(page.locator(".net.bad")).to_be_visible()
    walk.press()
    expect(page.locator("#door")).to_be_visible()
    walk.look("without reception")
    # The desk has meanwhile put him further: what he did comes too late, and he is told.
    records.change("work_orders", "order_id", visit.order_id, state="made_safe", on_site_ms=at_ms, made_safe_ms=at_ms)
    page.context.set_offline(False)
    conflict = page.get_by_role("alert").filter(has=page.locator(".pair"))
    expect(conflict).to_be_visible()
    walk.look("a step that was refused")
    conflict.get_by_role("button").last.click()
    expect(conflict.locator(".van-button--danger")).to_be_visible()
    walk.look("giving a step up")
    conflict.locator(".van-button--danger").click()
    expect(conflict).to_have_count(0)

    walk.reach("on_site", made_safe_ms=None)
    expect(page.locator("#door")).to_be_visible()
    walk.look("outside the door")
    walk.measured_outside("12")
    walk.look("it is not safe outside")
    page.locator("section:has(> #door) .van-button").click()
    walk.measured_outside("1.5")
    expect(page.locator(".note.fine")).to_be_visible()
    page.get_by_role("textbox").first.fill("12")
    expect(page.locator("section.card .bad.small")).to_be_visible()
    page.locator("input[type=file]").set_input_files({"name": "photo.png", "mimeType": "image/png", "buffer": PHOTO})
    expect(page.locator(".strip img")).to_be_visible()
    walk.look("inside, with a photo")
    page.get_by_role("button", name=re.compile("到访不遇|no access", re.IGNORECASE)).click()
    expect(page.get_by_role("button", name=re.compile("取消|Cancel"))).to_be_visible()
    walk.look("nobody opens")

    walk.reach("made_safe", made_safe_ms=at_ms)
    page.get_by_role("radio").last.click()
    expect(page.get_by_role("radio").last).to_be_checked()
    walk.look("the cause")
    walk.reach("cause_recorded", cause="hose", cause_ms=at_ms)
    page.get_by_role("textbox").first.fill("2.5")
    walk.look("before the tightness test")
    walk.press()
    expect(page.get_by_role("timer")).to_be_visible()
    walk.look("the tightness test runs")
    walk.press()
    page.get_by_role("textbox").last.fill("2.4")
    expect(page.locator(".note.alarm")).to_be_visible()
    walk.look("the tightness test is not passed")

    walk.reach(
        "tightness_passed", test_passed=True, test_ms=at_ms, test_start_kpa=2.5, test_end_kpa=2.5, test_minutes=3.0, test_by=TECHNICIAN
    )
    opening = page.locator("section:has(> #open-valve)")
    expect(opening.get_by_role("button")).to_be_visible()
    walk.look("the valve may be asked to open")
    page.context.set_offline(True)
    expect(opening.get_by_role("alert")).to_be_visible()
    walk.look("no valve is opened without reception")
    page.context.set_offline(False)
    opening.get_by_role("button").click()
    expect(opening.locator(".van-button--danger")).to_be_visible()
    walk.look("sure that it may open")
    opening.locator(".van-button--danger").click()
    expect(opening.get_by_role("status")).to_be_visible()
    walk.look("it waits for the key at the meter")
    visit.confirm_at_the_meter()
    expect(opening.locator(".note.fine")).to_be_visible()
    walk.reach("restored", restored_ms=at_ms)
    expect(page.locator("canvas")).to_be_visible()
    page.locator("details summary").click()
    walk.look("the signature")
    walk.reach("archived", archived_ms=now_ms())
    expect(page.locator(".note.fine")).to_be_visible()
    walk.look("archived")
    page.locator("a.back").click()
    expect(page.locator("a.done")).to_be_visible()
    walk.look("the day is done")
    records.db.execute("DELETE FROM sessions")
    page.reload()
    expect(page.get_by_role("textbox").first).to_be_visible()
    walk.look("signed out")
    assert walk.found == {}
