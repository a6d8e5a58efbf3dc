"""The list of devices: what narrows it, page by page, for whoever asks, and along an index."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from console.api.devices import DEVICES
from tests.console.eyes import ELSEWHERE, HERE, city, look_as
from tests.console.stage import T0, Records, Served

API = "/api/v1"


def ids(answer: Any) -> list[str]:
    return [device["device_id"] for device in answer["items"]]


@pytest.fixture
def three(records: Records) -> Records:
    """Three homes, one in another district, and a hub; the last home's meter is retired."""
    for number in (1, 2):
        records.home(number)
    records.home(3, district_code=ELSEWHERE)
    records.put("devices", device_id="Hub_1", kind="hub", account="Hub_1", version=1)
    records.put("devices", device_id="HubX1", kind="hub", account="HubX1", version=1)
    records.db.execute("UPDATE devices SET retired_at = now() WHERE device_id = 'M00003'")
    records.put("device_state", device_id="D00002", last_ts=T0, last_boot=1, last_seq=7, heard_ms=T0 + 5, lane="telemetry", state="normal")
    for condition, device, ended in (("silent", "M00001", None), ("blind", "D00002", None), ("silent", "D00001", T0 + 1)):
        records.put(
            "home_conditions",
            condition_id=uuid4(),
            home_id=f"home-000{device[-1]}",
            device_id=device,
            condition=condition,
            cause="not_heard",
            since_ms=T0,
            ended_ms=ended,
        )
    return records


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["D00001", "D00002", "D00003", "HubX1", "Hub_1", "M00001", "M00002"]),
        ({"kind": "meter"}, ["M00001", "M00002"]),
        ({"kind": "hub"}, ["HubX1", "Hub_1"]),
        ({"home_id": "home-0002"}, ["D00002", "M00002"]),
        ({"district_code": ELSEWHERE}, ["D00003"]),
        ({"condition": "silent"}, ["M00001"]),
        ({"condition": "blind", "kind": "detector"}, ["D00002"]),
        ({"condition": "blind", "kind": "meter"}, []),
        ({"device_id": "D0000"}, ["D00001", "D00002", "D00003"]),
        ({"device_id": "Hub_"}, ["Hub_1"]),
        ({"device_id": "%"}, []),
        ({"device_id": "\\"}, []),
        ({"device_id": "D00002", "home_id": "home-0001"}, []),
    ],
)
def test_devices_are_listed_by_what_narrows_them(console: Served, three: Records, asked: dict[str, str], found: list[str]) -> None:
    assert ids(console.get(f"{API}/devices", **asked)) == found


def test_each_is_shown_as_it_is_alone(console: Served, three: Records) -> None:
    listed = console.get(f"{API}/devices", device_id="D0000")["items"]
    assert [device["state"] and device["state"]["heard_ms"] for device in listed] == [None, T0 + 5, None]
    assert listed == [console.get(f"{API}/devices/{device['device_id']}") for device in listed]


def test_a_search_by_a_devices_number_is_recorded_and_a_list_is_not(start_console: Callable[..., Served], three: Records) -> None:
    desk = start_console().signed_in("viewer", name="wall")
    asked: dict[str, str]
    for asked in ({"kind": "meter"}, {"device_id": "D00002"}, {"device_id": "D0000", "limit": "2"}, {"device_id": "Hub_"}):
        assert desk.get(f"{API}/devices", params=asked).status_code == 200
    rows = three.db.execute("SELECT who, what, about, detail FROM audit ORDER BY audit_no").fetchall()
    assert rows == [
        ("wall", "searched_by_address", "home-0002", {"asked": "D00002", "found": 1}),
        ("wall", "searched_by_address", "", {"asked": "D0000", "found": 2}),
        ("wall", "searched_by_address", "", {"asked": "Hub_", "found": 0}),
    ]


def test_the_pages_hold_every_device_once(console: Served, three: Records) -> None:
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = console.get(f"{API}/devices", limit=2, **after)
        found += ids(page)
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert found == ["D00001", "D00002", "D00003", "HubX1", "Hub_1", "M00001", "M00002"]


@pytest.mark.parametrize(
    "asked",
    [{"kind": "stove"}, {"condition": "happy"}, {"limit": 0}, {"limit": 201}, {"after": "x"}, {"device_id": ""}, {"home_id": "x" * 65}],
)
def test_a_filter_that_cannot_be_is_refused(console: Served, asked: dict[str, Any]) -> None:
    answer = console.http.get(f"{API}/devices", params=asked)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_a_cursor_of_another_list_is_refused(console: Served, three: Records) -> None:
    other = console.get(f"{API}/homes", limit=1)["next"]
    assert console.http.get(f"{API}/devices", params={"after": other}).status_code == 422


def test_a_district_and_a_crew_see_their_own(console: Served, records: Records) -> None:
    here, there = city(records)
    records.put("devices", device_id="HUB1", kind="hub", account="HUB1", version=1)
    desk = look_as(console, "operator", districts=[HERE])
    crew = look_as(console, "technician", technician_id=here.technician)
    everybody = look_as(console, "viewer")
    assert ids(everybody.get(f"{API}/devices").json()) == ["D00001", "D00002", "HUB1", "M00001", "M00002"]
    assert ids(desk.get(f"{API}/devices").json()) == ["D00001", "HUB1", "M00001"]
    assert ids(crew.get(f"{API}/devices").json()) == ["D00001", "M00001"]
    for asked in ({"home_id": there.home}, {"district_code": ELSEWHERE}, {"device_id": "M00002"}):
        assert ids(everybody.get(f"{API}/devices", params=asked).json()), asked
        assert ids(desk.get(f"{API}/devices", params=asked).json()) == [], asked
        assert ids(crew.get(f"{API}/devices", params=asked).json()) == [], asked


@pytest.mark.parametrize(
    ("asked", "index", "condition"),
    [
        ({}, "devices_listed", ""),
        ({"beginning": "M00%"}, "devices_listed", "< 'M01'"),
        ({"last": "M00001"}, "devices_listed", "> 'M00001'"),
        ({"kind": "hub"}, "devices_of_kind", "= 'hub'"),
    ],
)
def test_the_list_goes_along_an_index(records: Records, asked: dict[str, str], index: str, condition: str) -> None:
    none = dict.fromkeys(("kind", "home_id", "district_code", "condition", "beginning", "last", "scope_districts", "scope_crew"))
    with records.db.transaction():
        # So few rows are read whole otherwise: asked is whether there is an index at all that the list can go along.
        records.db.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off")
        values = {**none, "rows": 51, "scope_since_ms": 0, **asked}
        plan = "\n".join(row[0] for row in records.db.execute(f"EXPLAIN (COSTS OFF) {DEVICES}", values).fetchall())
    assert f"using {index} on" in plan, plan
    assert condition in plan, plan
