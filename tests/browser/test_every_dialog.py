"""Every dialog of the desk: opened by keyboard, understood by a screen reader, within a phone's width, and left to where one was."""

import re
import time
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import WIDTHS, Person, Seat, until_so
from tests.browser.test_every_page import SMALL, a_working_day, complaints
from tests.console.stage import Records, Served

STANDS: Final = """[...document.querySelectorAll("dialog[open], .el-overlay")]
    .every((each) => each.getAnimations({ subtree: true }).length === 0)"""

CHANGE: Final = re.compile("^(修改|Change) else$")
MAKE_LINK: Final = re.compile("^(生成密码链接|Make a password link)$")
NEW_TOKEN: Final = re.compile("^(新建令牌|New token)$")
STORED: Final = re.compile("^(我已存好|I have stored it)$")
PASSWORD: Final = re.compile("^(密码|Password)$")
AGAIN: Final = re.compile("^(再输一次密码|Password again)$")


@dataclass(frozen=True, slots=True)
class Asked:
    """A dialog: its name, the page that it opens over, and the button in both languages, or the key, that opens it.

    ``back``: where it leads back to, where that is not the button.
    """

    name: str
    path: str
    button: str = ""
    key: str = ""
    back: str = ""


DIALOGS: Final = (
    Asked("acknowledge", "/desk", "^(知悉|Acknowledge)", back="[data-incident]"),
    Asked("task", "/desk", "^(完成|Done)$"),
    Asked("export", "/desk", "^(导出|Export)"),
    Asked("keys", "/desk", key="?"),
    Asked("search", "/desk", key="/"),
    Asked("remark", "/desk/incidents/{incident}", "^(备注|Remark)"),
    Asked("close", "/desk/incidents/{incident}", "^(切断阀门|Close the valve)$"),
    Asked("reassign", "/desk/incidents/{incident}", "^(改派|Send another crew)$"),
    Asked("pressures", "/desk/incidents/{incident}", "^(代录严密性试验|Enter a tightness test)$"),
    Asked("reassign", "/desk/orders", "^(改派|Reassign)"),
    Asked("pressures", "/desk/orders/{order}", "^(代录严密性试验|Enter a tightness test)"),
    Asked("hotline", "/desk/homes/{quiet}", "^(本户报漏|Gas smell in this home)$"),
    Asked("close", "/desk/homes/{quiet}", "^(切断阀门|Close the valve)$"),
    Asked("unmask", "/desk/homes/{quiet}", "^(查看姓名与电话|Show names and numbers)$"),
    Asked("set a hold", "/desk/homes/{quiet}", "^(设置保持|Set a hold)$"),
    Asked("lift a hold", "/desk/homes/{quiet}", "^(解除|Lift)$"),
    Asked("new user", "/admin/users", "^(新建用户|New user)$"),
    Asked("user", "/admin/users", "^(修改|Change) else$"),
    Asked("new token", "/admin/tokens", "^(新建令牌|New token)$"),
    Asked("revoke", "/admin/tokens", "^(撤销|Revoke) erp$"),
)


def a_day_of_everything(records: Records, console: Served) -> dict[str, str]:
    """A working day on which each dialog has its cause; the ids that paths stand for."""
    ids = a_working_day(records)
    now = time.time_ns() // 1_000_000
    records.change("work_orders", "order_no", ids["order"], state="cause_recorded", made_safe_ms=now, cause="hose", cause_ms=now)
    records.home(3)
    records.order(records.incident(3, at_ms=now), 3, at_ms=now, state="assigned", crew_id="芙蓉-1", technician_id="芙蓉-1-A")
    hold = {"home_id": "home-0002", "hold": "self_protection", "cause": "tamper", "set_ms": now, "set_by": "line"}
    records.put("valve_holds", hold_id=uuid4(), **hold)
    console.signed_in("operator", name="else")
    assert console.signed_in("engineer", name="keeper").post("/api/v1/tokens", json={"name": "erp", "rights": ["read"]}).is_success
    return {**ids, "quiet": "home-0002"}


def opened(page: Page, asked: Asked) -> tuple[Locator, Locator | None]:
    """The dialog, and the button that had the focus before it came."""
    button = None
    if asked.button:
        button = page.get_by_role("main").get_by_role("button", name=re.compile(asked.button)).first
        button.press("Enter")
    else:
        page.keyboard.press(asked.key)
    dialog = page.get_by_role("dialog")
    expect(dialog, f"the dialog {asked.name} over {asked.path}").to_be_visible()
    # What is still coming into sight has not its colours yet.
    until_so(page, lambda: page.evaluate(STANDS), f"the dialog {asked.name} stands")
    return dialog, button


def holds_the_focus(page: Page) -> bool:
    """Whether the focus is in the dialog; the browser's own bar, which comes after a modal's last field, is no other part of the page."""
    inside = "document.activeElement === document.body || document.activeElement.closest('dialog[open], [role=dialog]') !== null"
    return bool(page.evaluate(inside))


