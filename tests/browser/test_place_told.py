"""Where a crew is, from a real phone: nobody asks the phone before he allowed it here, and then the desk knows."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Seat, until_so
from tests.browser.technician import CREW, ORDER_NO, Visit
from tests.browser.test_technician import phone, press, until_done
from tests.console.stage import Records, Served


def test_the_desk_knows_where_a_crew_is_that_allowed_it_while_it_is_on_an_order(
    visit: Visit,
    seat: Seat,
    console: Served,
    records: Records,
) -> None:
    desk = console.signed_in("dispatcher", name="desk-9")

    def place() -> tuple[float, float, str] | None:
        (crew,) = [each for each in desk.get("/api/v1/crews").json()["items"] if each["crew_id"] == CREW]
        return None if crew["lon"] is None else (crew["lon"], crew["lat"], crew["coord_datum"])

    page = phone(seat)
    page.context.grant_permissions(["geolocation"], origin=console.url)
    page.context.set_geolocation({"longitude": 112.9412, "latitude": 28.2307, "accuracy": 12})
    page.get_by_role("alertdialog").get_by_role("button", name="查看").click()
    expect(page.get_by_role("button", name="接单", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="本队位置")).to_have_count(0)
    press(page, "接单")
    until_done(page, visit, "accept")
    expect(page.get_by_text("同意后浏览器会再问您一次")).to_be_visible()
    assert place() is None
    press(page, "发送位置")
    until_so(page, lambda: place() == (112.9412, 28.2307, "WGS-84"), "the desk knows where the crew is")
    expect(page.get_by_text(re.compile("最近一次 [0-9:]{8}"))).to_be_visible()
    expect(page.get_by_role("banner")).to_contain_text("发送位置中")
    bodies = records.db.execute("SELECT body FROM requests WHERE kind = 'crew_position' AND state = 'done'").fetchall()
    assert bodies
    assert all(body == {"crew_id": CREW, "coord_datum": "WGS-84"} for (body,) in bodies), "no way of a crew is kept"
    # His choice is kept on this phone, and he may take it back.
    page.reload()
    expect(page.get_by_role("banner")).to_contain_text("发送位置中")
    page.goto(console.url + f"/field/orders/{ORDER_NO}")
    press(page, "停止发送")
    expect(page.get_by_text("没有发送位置")).to_be_visible()
    expect(page.get_by_role("banner")).not_to_contain_text("发送位置中")
    records.change("work_orders", "order_id", visit.order_id, state="archived", archived_ms=visit.steps()[0][2])
    assert place() is None
