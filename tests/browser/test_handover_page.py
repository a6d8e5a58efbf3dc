"""The handover with one of everything in it: nobody is kept out, it speaks one language, and it is no wider than its room."""

from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Seat
from tests.browser.test_every_page import EACH_ONCE, a_working_day, complaints
from tests.console.stage import T0, Records, Served

SIGNED = {"zh": "没有逐项指定的，负责人：", "en": "Owner of those not named one by one:"}


@pytest.mark.parametrize(("language", "width"), EACH_ONCE)
def test_a_handover_with_one_of_everything_keeps_nobody_out(
    language: str, width: str, records: Records, console: Served, seat: Seat
) -> None:
    ids = a_working_day(records)
    records.put("valve_holds", hold_id=uuid4(), home_id=ids["home"], hold="safety", set_ms=T0, set_by="line")
    records.put(
        "home_conditions", condition_id=uuid4(), home_id="home-0002", device_id="D00002", condition="blind", cause="fault", since_ms=T0
    )
    records.db.execute("UPDATE work_orders SET state = 'no_access', on_site_ms = %s, revisit_due_ms = %s", [T0, T0])
    page = seat("operator", path="/desk/handover", width=width, language=language)
    leaves = console.signed_in("operator", name="leaves")
    begun = leaves.post("/api/v1/handovers", json={"owners": {"*": "operator-1"}}).json()["handover_id"]
    expect(page.locator(".begun")).to_be_visible()
    expect(page.get_by_text(SIGNED[language])).to_be_visible()
    found = {"begun": complaints(page, language)}
    assert console.signed_in("operator", name="comes").post(f"/api/v1/handovers/{begun}/take", json={}).status_code == 200
    # Where each thing stands, who has it.
    places = {"incident": f"/desk/incidents/{ids['incident']}", "home": f"/desk/homes/{ids['home']}", "conditions": "/desk/conditions"}
    for name, path in (*places.items(), ("order", f"/desk/orders/{ids['order']}"), ("signed", f"/desk/handovers/{begun}")):
        page.goto(console.url + path)
        told = page.get_by_text("operator-1") if name == "signed" else page.get_by_role("link", name="operator-1")
        expect(told.first).to_be_visible()
        found[name] = complaints(page, language)
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