@pytest.mark.parametrize(("language", "leave"), [("zh", "Escape"), ("en", "Cancel")])
def test_every_dialog_is_worked_by_keyboard_and_leads_back(
    console: Served, records: Records, seat: Seat, language: str, leave: str
) -> None:
    ids = a_day_of_everything(records, console)
    page = seat("supervisor", "engineer", path="/signin", language=language)
    page.emulate_media(reduced_motion="reduce")
    across, down = WIDTHS["desk"]
    found: dict[str, list[str]] = {}
    at = ""
    for asked in DIALOGS:
        if asked.path != at:
            at = asked.path
            page.goto(console.url + at.format(**ids))
            expect(page.locator(".live").first).to_have_attribute("data-state", "live")
        dialog, button = opened(page, asked)
        expect(dialog.locator(":focus")).to_have_count(1)
        page.set_viewport_size(SMALL)
        wrong = complaints(page, language, "dialog[open], .el-overlay-dialog")
        page.set_viewport_size({"width": across, "height": down})
        for key in ("Shift+Tab", "Shift+Tab", "Tab", "Tab", "Tab"):
            page.keyboard.press(key)
            if not holds_the_focus(page):
                wrong.append(f"{key} leads out of it")
        cancel = dialog.get_by_role("button", name=leave, exact=True)
        if cancel.count():
            cancel.press("Enter")
        else:
            page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        if button is not None:
            expect(page.locator(asked.back).first if asked.back else button).to_be_focused()
        if wrong:
            found[f"{asked.name} at {at}"] = wrong
    assert found == {}


def dialog_of(page: Page, button: re.Pattern[str]) -> Locator:
    """The dialog that a button opens, once it has taken the focus: until then it may take it from what is pressed in it."""
    page.get_by_role("button", name=button).press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(":focus")).to_have_count(1)
    return dialog


def told_once(page: Page, language: str, back: re.Pattern[str]) -> tuple[str, list[str]]:
    """The secret that stands in a dialog, and what is wrong with that; it is put away on purpose, and leads to the button ``back``."""
    dialog = page.get_by_role("dialog")
    stored = dialog.get_by_role("button", name=STORED)
    expect(stored).to_be_visible()
    until_so(page, lambda: page.evaluate(STANDS), "the secret stands")
    expect(dialog).to_have_count(1)
    expect(dialog.locator(":focus")).to_have_count(1)
    secret = dialog.get_by_role("textbox").input_value()
    wrong = looked_at(page, language, ".el-overlay-dialog")
    for key in ("Shift+Tab", "Shift+Tab", "Tab", "Tab", "Tab", "Escape"):
        page.keyboard.press(key)
        if not holds_the_focus(page):
            wrong.append(f"{key} leads out of it")
    expect(stored).to_be_visible()
    stored.press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name=back)).to_be_focused()
    return secret, wrong


def looked_at(page: Page, language: str, part: str = "html") -> list[str]:
    """What is wrong with a page on a desk and on the smallest phone."""
    across, down = WIDTHS["desk"]
    wrong = complaints(page, language, part)
    page.set_viewport_size(SMALL)
    wrong += complaints(page, language, part)
    page.set_viewport_size({"width": across, "height": down})
    return wrong


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_is_told_once_stands_until_it_is_put_away_and_the_link_sets_a_password(
    language: str, console: Served, seat: Seat, person: Person
) -> None:
    console.signed_in("operator", name="else")
    page = seat("supervisor", "engineer", path="/admin/users", language=language)
    page.emulate_media(reduced_motion="reduce")
    found: dict[str, list[str]] = {}
    dialog_of(page, CHANGE).get_by_role("button", name=MAKE_LINK).press("Enter")
    link, found["password link"] = told_once(page, language, CHANGE)
    page.goto(f"{console.url}/admin/tokens")
    dialog_of(page, NEW_TOKEN).get_by_role("textbox").fill("gis")
    page.keyboard.press("Enter")
    token, found["token"] = told_once(page, language, NEW_TOKEN)
    assert token.startswith("gs_")

    his = person("desk", language, ("/api/v1/session",))  # which says that nobody is signed in
    his.goto(link)
    password, again = his.get_by_label(PASSWORD), his.get_by_label(AGAIN)
    expect(password).to_be_visible()
    found["a password by link"] = looked_at(his, language)
    for first, second in (("short", ""), ("four horses at the Xiang", "three")):
        password.fill(first)
        again.fill(second)
        expect(his.get_by_role("alert")).to_be_visible()
        found[f"a password by link: {first}, {second}"] = looked_at(his, language)
    again.fill("four horses at the Xiang")
    his.keyboard.press("Enter")
    expect(his.locator(".live").first).to_have_attribute("data-state", "live")
    assert {what: wrong for what, wrong in found.items() if wrong} == {}
