"""The operator's desk: worked by keyboard, two at once, and the whole story of a leak with nobody pressing anything that matters."""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from playwright.sync_api import Locator, Page, expect

from console.access.secret import new_secret
from deploy.embedded.testing import reachable_folder, remove_folder
from tests.browser.conftest import Person, Seat
from tests.browser.district import running_district
from tests.browser.line import Line
from tests.console.stage import T0, Records, Served

PHOTO = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FAAhKDveksOjmAAAAAElFTkSuQmCC")
LEAK_MS = 120_000
END_MS = 180_000
TABS = 80


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

    # The room was clear, and it leaks anew: nobody has seen that, and the other says so this time.
    with records.db.transaction():
        records.event(incident, "leak_again", T0 + 60_000, after="clear", ch4_lel=23.0)
        records.change("incidents", "incident_id", incident, last_leak_ms=T0 + 60_000)
    for page in (one, two):
        expect(page.locator(".row .age .waits")).to_contain_text("alarm again at")
        expect(page.get_by_role("log").filter(has_text="Alarm again: ")).to_have_count(1)
        expect(page.locator(".watching .wants")).to_contain_text("1 not acknowledged")
    two.keyboard.press("j")
    two.keyboard.press("a")
    two.get_by_label("Remark (may stay empty)").press("Enter")
    for page in (one, two):
        expect(page.get_by_text(re.compile("acknowledged by operator-2 at"))).to_be_visible()
        expect(page.locator(".row .age .waits")).to_have_count(0)

    two.keyboard.press("j")
    two.keyboard.press("c")
    two.get_by_role("textbox", name="Remark").fill("riser key is at the gate")
    two.keyboard.press("Control+Enter")
    one.keyboard.press("Enter")
    for words in ("neighbour rang too", "riser key is at the gate"):
        expect(one.get_by_text(words).first).to_be_visible()


def by_tab(page: Page, wanted: Locator) -> None:
    """Go on by Tab to ``wanted``. Raises AssertionError where it does not come."""
    expect(wanted).to_be_visible()
    for _ in range(TABS):
        if wanted.evaluate("each => each === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{TABS} times Tab lead nowhere near {wanted}")


def test_an_incident_is_worked_by_keyboard_alone_from_the_sign_in_to_the_handover(
    start_console: Callable[..., Served], records: Records, person: Person
) -> None:
    link, password = new_secret(), "a long and dry sentence"
    console = start_console(setup_link=link)
    first = {"token": link, "name": "chen.wei", "display": "Chen Wei", "password": password, "language": "en"}
    assert console.anybody().post("/api/v1/setup", json=first, headers={"Origin": console.url}).status_code == 200
    console.signed_in("operator", name="next")
    records.home(1)
    incident = records.incident(1)
    page = person(language="en", expected=("/api/v1/session",))
    keys = page.keyboard
    page.goto(f"{console.url}/desk")
    expect(page.get_by_label("User name")).to_be_focused()
    keys.type("chen.wei")
    keys.press("Tab")
    keys.type(password)
    keys.press("Enter")

    row = page.locator(f'[data-incident="{incident}"]')
    dialog = page.get_by_role("dialog")
    expect(row).to_be_visible()
    keys.press("j")
    expect(row).to_be_focused()
    keys.press("a")
    expect(dialog.get_by_role("textbox")).to_be_focused()
    keys.type("neighbour rang too")
    # One that thinks better of it is back where he was; so is one that goes on.
    by_tab(page, dialog.get_by_role("button", name="Cancel"))
    keys.press("Enter")
    expect(dialog).to_have_count(0)
    expect(row).to_be_focused()
    keys.press("a")
    expect(dialog.get_by_role("textbox")).to_be_focused()
    keys.type("neighbour rang too")
    keys.press("Enter")
    expect(page.get_by_text(re.compile("acknowledged by Chen Wei at"))).to_be_visible()
    expect(row).to_be_focused()
    # The search opens over the list, and the list's keys are there again when it has gone.
    keys.press("/")
    expect(dialog.locator("input")).to_be_focused()
    keys.press("Escape")
    expect(dialog).to_have_count(0)
    keys.press("j")
    expect(row).to_be_focused()
    keys.press("Enter")
    expect(page).to_have_url(re.compile(f"/desk/incidents/{incident}"))

    expect(page.get_by_role("heading", level=1)).to_contain_text("Room 501")
    keys.press("c")
    expect(dialog.get_by_role("textbox")).to_be_focused()
    keys.type("riser key is at the gate")
    keys.press("Control+Enter")
    expect(dialog).to_have_count(0)
    expect(page.get_by_text("riser key is at the gate").first).to_be_visible()
    by_tab(page, page.get_by_role("button", name="Close the valve"))
    keys.press("Enter")
    expect(dialog.get_by_role("textbox")).to_be_focused()
    keys.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Close the valve")).to_be_focused()

    keys.press("u")
    expect(page.get_by_role("heading", name="Incidents", level=1)).to_be_visible()
    by_tab(page, page.locator('nav a[href="/desk/handover"]'))
    keys.press("Enter")
    by_tab(page, page.get_by_label("Give all the rest to"))
    keys.type("next")
    expect(page.get_by_text("Everything has an owner")).to_be_visible()
    by_tab(page, page.get_by_role("button", name="Sign as Chen Wei"))
    keys.press("Enter")
    expect(page.get_by_text("Chen Wei has signed and hands over")).to_be_visible()


