"""The technician's story on his phone: from the new order to the archive, without reception and back, and what is refused on the way."""

import base64
import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Seat, until_so
from tests.browser.line import Line
from tests.browser.technician import ORDER_NO, TECHNICIAN, Visit, now_ms
from tests.browser.test_every_page import complaints
from tests.console.stage import Records, Served

# Without reception the browser itself says so on its console, and so it does of a refusal, which the page shows.
# A page of the demonstration says when it is left, and this console has no simulation to tell.
NO_RECEPTION = ("net::ERR_", "Failed to fetch", "409 (Conflict)", "401 (Unauthorized)", "/api/v1/demo/crew")
PHOTO = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FAAhKDveksOjmAAAAAElFTkSuQmCC")

BEGUN_BEFORE = """(name) => new Promise((done, fail) => {
    const opening = indexedDB.open("gas-sentinel-field");
    opening.onerror = () => fail(opening.error);
    opening.onsuccess = () => {
        const change = opening.result.transaction("notes", "readwrite");
        const notes = change.objectStore("notes");
        const reading = notes.get(name);
        let begun = false;
        reading.onsuccess = () => {
            begun = Boolean(reading.result && reading.result.startedMs);
            if (begun) notes.put({ ...reading.result, startedMs: reading.result.startedMs - 200000 }, name);
        };
        change.onerror = () => fail(change.error);
        change.oncomplete = () => {
            opening.result.close();
            done(begun);
        };
    };
})"""
"""Says whether the draft is kept yet; where it is, it was begun 200 s before."""


def phone(seat: Seat, language: str = "zh", path: str = "/field/", url: str = "") -> Page:
    page = seat("technician", path=path, width="phone", language=language, technician_id=TECHNICIAN, url=url, expected=NO_RECEPTION)
    page.set_viewport_size({"width": 360, "height": 740})
    return page


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def into_the_order(page: Page) -> None:
    press(page, "接单")
    expect(page.get_by_text("已接单，前往现场")).to_be_visible()
    page.get_by_role("link", name=re.compile(ORDER_NO)).click()


def until(page: Page, what: str) -> None:
    expect(page.get_by_role("status").first).to_contain_text(what)


def until_all_told(page: Page) -> None:
    """Live, and nothing waits: said by the page. That nothing is said of waiting acts holds for a page that is not drawn yet, too."""
    expect(page.get_by_role("status").first).to_have_text(re.compile(r"^\s*●\s*实时\s*$"))


def until_done(page: Page, visit: Visit, *events: str) -> None:
    """The server has these steps of his and no others: a page that says "live" may just not have begun to tell."""
    until_so(page, lambda: [event for event, _, _ in visit.steps()] == [*events], f"{events} are done")


def test_from_the_new_order_to_the_archive(visit: Visit, seat: Seat, records: Records) -> None:
    # Before the time at which the test below is made to have begun: a leak after that would make it void.
    records.change("incidents", "incident_id", visit.incident, last_leak_ms=now_ms() - 600_000)
    page = phone(seat)
    page.get_by_role("alertdialog").get_by_role("button", name="查看").click()
    press(page, "接单")
    press(page, "我已到场")
    expect(page.get_by_label("门外读数")).to_be_visible()
    expect(page.get_by_role("heading", name="已控制")).to_have_count(0)
    page.get_by_label("门外读数").fill("12")
    press(page, "确认读数")
    expect(page.get_by_text("不得进入")).to_be_visible()
    press(page, "重新测量")
    page.get_by_label("门外读数").fill("1.5")
    press(page, "确认读数")
    expect(page.get_by_text("可以进入")).to_be_visible()
    page.get_by_label("室内读数").fill("2")
    press(page, "已控制")
    page.get_by_role("radio", name="软管").click()
    press(page, "登记")
    page.get_by_label("起始压力").fill("2.5")
    press(page, "开始计时")
    expect(page.get_by_role("timer")).to_be_visible()
    # The three minutes pass on the page's clock alone: the draft is as old as if it had been begun then.
    until_so(page, lambda: page.evaluate(BEGUN_BEFORE, f"draft:test:{ORDER_NO}"), "the draft is kept")
    page.reload()
    press(page, "停表，读压力")
    page.get_by_label("结束压力").fill("2.5")
    expect(page.get_by_text("按标准判断：合格")).to_be_visible()
    press(page, "提交试验结果")
    press(page, "我在表前，请求开阀")
    press(page, "请求开阀")
    expect(page.get_by_text(re.compile("请在 [0-9]+ 秒内按表上的按键确认"))).to_be_visible()
    visit.confirm_at_the_meter()
    expect(page.get_by_text("阀门已由现场人员打开").first).to_be_visible()
    press(page, "复气")
    pad = page.get_by_role("img", name="在此签名")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 30, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 110, steps=5)
    page.mouse.up()
    press(page, "保存签名")
    expect(page.get_by_text("签名已保存")).to_be_visible()
    press(page, "归档")
    expect(page.get_by_text("抢修单已归档").first).to_be_visible()
    until_done(page, visit, "accept", "arrive", "make_safe", "record_cause", "pass_test", "restore", "archive")
    until_all_told(page)
    assert visit.state() == "archived"
    assert {actor for _, actor, _ in visit.steps()} == {TECHNICIAN}


