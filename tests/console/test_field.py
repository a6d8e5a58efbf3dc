"""The technician's day: his crew's orders with all that his phone needs, what is measured there, and nobody else's orders."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from console.field.live import against_opening
from tests.console.stage import T0, Records, Served


def _place(number: int) -> dict[str, Any]:
    return {"place": f"home-{number:04}", "address_zh": f"芙蓉区 云栖花园 3栋 2单元 {500 + number}室", "address_en": f"Room {500 + number}"}


@pytest.fixture
def order(records: Records) -> UUID:
    """An order of crew 芙蓉-1 for a leak in a home with everything."""
    records.home(meter_location="厨房", access_note="门禁 1234", lon=113.0, lat=28.2, coord_datum="WGS-84", flags=["lives_alone"])
    records.crew()
    incident = records.incident()
    order_id = records.order(incident, state="assigned", crew_id="芙蓉-1", technician_id="芙蓉-1-A", assigned_ms=T0 + 90, place=_place(1))
    records.step(order_id, "created", T0 + 60, "created")
    records.step(order_id, "assign", T0 + 90, "assigned", crew_id="芙蓉-1")
    return order_id


@pytest.fixture
def his(console: Served) -> httpx.Client:
    """The phone of the technician of crew 芙蓉-1."""
    return console.signed_in("technician", technician_id="芙蓉-1-A")


def _device(records: Records, device_id: str, **values: Any) -> None:
    records.put("device_state", device_id=device_id, last_ts=T0, last_boot=1, last_seq=1, heard_ms=T0 + 500, lane="alarm", **values)


def test_the_day_carries_all_that_is_needed_without_reception(order: UUID, records: Records, his: httpx.Client) -> None:
    _device(records, "D00001", state="alarm", ch4_lel=23.0)
    _device(records, "M00001", valve="closed", cause="command", flow_m3h=0.0)
    day = his.get("/api/v1/field/orders").json()
    assert (day["technician_id"], day["crew_id"], day["name"], day["desk_phone"]) == ("芙蓉-1-A", "芙蓉-1", "李强", "95158")
    assert day["rules"] == {
        "safe_reading_lel": 10.0,
        "tightness_minutes": 3.0,
        "tightness_start_kpa": 2.0,
        "tightness_drop_kpa": 0.0,
        "gauge_resolution_kpa": 0.05,
    }
    (found,) = day["orders"]
    assert found["order_no"] == "QX-260402-0001"
    assert found["home"]["meter_location"] == "厨房"
    assert found["home"]["access_note"] == "门禁 1234"
    assert [contact["name"] for contact in found["contacts"]] == ["周敏"]
    assert [step["event"] for step in found["steps"]] == ["created", "assign"]
    assert found["steps"][1]["zh"] == "已派单：芙蓉-1"
    live = found["live"]
    assert live["detectors"] == [{"device_id": "D00001", "ch4_lel": 23.0, "state": "alarm", "heard_ms": T0 + 500}]
    assert (live["meter"]["valve"], live["meter"]["cause"]["zh"]) == ("closed", "平台指令")
    assert live["valve_words"]["en"] == "close command sent, waiting for the meter"


def test_he_is_told_since_when_the_valve_is_to_close_and_when_it_was_seen_to_hold(order: UUID, records: Records, his: httpx.Client) -> None:
    def told() -> tuple[int | None, int | None, int | None]:
        (found,) = his.get("/api/v1/field/orders").json()["orders"]
        live = his.get("/api/v1/field/orders/QX-260402-0001/live").json()
        names = ("close_sent_ms", "answer_due_ms", "holds_ms")
        assert [found["live"][name] for name in names] == [live[name] for name in names]
        return live["close_sent_ms"], live["answer_due_ms"], live["holds_ms"]

    assert told() == (T0 + 41, None, None)
    row = records.db.execute("SELECT incident_id FROM incidents").fetchone()
    assert row is not None
    records.change("incidents", "incident_id", row[0], answer_due_ms=T0 + 600_000)
    assert told() == (T0 + 41, T0 + 600_000, None)
    records.change("incidents", "incident_id", row[0], valve="opened", answer_due_ms=None, holds_ms=T0 + 90_000)
    assert told() == (T0 + 41, None, T0 + 90_000)
    # The order may be heard of before the line has written its incident.
    records.db.execute("DELETE FROM incidents")
    assert told() == (None, None, None)


def test_his_phone_is_told_of_a_leak_that_comes_anew(order: UUID, records: Records, his: httpx.Client) -> None:
    def told() -> int | None:
        (found,) = his.get("/api/v1/field/orders").json()["orders"]
        again_ms: int | None = found["alarmed_again_ms"]
        return again_ms

    assert told() is None
    row = records.db.execute("SELECT incident_id FROM incidents").fetchone()
    assert row is not None
    records.event(row[0], "leak_again", T0 + 1_000, ch4_lel=23.0)
    assert told() is None
    records.event(row[0], "leak_again", T0 + 2_000, after="clear")
    assert told() == T0 + 2_000
    # Another incident of the place joins his order: to him gas leaks anew, whatever his order's state.
    records.step(order, "leak_again", T0 + 3_100, "on_site", "line", said_ms=T0 + 3_000, alias=str(row[0]))
    assert told() == T0 + 3_000
    later = records.incident(1, at_ms=T0 + 3_000, state="closed")
    records.put("order_aliases", incident_id=later, order_id=order, at_ms=T0)
    records.event(later, "leak_again", T0 + 4_000, hotline=True)
    assert told() == T0 + 4_000


def test_only_his_crew_and_only_today(order: UUID, records: Records, console: Served, his: httpx.Client) -> None:
    records.home(2)
    records.crew("芙蓉-2")
    records.order(records.incident(2), 2, state="assigned", crew_id="芙蓉-2", place=_place(2))
    records.home(3)
    long_ago = records.incident(3, state="closed")
    records.order(long_ago, 3, state="archived", crew_id="芙蓉-1", archived_ms=T0, place=_place(3))
    assert [each["order_no"] for each in his.get("/api/v1/field/orders").json()["orders"]] == ["QX-260402-0001"]
    assert his.get("/api/v1/field/orders/QX-260402-0001/live").status_code == 200
    for foreign in ("QX-260402-0002", "QX-260402-0003", "QX-260402-0009"):
        assert his.get(f"/api/v1/field/orders/{foreign}/live").status_code == 404
    other = console.signed_in("technician", name="other", technician_id="芙蓉-2-A")
    assert [each["order_no"] for each in other.get("/api/v1/field/orders").json()["orders"]] == ["QX-260402-0002"]


def test_who_is_no_technician_has_no_day(order: UUID, console: Served) -> None:
    assert console.signed_in("operator").get("/api/v1/field/orders").status_code == 403
    assert console.anybody().get("/api/v1/field/orders").status_code == 401
    assert console.get("/api/v1/field/orders")["orders"] == []


def test_names_leave_the_phone_with_the_archived_order(order: UUID, records: Records, his: httpx.Client) -> None:
    today_ms = his.get("/api/v1/field/orders").json()["now_ms"]
    records.change("work_orders", "order_id", order, state="archived", archived_ms=today_ms)
    (found,) = his.get("/api/v1/field/orders").json()["orders"]
    assert (found["state"], found["contacts"]) == ("archived", [])


def test_what_stands_against_opening(order: UUID, records: Records, his: httpx.Client) -> None:
    def against() -> list[str]:
        live = his.get("/api/v1/field/orders/QX-260402-0001/live").json()
        return [why["reason"] for why in live["against_opening"]]

    assert against() == ["not_on_site", "no_passed_test"]
    passed = {"state": "tightness_passed", "on_site_ms": T0 + 1000, "test_passed": True}
    records.change("work_orders", "order_id", order, **passed, test_ms=T0 - 5)
    assert against() == ["leak_after_test"]
    records.change("work_orders", "order_id", order, test_ms=T0 + 5000)
    assert against() == []
    hold = {"home_id": "home-0001", "cause": "", "set_ms": T0, "set_by": "line"}
    incident = records.db.execute("SELECT incident_id FROM incidents").fetchone()
    assert incident is not None
    records.put("valve_holds", hold_id=order, hold="safety", incident_id=incident[0], **hold)
    assert against() == []
    records.put("valve_holds", hold_id=incident[0], hold="arrears", **hold)
    live = his.get("/api/v1/field/orders/QX-260402-0001/live").json()
    assert [why["zh"] for why in live["against_opening"]] == ["阀门仍须保持切断：欠费"]


def test_an_order_of_another_incident_has_no_safety_hold_of_its_own() -> None:
    order = {"on_site_ms": 1, "state": "tightness_passed", "test_passed": True, "test_ms": 9, "incident_id": "a"}
    incident = {"last_leak_ms": 5}
    assert against_opening(order, incident, True, []) == []
    assert [each.reason for each in against_opening(order, incident, True, [{"hold": "safety", "incident_id": "b"}])] == ["held"]
    assert [each.reason for each in against_opening(order, incident, False, [])] == ["no_meter"]


def test_the_opening_under_way_is_shown(order: UUID, records: Records, his: httpx.Client) -> None:
    incident = records.db.execute("SELECT incident_id FROM incidents").fetchone()
    assert incident is not None
    records.command(incident[0], command="open_valve", at_ms=T0 + 9000, expires_ms=T0 + 69_000)
    opening = his.get("/api/v1/field/orders/QX-260402-0001/live").json()["opening"]
    assert (opening["state"], opening["issued_ms"], opening["expires_ms"]) == ("sent", T0 + 9000, T0 + 69_000)
