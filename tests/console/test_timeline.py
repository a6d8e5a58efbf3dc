"""The story of an incident: in which order it is told, also within a millisecond, and what is told later than it was done."""

from collections.abc import Callable
from typing import get_args

from alarm_engine.record import EventKind
from console.api import timeline
from tests.console.stage import T0, Records, Served
from tests.console.test_events import until, watching


def test_what_carries_one_millisecond_stands_in_the_order_in_which_it_happened(console: Served, records: Records) -> None:
    """However the rows were written, and by whatever number the database finds them."""
    records.home(1)
    incident = records.incident(1)
    line = ["opened", "closed_locally", "hold_set", "close_sent", "order_sent"]
    for kind in reversed(line):
        records.event(incident, kind, T0 + 40)
    order = records.order(incident, crew_id="芙蓉-1")
    records.call(incident, placed_ms=T0 + 40, ringing_ms=T0 + 40)
    steps = ["created", "assign", "accept", "arrive", "make_safe", "record_cause", "pass_test", "restore", "archive"]
    for event in steps:
        records.step(order, event, T0 + 40, "archived")
    records.event(incident, "closed", T0 + 40, outcome="restored")
    records.event(incident, "gas_still_flows", T0 + 41)
    records.event(incident, "close_sent", T0 + 41, attempt=2)
    items = console.get(f"/api/v1/incidents/{incident}/timeline")["items"]
    assert [item["kind"] for item in items] == [*line, *steps, "call_placed", "call_ringing", "closed", "gas_still_flows", "close_sent"]
    assert all(item["nth"] < 2**53 for item in items)
    keys = [(item["at_ms"], item["nth"], item["entry_id"]) for item in items]
    assert keys == sorted(keys)


def test_every_kind_of_the_line_has_its_place_within_a_millisecond() -> None:
    assert set(timeline._ORDER_OF_EVENTS) | {"closed"} == set(get_args(EventKind))


def test_a_step_told_later_stands_at_its_true_time_and_says_so(console: Served, records: Records) -> None:
    records.home(1)
    incident = records.incident(1)
    order = records.order(incident, crew_id="芙蓉-1")
    records.step(order, "created", T0 + 60, "created")
    late = {"happened_ms": T0 + 600_000, "received_ms": T0 + 2_400_000}
    records.put(
        "order_steps", order_id=order, at_ms=T0 + 900_000, event="leak_again", from_state="tightness_passed", to_state="on_site",
        actor="line", detail={"test_void": True},
    )  # fmt: skip
    records.step(order, "arrive", T0 + 600_000, "on_site", "芙蓉-1-A", **late)
    items = console.get(f"/api/v1/incidents/{incident}/timeline")["items"]
    assert [item["kind"] for item in items] == ["created", "arrive", "leak_again"]
    assert (items[1]["at_ms"], items[1]["zh"]) == (T0 + 600_000, "芙蓉-1-A 已到场（补报，17:40 收到）")
    steps = console.get("/api/v1/orders/QX-260402-0001")["steps"]
    assert (steps[2]["en"], steps[2]["detail"]) == ("芙蓉-1-A is on site (reported later, received 17:40)", late)
    assert steps[1]["en"] == "Leak again: the order is back to on site, its test is void"


def test_the_stream_numbers_what_it_tells_as_the_story_does(start_console: Callable[..., Served], records: Records) -> None:
    """So that a page that heard an entry live puts it where it stands when it is read again."""
    records.home(1)
    console = start_console(heartbeat_s=0.1)
    incident = records.incident(1)
    kinds = {"order_sent", "close_sent", "opened"}
    heard: dict[str, int] = {}
    with watching(console) as events:
        for kind in sorted(kinds):
            records.event(incident, kind, T0 + 40)
            *_, (_, entry) = until(events, lambda event, _: event == "timeline")
            heard[entry["kind"]] = entry["nth"]
    read = console.get(f"/api/v1/incidents/{incident}/timeline")["items"]
    assert [each["kind"] for each in read] == ["opened", "close_sent", "order_sent"] == sorted(heard, key=heard.__getitem__)
    assert {each["kind"]: each["nth"] for each in read} == heard