def test_a_visit_without_reception_is_told_in_order_with_its_true_times(visit: Visit, seat: Seat, records: Records, line: Line) -> None:
    page = phone(seat, url=line.url)
    page.get_by_role("alertdialog").get_by_role("button", name="查看").click()
    press(page, "接单")
    expect(page.get_by_role("button", name="我已到场")).to_be_visible()
    until_done(page, visit, "accept")
    until_all_told(page)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.context.set_offline(True)
    line.lose()
    began = now_ms()
    press(page, "我已到场")
    page.get_by_label("门外读数").fill("1")
    press(page, "确认读数")
    page.get_by_label("室内读数").fill("2")
    press(page, "已控制")
    page.locator("input[type=file]").set_input_files({"name": "photo.png", "mimeType": "image/png", "buffer": PHOTO})
    expect(page.get_by_text("待上报", exact=False).first).to_be_visible()
    until(page, "3 项待上报")
    # The app is closed in the stairwell, and opened again there.
    page.close()
    page = page.context.new_page()
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(line.url + "/field/")
    until(page, "3 项待上报")
    page.get_by_role("link", name=re.compile(ORDER_NO)).click()
    page.get_by_role("radio", name="接头").click()
    press(page, "登记")
    ended = now_ms()
    until(page, "4 项待上报")
    assert visit.state() == "accepted"
    line.find()
    page.context.set_offline(False)
    until_done(page, visit, "accept", "arrive", "make_safe", "record_cause")
    until_all_told(page)
    expect(page.get_by_role("heading", name="严密性试验")).to_be_visible()
    told = visit.steps()
    times = [at_ms for _, _, at_ms in told[1:]]
    assert times == sorted(times)
    assert began - 2000 <= times[0]
    assert times[-1] <= ended + 2000
    (row,) = records.db.execute("SELECT kind, media_type FROM order_attachments").fetchall()
    assert row == ("photo", "image/jpeg")


def test_a_refusal_is_shown_and_kept_until_he_acts_on_it(visit: Visit, seat: Seat) -> None:
    page = phone(seat)
    page.get_by_role("alertdialog").get_by_role("button", name="查看").click()
    press(page, "接单")
    press(page, "我已到场")
    page.get_by_label("门外读数").fill("1")
    press(page, "确认读数")
    expect(page.get_by_label("室内读数")).to_be_visible()
    until_done(page, visit, "accept", "arrive")
    until_all_told(page)
    page.context.set_offline(True)
    page.get_by_label("室内读数").fill("2")
    press(page, "已控制")
    page.get_by_role("radio", name="接头").click()
    press(page, "登记")
    until(page, "2 项待上报")
    visit.leak_again()
    page.context.set_offline(False)
    expect(page.get_by_role("alert").filter(has_text="站点没有接受：已控制")).to_contain_text("此后又有泄漏报警：请重新检测")
    expect(page.get_by_text("本单后面还有 1 项在等您处理")).to_be_visible()
    page.reload()
    expect(page.get_by_role("alert").filter(has_text="站点没有接受：已控制")).to_be_visible()
    # The door is shut again: what was measured outside was before the leak.
    expect(page.get_by_text("请退出并重新测量")).to_be_visible()
    for step in ("已控制", "查漏"):
        refused = page.get_by_role("alert").filter(has_text=f"站点没有接受：{step}")
        refused.get_by_role("button", name="放弃这一项").click()
        refused.get_by_role("button", name="放弃", exact=True).click()
    expect(page.get_by_text("站点没有接受")).to_have_count(0)
    until_done(page, visit, "accept", "arrive")


