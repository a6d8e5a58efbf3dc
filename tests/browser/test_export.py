"""A supervisor takes the month's incidents and orders out of the desk, as files that the browser really saves."""

import csv
import io
import re
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Seat
from tests.console.stage import T0, Records, Served

DAY_OF_T0 = "2026-04-02"


def test_incidents_and_orders_are_saved_for_a_reason_that_is_on_record(console: Served, records: Records, seat: Seat) -> None:
    records.home(1)
    incident = records.incident(1, at_ms=T0)
    records.order(incident, 1, at_ms=T0)
    for path, title, about, column, value, language in (
        ("/desk", "导出事件", "incidents", "事件编号", str(incident), "zh"),
        ("/desk/orders", "Export work orders", "orders", "order", "QX-260402-0001", "en"),
    ):
        page = seat("supervisor", path=path, language=language)
        page.get_by_role("main").get_by_role("button", name=re.compile("^(导出|Export)$")).press("Enter")
        dialog = page.get_by_role("dialog", name=title)
        dialog.get_by_label(re.compile("导出的理由|Reason for exporting")).fill("季度报表")
        for label in ("起始日|First day", "截止日|Last day"):
            dialog.get_by_label(re.compile(label)).fill(DAY_OF_T0)
        with page.expect_download() as saved:
            page.keyboard.press("Enter")
        name = f"{about}-20260402-20260402.csv"
        assert saved.value.suggested_filename == name
        whole = Path(saved.value.path()).read_bytes()
        assert whole.startswith(b"\xef\xbb\xbf")
        (row,) = csv.DictReader(io.StringIO(whole.decode("utf-8-sig"), newline=""))
        assert row[column] == value
        expect(page.get_by_text(re.compile(f"{re.escape(name)}$"))).to_be_visible()
        expect(dialog).to_be_hidden()
    rows = records.db.execute("SELECT what, about, reason, detail ->> 'rows' FROM audit ORDER BY audit_no").fetchall()
    assert rows == [("exported", "incidents", "季度报表", "1"), ("exported", "orders", "季度报表", "1")]


def test_who_may_not_export_is_not_offered_it(seat: Seat) -> None:
    for path in ("/desk", "/desk/orders"):
        page = seat("operator", path=path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator(".live").first).to_have_attribute("data-state", "live")
        assert page.get_by_role("button", name="导出").count() == 0
