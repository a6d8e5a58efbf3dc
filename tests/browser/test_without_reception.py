"""A phone whose browser can do less: no service worker, no disk, a full disk. Whatever he does arrives, or he is told that it does not."""

import re

from playwright.sync_api import Dialog, Page, expect

from tests.browser.conftest import Person
from tests.browser.line import Line
from tests.browser.technician import ORDER_NO, TECHNICIAN, Visit, now_ms
from tests.browser.test_technician import NO_RECEPTION, press, until, until_all_told, until_done
from tests.console.stage import Served

WITHOUT_WORKER = "delete Navigator.prototype.serviceWorker;"
WITHOUT_DISK = """IDBFactory.prototype.open = () => { throw new DOMException("not here", "SecurityError"); };"""
FULL_DISK = """{
    const own = IDBObjectStore.prototype.add;
    IDBObjectStore.prototype.add = function (...kept) {
        if (window.full) throw new DOMException("no room", "QuotaExceededError");
        return own.apply(this, kept);
    };
}"""


def phone(person: Person, console: Served, browser: str, url: str = "") -> Page:
    """His phone at his page; ``browser``: what is otherwise in its browser than in ours."""
    cookie = console.signed_in("technician", name="he.ping", technician_id=TECHNICIAN).cookies["gs_session"]
    page = person("phone", "zh", NO_RECEPTION)
    page.set_viewport_size({"width": 360, "height": 740})
    page.context.add_init_script(browser)
    page.context.add_cookies([{"name": "gs_session", "value": cookie, "url": url or console.url}])
    page.goto((url or console.url) + "/field/")
    page.get_by_role("alertdialog").get_by_role("button", name="查看").click()
    return page


def test_without_a_service_worker_an_open_page_works_on_and_a_closed_one_tells_it_later(
    visit: Visit,
    person: Person,
    console: Served,
    line: Line,
) -> None:
    page = phone(person, console, WITHOUT_WORKER, line.url)
    assert page.evaluate("'serviceWorker' in navigator") is False
    press(page, "接单")
    until_done(page, visit, "accept")
    until_all_told(page)
    page.context.set_offline(True)
    line.lose()
    began = now_ms()
    press(page, "我已到场")
    page.get_by_label("门外读数").fill("1")
    press(page, "确认读数")
    page.get_by_label("室内读数").fill("2")
    press(page, "已控制")
    page.get_by_role("radio", name="接头").click()
    press(page, "登记")
    until(page, "3 项待上报")
    ended = now_ms()
    # The app is closed in the stairwell. Without reception this browser cannot open it; with reception everything is there.
    page.close()
    assert visit.state() == "accepted"
    line.find()
    page = page.context.new_page()
    page.context.set_offline(False)
    page.goto(line.url + f"/field/orders/{ORDER_NO}")
    until_done(page, visit, "accept", "arrive", "make_safe", "record_cause")
    until_all_told(page)
    expect(page.get_by_role("heading", name="严密性试验")).to_be_visible()
    times = [at_ms for _, _, at_ms in visit.steps()[1:]]
    assert times == sorted(times)
    assert began - 2000 <= times[0]
    assert times[-1] <= ended + 2000


def test_without_a_disk_it_says_so_tells_what_it_holds_and_is_not_closed_unasked(
    visit: Visit,
    person: Person,
    console: Served,
) -> None:
    page = phone(person, console, WITHOUT_DISK)
    expect(page.get_by_text("本浏览器不能保存数据")).to_be_visible()
    press(page, "接单")
    until_done(page, visit, "accept")
    until_all_told(page)
    page.context.set_offline(True)
    press(page, "我已到场")
    until(page, "1 项待上报")
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    with page.expect_event("dialog"):
        page.close(run_before_unload=True)
    until(page, "1 项待上报")
    assert asked == ["beforeunload"]
    page.context.set_offline(False)
    until_done(page, visit, "accept", "arrive")
    until_all_told(page)


def test_what_a_full_disk_does_not_take_is_no_step_and_he_is_told(visit: Visit, person: Person, console: Served) -> None:
    page = phone(person, console, FULL_DISK)
    press(page, "接单")
    until_done(page, visit, "accept")
    until_all_told(page)
    page.evaluate("window.full = true")
    press(page, "我已到场")
    said = page.get_by_role("alertdialog")
    expect(said).to_contain_text(re.compile("“到场”没有保存在本机，也不会上报"))
    press(page, "知道了")
    expect(said).to_have_count(0)
    page.evaluate("window.full = false")
    press(page, "我已到场")
    until_done(page, visit, "accept", "arrive")
    until_all_told(page)