def test_no_valve_is_opened_without_a_live_connection(visit: Visit, seat: Seat, records: Records) -> None:
    at_ms = now_ms() - 5000
    records.change(
        "work_orders", "order_id", visit.order_id,
        state="tightness_passed", accepted_ms=at_ms, on_site_ms=at_ms, made_safe_ms=at_ms, cause="hose", cause_ms=at_ms,
        test_passed=True, test_ms=at_ms, test_start_kpa=2.5, test_end_kpa=2.5, test_minutes=3.0, test_by=TECHNICIAN,
    )  # fmt: skip
    page = phone(seat, path=f"/field/orders/{ORDER_NO}")
    expect(page.get_by_role("button", name="我在表前，请求开阀")).to_be_visible()
    page.context.set_offline(True)
    expect(page.get_by_text("没有实时连接，现在不能开阀")).to_be_visible()
    expect(page.get_by_role("button", name="我在表前，请求开阀")).to_have_count(0)
    expect(page.get_by_role("link", name=re.compile("致电值班室 95158"))).to_have_attribute("href", "tel:95158")
    expect(page.get_by_text(re.compile(f"抢修单 {ORDER_NO}；起始 2.5 kPa"))).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_role("button", name="我在表前，请求开阀")).to_be_visible()
    assert records.db.execute("SELECT count(*) FROM requests WHERE kind = 'open_valve'").fetchone() == (0,)


def test_a_new_order_rings_while_the_app_is_open(visit: Visit, seat: Seat, records: Records) -> None:
    page = phone(seat)
    page.get_by_role("alertdialog").get_by_role("button", name="查看").click()
    expect(page.get_by_role("alertdialog")).to_have_count(0)
    until(page, "实时")
    records.home(2)
    visit.order(2, now_ms(), incident=records.incident(2, at_ms=now_ms()))
    expect(page.get_by_role("alertdialog")).to_contain_text("QX-260402-0002")


def test_a_new_leak_at_his_order_rings_and_rings_once(visit: Visit, seat: Seat, records: Records) -> None:
    page = phone(seat)
    ringing = page.get_by_role("alertdialog")
    ringing.get_by_role("button", name="查看").click()
    press(page, "接单")
    until_done(page, visit, "accept")
    expect(ringing).to_have_count(0)
    with records.db.transaction():
        records.event(visit.incident, "leak_again", now_ms(), after="clear", ch4_lel=23.0)
        records.change("incidents", "incident_id", visit.incident, last_leak_ms=now_ms())
    expect(ringing).to_contain_text("现场再次泄漏报警")
    expect(ringing).to_contain_text("室内人员立即撤出")
    ringing.get_by_role("button", name="查看").click()
    page.reload()
    until(page, "实时")
    expect(ringing).to_have_count(0)


