"""The story of an incident: in which order it is told, also within a millisecond, and what is told later than it was done."""

from collections.abc import Callable
from typing import Any

from tests.console.stage import T0, Records, Served
from tests.console.test_events import until, watching

FIRST_NO = 1_775_120_400_000
"""Numbers begin at the time of the line's start in milliseconds."""


def test_what_carries_one_millisecond_stands_in_the_order_in_which_it_happened(console: Served, records: Records) -> None:
    """However the rows were written, and by whatever number the database finds them."""
    records.home(1)
    incident = records.incident(1)
    line = ["opened", "closed_locally", "hold_set", "close_sent", "order_sent"]
    for number, kind in reversed(list(enumerate(line))):
        records.event(incident, kind, T0 + 40, entry_no=FIRST_NO + number)
    order = records.order(incident, crew_id="芙蓉-1")
    records.call(incident, placed_ms=T0 + 40, ringing_ms=T0 + 40)
    steps = ["created", "assign", "accept", "arrive", "make_safe", "record_cause", "pass_test", "restore", "archive"]
    for event in steps:
        records.step(order, event, T0 + 40, "archived")
    records.event(incident, "closed", T0 + 40, entry_no=FIRST_NO + 20, outcome="restored")
    # Of one kind and one millisecond, three of them: their ids, which are dice here, say nothing.
    for attempt in (4, 2, 3):
        records.event(incident, "close_sent", T0 + 41, entry_no=FIRST_NO + attempt, attempt=attempt)
    items = console.get(f"/api/v1/incidents/{incident}/timeline")["items"]
    assert [item["kind"] for item in items] == [*line, *steps, "call_placed", "call_ringing", "closed", *["close_sent"] * 3]
    assert [item["detail"]["attempt"] for item in items[-3:]] == [2, 3, 4]
    assert all(item["nth"] < 2**53 for item in items)
    keys = [(item["at_ms"], item["nth"], item["entry_id"]) for item in items]
    assert keys == sorted(keys)


def test_what_a_line_wrote_before_it_gave_numbers_stands_by_its_kind_and_before_what_is_numbered(console: Served, records: Records) -> None:
    """Its journal may hold such entries when a newer line takes it up."""
    records.home(1)
    incident = records.incident(1)
    records.event(incident, "hold_lifted", T0 + 40, entry_no=FIRST_NO)
    for kind in ("order_sent", "close_sent", "valve_holds", "opened"):
        records.event(incident, kind, T0 + 40)
    items = console.get(f"/api/v1/incidents/{incident}/timeline")["items"]
    assert [item["kind"] for item in items] == ["opened", "valve_holds", "close_sent", "order_sent", "hold_lifted"]


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


def test_a_leak_that_lasts_is_in_the_story_as_it_is_on_the_order(console: Served, records: Records) -> None:
    """The line writes no event for it; dispatch notes it every some seconds, and the first and the last note of each row are told."""
    records.home(1)
    incident = records.incident(1)
    order = records.order(incident, crew_id="芙蓉-1")
    records.step(order, "created", T0 + 60, "created")

    def note(at_s: int, from_state: str = "assigned", to_state: str = "assigned", **detail: Any) -> None:
        records.put(
            "order_steps", order_id=order, at_ms=T0 + at_s * 1000, event="leak_again", from_state=from_state, to_state=to_state,
            actor="line", detail={"said_ms": T0 + at_s * 1000, "ch4_lel": 12.0, **detail},
        )  # fmt: skip

    for at_s in (10, 20, 30, 40):
        note(at_s)
        records.step(order, "valve", T0 + at_s * 1000 + 1, "assigned", "line", valve="commanded")
    note(50, "on_site", "on_site", earlier=True)
    note(60, "restored", "on_site")
    note(70, "on_site", "on_site")
    items = console.get(f"/api/v1/incidents/{incident}/timeline")["items"]
    assert [(item["at_ms"] - T0) // 1000 for item in items if item["kind"] == "leak_again"] == [10, 40, 50, 60, 70]
    assert items[1]["zh"] == "再次报警：抢修单不变（已派单）"
    assert "valve" not in [item["kind"] for item in items]


def test_the_stream_numbers_what_it_tells_as_the_story_does(start_console: Callable[..., Served], records: Records) -> None:
    """So that a page that heard an entry live puts it where it stands when it is read again."""
    records.home(1)
    console = start_console(heartbeat_s=0.1)
    incident = records.incident(1)
    kinds = ["opened", "close_sent", "order_sent"]
    heard: dict[str, int] = {}
    with watching(console) as events:
        for kind in reversed(kinds):
            records.event(incident, kind, T0 + 40, entry_no=FIRST_NO + kinds.index(kind))
            *_, (_, entry) = until(events, lambda event, _: event == "timeline")
            heard[entry["kind"]] = entry["nth"]
    read = console.get(f"/api/v1/incidents/{incident}/timeline")["items"]
    assert [each["kind"] for each in read] == kinds == sorted(heard, key=heard.__getitem__)
    assert {each["kind"]: each["nth"] for each in read} == heard