def test_what_a_phone_told_later_stands_at_its_true_time_and_says_so(console: Served, records: Records, seat: Seat) -> None:
    records.home(1)
    records.crew()
    incident = records.incident(1)
    order = records.order(incident, state="on_site", crew_id="芙蓉-1", technician_id="芙蓉-1-A")
    at_ms = T0 + 15 * 60_000
    records.step(order, "arrive", at_ms, "on_site", "芙蓉-1-A", happened_ms=at_ms, received_ms=at_ms + 40 * 60_000)
    his = console.signed_in("technician", technician_id="芙蓉-1-A")
    for kind in ("photo", "signature"):
        headers = {"Content-Type": "image/png", "X-Attachment-Kind": kind, "X-Happened-Ms": str(at_ms)}
        assert his.post("/api/v1/orders/QX-260402-0001/attachments", content=PHOTO, headers=headers).status_code == 201

    page = seat("operator", path=f"/desk/incidents/{incident}", language="en")
    for path in (f"/desk/incidents/{incident}", "/desk/orders/QX-260402-0001"):
        page.goto(console.url + path)
        expect(page.get_by_text("芙蓉-1-A is on site (reported later, received 17:55)").first).to_be_visible()
        # What the desk may not enter for him is said, where it may enter something.
        expect(page.get_by_text("The desk enters the tightness test only.")).to_be_visible()
        expect(page.get_by_text(re.compile("can be entered once the cause is recorded"))).to_be_visible()
        for kind in ("Photo", "Signature"):
            picture = page.get_by_role("img", name=f"{kind}, 17:15:00")
            expect(picture).to_be_visible()
            picture.scroll_into_view_if_needed()
            expect(picture).to_have_js_property("naturalWidth", 10)
            told = page.get_by_role("listitem").filter(has=picture)
            expect(told).to_contain_text(f"{kind} · 2026-04-02 17:15:00 · 芙蓉-1-A")
            expect(told).to_contain_text("reported later, received")


def test_of_two_who_take_a_shift_at_once_one_takes_it_and_the_other_sees_who(console: Served, records: Records, seat: Seat) -> None:
    records.home(1)
    records.home(2)
    records.incident(1)
    records.put("valve_holds", hold_id=uuid4(), home_id="home-0001", hold="works", cause="W-7", set_ms=T0, set_by="operator-1")
    leaving = seat("operator", path="/desk/handover", language="en")
    first = seat("operator", path="/desk/handover", language="en")
    with Line(console.url) as line:
        refused = ("/api/v1/events", "409 (Conflict)")
        second = seat("operator", path="/desk/handover", language="en", url=line.url, expected=refused)
        # Who leaves names an owner for the one incident that is open, and signs; both others see it. The hold waits for who takes over.
        leaving.get_by_label("Owner of gas leak").select_option("operator-2")
        expect(leaving.get_by_text("Without an owner yet: 1")).to_be_visible()
        leaving.get_by_role("button", name="Sign as operator-1").click()
        expect(leaving.get_by_text("Who leaves cannot take over from himself")).to_be_visible()
        for page in (first, second):
            expect(page.get_by_text("operator-1 has signed and hands over")).to_be_visible()
            expect(page.get_by_role("button", name="Take over as")).to_be_enabled()
        # It leaks somewhere else meanwhile: that has no owner, and nobody can take over until it has one.
        records.incident(2)
        for page in (first, second):
            expect(page.get_by_text("Without an owner yet: 1")).to_be_visible()
            expect(page.get_by_role("button", name="Take over as")).to_be_disabled()
        first.get_by_label("Give all the rest to").select_option("operator-3")
        second.get_by_label("Give all the rest to").select_option("operator-2")
        expect(first.get_by_role("button", name="Take over as operator-2")).to_be_enabled()
        expect(second.get_by_role("button", name="Take over as operator-3")).to_be_enabled()
        # Both press. What the second one pressed is still on its way when the first one has taken it.
        line.hold()
        second.get_by_role("button", name="Take over as operator-3").click()
        first.get_by_role("button", name="Take over as operator-2").click()
        expect(first.get_by_role("button", name="Sign as operator-2")).to_be_visible()
        line.go_on()
        expect(second.get_by_text("this handover has ended already (operator-2)")).to_be_visible()
        # Both see the same: who left, who took it, and a new draft.
        for page in (first, second, leaving):
            expect(page.get_by_role("button", name="Sign as")).to_be_visible()
            expect(page.get_by_text("operator-1 → operator-2")).to_be_visible()
    audit = console.signed_in("auditor")
    (taken,) = audit.get("/api/v1/handovers").json()["items"]
    assert (taken["state"], taken["left_by"], taken["ended_by"]) == ("taken", "operator-1", "operator-2")
    document = audit.get(f"/api/v1/handovers/{taken['handover_id']}").json()["taken_document"]
    assert {thing["home_id"]: thing["owner"] for thing in document["incidents"]} == {"home-0001": "operator-2", "home-0002": "operator-3"}
    assert document["tasks"] == []
    # The hold was of the rest, and the home says who has it.
    assert [(hold["home_id"], hold["owner"]) for hold in document["holds"]] == [("home-0001", "operator-3")]
    leaving.goto(f"{console.url}/desk/homes/home-0001")
    expect(leaving.get_by_role("region", name="Holds on the valve").get_by_role("link", name="handed over to operator-3")).to_be_visible()


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
        shown = page.get_by_role("main")
        # The four answers come by themselves, and so do call, crew and order.
        for words in ("Close sent", "Reported closed", "Call placed", "Order created", "Crew assigned"):
            expect(shown.get_by_text(words).first).to_be_visible()
        for told in ("The meter reports: valve closed", "is on site", "made safe", "tightness test passed", "Incident closed"):
            expect(shown.get_by_text(told).first).to_be_visible(timeout=END_MS)
        expect(shown.get_by_text(re.compile("archived", re.IGNORECASE)).first).to_be_visible()
    remove_folder(folder)