def test_the_desk_enters_his_pressures_and_his_phone_goes_on_from_there(
    visit: Visit, seat: Seat, console: Served, records: Records
) -> None:
    at_ms = now_ms() - 5000
    records.change(
        "work_orders", "order_id", visit.order_id,
        state="cause_recorded", accepted_ms=at_ms, on_site_ms=at_ms, made_safe_ms=at_ms, cause="hose", cause_ms=at_ms,
    )  # fmt: skip
    page = phone(seat, "en", path=f"/field/orders/{ORDER_NO}")
    expect(page.get_by_role("heading", name="Tightness test")).to_be_visible()
    desk = console.signed_in("operator", name="desk-7")
    entered = desk.post(
        f"/api/v1/orders/{ORDER_NO}/tightness-test", json={"actor": TECHNICIAN, "start_kpa": 2.5, "end_kpa": 2.5, "minutes": 5}
    )
    assert entered.status_code == 200, entered.text
    expect(page.get_by_role("button", name="I am at the meter: ask to open")).to_be_visible()
    page.get_by_text("What happened").click()
    expect(page.get_by_text(re.compile("entered by desk-7"))).to_be_visible()


@pytest.mark.parametrize(
    ("language", "words", "look", "accept"),
    [("zh", "演示：住户、电话和抢修队均为模拟", "查看", "接单"), ("en", "Demo: homes, phones and crews are simulated", "Look", "Accept")],
)
def test_a_demonstration_says_so_above_his_buttons(visit: Visit, seat: Seat, language: str, words: str, look: str, accept: str) -> None:
    page = phone(seat, language)
    # It has rung, and does so once: not over the button after the next start.
    page.get_by_role("alertdialog").get_by_role("button", name=look).click()
    expect(page.get_by_role("alertdialog")).to_have_count(0)

    def as_demo(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "demo": True})

    page.route("**/api/v1/session", as_demo)
    page.reload()
    banner = page.get_by_role("banner")
    expect(banner).to_contain_text(words)
    button = page.get_by_role("button", name=accept, exact=True)
    expect(button).to_be_visible()
    above, below = banner.bounding_box(), button.bounding_box()
    assert above is not None
    assert below is not None
    assert above["y"] + above["height"] <= below["y"]
    assert complaints(page, language) == []
    page.unroute_all(behavior="ignoreErrors")


def test_a_session_that_ended_keeps_what_was_done(visit: Visit, seat: Seat, records: Records, console: Served) -> None:
    page = phone(seat)
    page.get_by_role("alertdialog").get_by_role("button", name="查看").click()
    press(page, "接单")
    expect(page.get_by_role("button", name="我已到场")).to_be_visible()
    until_done(page, visit, "accept")
    until_all_told(page)
    records.db.execute("DELETE FROM sessions")
    expect(page.get_by_role("heading", name="登录")).to_be_visible(timeout=60_000)
    press(page, "我已到场")
    until(page, "1 项待上报")
    page.reload()
    expect(page.get_by_role("heading", name="登录")).to_be_visible()
    until(page, "1 项待上报")
    assert visit.state() == "accepted"
    cookie = console.signed_in("technician", name="the same again", technician_id=TECHNICIAN).cookies["gs_session"]
    page.context.add_cookies([{"name": "gs_session", "value": cookie, "url": console.url}])
    page.reload()
    until_done(page, visit, "accept", "arrive")
    until_all_told(page)
    expect(page.get_by_role("heading", name="登录")).to_have_count(0)
    assert visit.state() == "on_site"


def test_who_signs_out_in_a_dead_spot_is_out_where_the_phone_is_heard_again(visit: Visit, seat: Seat, records: Records) -> None:
    page = phone(seat)
    page.get_by_role("alertdialog").get_by_role("button", name="查看").click()
    press(page, "接单")
    until_done(page, visit, "accept")
    until_all_told(page)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.context.set_offline(True)
    page.get_by_role("banner").get_by_role("button", expanded=False).click()
    press(page, "退出")
    expect(page.get_by_role("heading", name="登录")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="登录")).to_be_visible()
    assert records.db.execute("SELECT count(*) FROM sessions").fetchone() == (1,)
    page.context.set_offline(False)
    until_so(page, lambda: records.db.execute("SELECT count(*) FROM sessions").fetchone() == (0,), "the console has ended the session")
    page.reload()
    expect(page.get_by_role("heading", name="登录")).to_be_visible()
    expect(page.get_by_text(ORDER_NO)).to_have_count(0)
