"""Every GET over real HTTP on a real database."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from console.store import Store
from tests.console.stage import T0, Records, Served

NOBODY = UUID(int=7)


def test_homes_are_found_by_address_number_and_district(console: Served, records: Records) -> None:
    for number in (1, 2, 3):
        records.home(number)
    records.home(4, estate="银杏里", simulated=False, district_code="430103", district="天心区")
    homes = console.get("/api/v1/homes")["items"]
    assert [home["home_id"] for home in homes] == ["home-0001", "home-0002", "home-0003", "home-0004"]
    assert homes[0]["address_zh"] == "芙蓉区 云栖花园 3栋 2单元 501室"
    assert homes[0]["address_en"] == "Room 501, Unit 2, Building 3, 云栖花园, Furong District"
    assert homes[0]["alarm_lel"] == 10
    assert [h["home_id"] for h in console.get("/api/v1/homes", q="银杏")["items"]] == ["home-0004"]
    assert [h["home_id"] for h in console.get("/api/v1/homes", q="云栖花园3栋2单元502")["items"]] == ["home-0002"]
    assert [h["home_id"] for h in console.get("/api/v1/homes", q="4301000003")["items"]] == ["home-0003"]
    assert [h["home_id"] for h in console.get("/api/v1/homes", simulated=False)["items"]] == ["home-0004"]
    assert [h["home_id"] for h in console.get("/api/v1/homes", district_code="430103")["items"]] == ["home-0004"]
    assert console.get("/api/v1/homes", q="%")["items"] == []


def test_a_search_among_homes_is_recorded(console: Served, records: Records) -> None:
    for number in (1, 2):
        records.home(number)
    for q in ({}, {"q": "云栖花园3栋2单元502"}, {"q": "云栖"}, {"q": "没有"}):
        console.get("/api/v1/homes", **q)
    audit = records.db.execute("SELECT what, about, detail FROM audit ORDER BY audit_no").fetchall()
    assert audit == [
        ("searched_by_address", "home-0002", {"asked": "云栖花园3栋2单元502", "found": 1}),
        ("searched_by_address", "", {"asked": "云栖", "found": 2}),
        ("searched_by_address", "", {"asked": "没有", "found": 0}),
    ]


def test_a_home_shows_its_devices_contacts_and_open_incident(console: Served, records: Records) -> None:
    home = records.home(1)
    records.put("device_state", device_id="M00001", last_ts=T0, last_boot=1, last_seq=7, heard_ms=T0 + 5, lane="telemetry", valve="open")
    incident = records.incident(1)
    found = console.get(f"/api/v1/homes/{home}")
    assert found["open_incident_id"] == str(incident)
    assert [contact["name"] for contact in found["contacts"]] == ["周敏"]
    states = {device["device_id"]: device["state"] for device in found["devices"]}
    assert states["D00001"] is None
    assert states["M00001"]["valve"] == "open"
    assert states["M00001"]["heard_ms"] == T0 + 5
    records.change("incidents", "incident_id", incident, state="closed")
    assert console.get(f"/api/v1/homes/{home}")["open_incident_id"] is None
    assert console.get("/api/v1/devices/M00001")["state"]["last_seq"] == 7


def test_readings_of_a_period_come_oldest_first_and_say_when_cut(console: Served, records: Records) -> None:
    home = records.home(1)
    moment = datetime.fromtimestamp(T0 / 1000, UTC)
    records.db.execute("SELECT ensure_reading_days(%s, %s)", [moment.date(), moment.date()])
    numbers: dict[str, int] = dict(records.db.execute("SELECT device_id, device_no FROM devices").fetchall())
    for second in range(5):
        ts = datetime.fromtimestamp(T0 / 1000 + second, UTC)
        records.put(
            "detector_readings", device_no=numbers["D00001"], ts=ts, boot=1, seq=second, received_at=ts, ch4_lel=second, state="normal"
        )
        records.put(
            "meter_readings", device_no=numbers["M00001"], ts=ts, boot=1, seq=second, received_at=ts, volume_m3=100 + second, valve="open"
        )
    found = console.get(f"/api/v1/homes/{home}/readings", from_ms=T0 + 1000, to_ms=T0 + 4000)
    assert [reading["ts_ms"] for reading in found["detector"]] == [T0 + 1000, T0 + 2000, T0 + 3000]
    assert [reading["volume_m3"] for reading in found["meter"]] == [101, 102, 103]
    assert found["detector"][0] | {"received_ms": 0} == {
        "device_id": "D00001", "ts_ms": T0 + 1000, "received_ms": 0, "boot": 1, "seq": 1, "temp_c": None, "battery_v": None,
        "rssi_dbm": None, "defects": [], "ch4_lel": 1, "state": "normal", "ch4_raw": None, "ch4_raw_unit": None, "power": None,
    }  # fmt: skip
    assert found["truncated"] is False
    cut = console.get(f"/api/v1/homes/{home}/readings", from_ms=T0, to_ms=T0 + 9000, limit=2)
    assert [reading["seq"] for reading in cut["detector"]] == [3, 4]
    assert cut["truncated"] is True


def test_incidents_are_filtered_and_the_canary_stays_out_of_sight(console: Served, records: Records) -> None:
    for number in (1, 2, 3):
        records.home(number)
    first = records.incident(1, at_ms=T0, state="closed")
    second = records.incident(2, at_ms=T0 + 1000)
    records.incident(3, at_ms=T0 + 2000, kind="canary")
    unknown = records.incident(9, at_ms=T0 + 3000, kind="unknown_sender", home_id=None, home={}, valve="none", ch4_lel=None)

    def ids(**filters: Any) -> list[str]:
        return [incident["incident_id"] for incident in console.get("/api/v1/incidents", **filters)["items"]]

    assert ids() == [str(unknown), str(second), str(first)]
    assert ids(state="open") == [str(unknown), str(second)]
    assert ids(state="closed") == [str(first)]
    assert ids(home_id="home-0002") == [str(second)]
    assert ids(kind="unknown_sender") == [str(unknown)]
    assert len(ids(kind="canary")) == 1
    assert ids(since_ms=T0 + 1000) == [str(unknown), str(second)]
    item = console.get("/api/v1/incidents", kind="unknown_sender")["items"][0]
    assert item["address_zh"] == "住户不明（账号 D00009）"
    assert item["order"] is None
    assert item["call"] is None


def test_an_incident_carries_its_clocks_and_everything_of_it(console: Served, records: Records) -> None:
    records.home(1)
    incident = records.incident(
        1, valve="reported_closed", valve_cause="linkage", valve_closed_locally_ms=T0 - 20, reported_closed_ms=T0 + 900
    )
    order = records.order(incident, state="on_site", crew_id="芙蓉-1", assigned_ms=T0 + 70, accepted_ms=T0 + 5000, on_site_ms=T0 + 9000)
    records.call(incident, placed_ms=T0 + 80, ringing_ms=T0 + 900, outcome="no_answer")
    records.call(
        incident, attempt=2, at_ms=T0 + 3000, placed_ms=T0 + 3000, ringing_ms=T0 + 3500, key="1", key_ms=T0 + 8000, outcome="confirmed"
    )
    records.command(incident)
    records.task(incident)
    found = console.get(f"/api/v1/incidents/{incident}")
    assert found["clocks"] == {
        "T0": T0, "T1": T0 - 20, "T2": T0 + 40, "T3": T0 + 41, "T4": T0 + 900, "T5": None, "T5c": None, "T6a": T0 + 80, "T6b": T0 + 900,
        "T7": T0 + 8000, "T8": T0 + 60, "T9": T0 + 70, "T10": T0 + 5000, "T11": T0 + 9000, "T12": None, "T13": None, "T14": None,
    }  # fmt: skip
    assert found["address_zh"].startswith("芙蓉区 云栖花园")
    assert found["valve_cause_words"]["zh"] == "探测器联动"
    assert found["order"]["order_no"] == "QX-260402-0001"
    assert found["order"]["words"] == {"zh": "已到场", "en": "on site"}
    assert found["call"]["outcome"] == "confirmed"
    assert [item["order_id"] for item in found["orders"]] == [str(order)]
    assert [item["attempt"] for item in found["calls"]] == [1, 2]
    assert (len(found["commands"]), len(found["tasks"])) == (1, 1)


def test_the_story_is_merged_oldest_first(console: Served, records: Records) -> None:
    records.home(1)
    incident = records.incident(1)
    records.event(incident, "opened", T0 + 40, event="leak", lane="alarm", ch4_lel=23.0, alarm_lel=10.0, device_id="D00001")
    records.event(incident, "close_sent", T0 + 41, attempt=1)
    order = records.order(incident, crew_id="芙蓉-1")
    records.step(order, "created", T0 + 60, "created")
    records.step(order, "assign", T0 + 61, "assigned", crew_id="芙蓉-1", distance_m=1830)
    records.call(incident, placed_ms=T0 + 60, ringing_ms=T0 + 900, key="1", key_ms=T0 + 9000)
    records.event(incident, "reported_closed", T0 + 1500)
    items = console.get(f"/api/v1/incidents/{incident}/timeline")["items"]
    assert [item["kind"] for item in items] == [
        "opened", "close_sent", "created", "call_placed", "assign", "call_ringing", "reported_closed", "call_key",
    ]  # fmt: skip
    assert items[0]["zh"] == "探测器测得甲烷 23 %LEL（设定 10），平台收到泄漏报警"
    assert items[0]["en"] == "Leak alarm received: methane at 23 %LEL (set-point 10)"
    assert items[2]["zh"] == "抢修单已建立：QX-260402-0001"
    assert items[4]["en"] == "Assigned: crew 芙蓉-1, 1.8 km away"
    assert items[7]["zh"] == "周敏 按下 1（我已撤离）"
    assert len({item["entry_id"] for item in items}) == len(items)


def test_orders_are_found_by_crew_technician_and_incident(console: Served, records: Records) -> None:
    crew = records.crew()
    incidents = [records.incident(number) for number in (1, 2, 3)]
    records.order(incidents[0], 1, at_ms=T0, crew_id=crew, state="assigned")
    records.order(incidents[1], 2, at_ms=T0 + 1, crew_id=crew, technician_id=f"{crew}-B", state="accepted")
    done = records.order(incidents[2], 3, at_ms=T0 + 2, crew_id=crew, technician_id=f"{crew}-A", state="archived", archived_ms=T0 + 9)
    records.step(done, "archive", T0 + 9, "archived", actor="李强")

    def numbers(**filters: Any) -> list[str]:
        return [order["order_no"][-1] for order in console.get("/api/v1/orders", **filters)["items"]]

    assert numbers() == ["3", "2", "1"]
    assert numbers(open=True) == ["2", "1"]
    assert numbers(open=False) == ["3"]
    assert numbers(crew_id=crew, open=True) == ["2", "1"]
    assert numbers(crew_id="none") == []
    assert numbers(technician_id=f"{crew}-A") == ["3", "2", "1"], "his own and his crew's"
    assert numbers(technician_id="somebody") == []
    assert numbers(incident_id=incidents[1]) == ["2"]
    found = console.get("/api/v1/orders/QX-260402-0003")
    assert found["state_words"] == {"zh": "已归档", "en": "archived"}
    assert [step["zh"] for step in found["steps"]] == ["李强：抢修单已归档"]


def test_crews_are_free_busy_or_off_duty(console: Served, records: Records) -> None:
    records.crew("a")
    records.crew("b")
    # A shift that ends as it begins is always on; one minute around a time of long ago is not.
    now = datetime.now(UTC)
    local_hour = (now.hour + 8) % 24
    records.crew("c", shift_start=f"{(local_hour + 6) % 24:02}:00", shift_end=f"{(local_hour + 7) % 24:02}:00")
    records.order(records.incident(1), crew_id="b", state="accepted")
    told_ms = round(now.timestamp() * 1000)
    for crew_id in ("a", "b"):
        records.put("crew_positions", crew_id=crew_id, lon=113.5, lat=28.5, coord_datum="GCJ-02", at_ms=told_ms)
    crews = {crew["crew_id"]: crew for crew in console.get("/api/v1/crews")["items"]}
    assert {name: crew["state"] for name, crew in crews.items()} == {"a": "free", "b": "busy", "c": "off_duty"}
    assert crews["b"]["order_no"] == "QX-260402-0001"
    assert (crews["b"]["lon"], crews["b"]["coord_datum"], crews["b"]["position_ms"]) == (113.5, "GCJ-02", told_ms)
    assert (crews["a"]["lon"], crews["a"]["lat"], crews["a"]["position_ms"]) == (None, None, None), (
        "not on an order: where they are is theirs"
    )
    assert (crews["a"]["post_lon"], crews["a"]["post_datum"]) == (113.01, "WGS-84")
    assert crews["a"]["technicians"] == [{"technician_id": "a-A", "name": "李强", "phone": "sip:90001@sim.invalid"}]
    records.change("crew_positions", "crew_id", "b", at_ms=told_ms - 31 * 60_000)
    (old,) = [crew for crew in console.get("/api/v1/crews")["items"] if crew["crew_id"] == "b"]
    assert (old["state"], old["lon"], old["lat"], old["position_ms"]) == ("busy", None, None, None), "where it was is not where it is"
    figures = console.get("/api/v1/overview")
    assert (figures["crews"], figures["crews_free"], figures["crews_busy"], figures["incidents_open"]) == (3, 1, 1, 1)


def test_commands_calls_and_tasks_are_listed(console: Served, records: Records) -> None:
    told = {"address_zh": "五一大道 1 号", "address_en": "1 Wuyi Avenue"}
    incident, other = records.incident(1, home=told), records.incident(2)
    records.command(incident, at_ms=T0)
    records.command(other, at_ms=T0 + 1, device_id="M00002")
    records.call(incident)
    records.call(other, at_ms=T0 + 5000)
    urgent = records.task(incident, at_ms=T0 + 9)
    records.task(None, priority=3)
    records.task(None, done_ms=T0 + 5, done_by="desk-1", note="ok")
    assert len(console.get("/api/v1/commands")["items"]) == 2
    assert len(console.get("/api/v1/commands", incident_id=incident)["items"]) == 1
    alias = uuid4()
    records.put("incident_aliases", alias_id=alias, incident_id=incident, at_ms=T0, reason="opened_without_database")
    early = records.command(alias, at_ms=T0 - 1)
    for either in (incident, alias):
        listed = console.get("/api/v1/commands", incident_id=either)["items"]
        assert [len(listed), listed[-1]["command_id"]] == [2, str(early)], "under whatever id of the incident it was sent"
    assert console.get("/api/v1/commands", device_id="M00002")["items"][0]["incident_id"] == str(other)
    assert len(console.get("/api/v1/calls", incident_id=other)["items"]) == 1
    still = console.get("/api/v1/tasks", open=True)["items"]
    assert [task["priority"] for task in still] == [1, 3]
    assert still[0]["task_id"] == str(urgent)
    assert [(task["address_zh"], task["incident_closed_ms"]) for task in still] == [("五一大道 1 号", None), ("", None)]
    records.change("incidents", "incident_id", incident, state="closed", closed_ms=T0 + 77)
    assert console.get("/api/v1/tasks", open=True)["items"][0]["incident_closed_ms"] == T0 + 77
    records.home(1)
    records.change("tasks", "task_id", urgent, home_id="home-0001")
    (found, _) = console.get("/api/v1/tasks", open=True)["items"]
    assert (found["address_zh"], found["address_en"][:8]) == ("芙蓉区 云栖花园 3栋 2单元 501室", "Room 501")
    assert console.get("/api/v1/tasks", open=False)["items"][0]["done_by"] == "desk-1"


def test_every_list_turns_its_pages_without_loss_or_repeat(console: Served, records: Records) -> None:
    for number in range(1, 8):
        records.home(number)
        incident = records.incident(number, at_ms=T0 + number // 2)
        records.order(incident, number, at_ms=T0 + number // 3, crew_id=records.crew(f"crew-{number}"))
        records.call(incident, at_ms=T0 + number // 3)
        records.command(incident, at_ms=T0 + number // 3)
        records.task(incident, at_ms=T0 + number // 3, priority=number % 2)
    for path, key in {
        "homes": "home_id", "incidents": "incident_id", "orders": "order_id", "calls": "call_id", "commands": "command_id",
        "tasks": "task_id", "crews": "crew_id",
    }.items():  # fmt: skip
        whole = [item[key] for item in console.get(f"/api/v1/{path}")["items"]]
        seen: list[str] = []
        after: dict[str, str] = {}
        while True:
            page = console.get(f"/api/v1/{path}", limit=3, **after)
            seen += [item[key] for item in page["items"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert seen == whole, path
        assert len(whole) == 7


def test_a_row_that_comes_between_two_pages_shifts_nothing(console: Served, records: Records) -> None:
    first = [str(records.incident(number, at_ms=T0 + number)) for number in range(1, 5)]
    page = console.get("/api/v1/incidents", limit=2)
    records.incident(9, at_ms=T0 + 100)
    rest = console.get("/api/v1/incidents", limit=2, after=page["next"])
    assert [item["incident_id"] for item in page["items"] + rest["items"]] == list(reversed(first))


@pytest.mark.parametrize(
    "path",
    [
        "homes/none", "homes/none/readings", "devices/none", f"incidents/{NOBODY}", f"incidents/{NOBODY}/timeline", "orders/none",
        f"requests/{NOBODY}", "nothing-here",
    ],
)  # fmt: skip
def test_what_is_not_there_is_a_problem_in_both_languages(console: Served, path: str) -> None:
    response = console.http.get(f"/api/v1/{path}")
    problem = response.json()
    assert response.status_code == problem["status"] == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["type"].startswith("urn:gas-sentinel:problem:not-found")
    assert problem["title"]
    assert problem["detail"] == problem["en"] != problem["zh"]


@pytest.mark.parametrize(
    "query",
    [
        "homes?limit=0", "homes?limit=201", "homes?after=nonsense", "homes?after=%00", "homes?q=%00", "incidents?state=half",
        "incidents?kind=x", "incidents?since_ms=99999999999999999999", "incidents/not-a-uuid", "homes/h/readings?from_ms=5&to_ms=5",
        "homes/h/readings?limit=5001", "orders?open=perhaps", "homes?after=WyJpbmNpZGVudHMiLDEsIngiXQ",
        "incidents?after=WyJpbmNpZGVudHMiLDEsIngiXQ", "incidents?after=WyJpbmNpZGVudHMiLDFlNDAwLCJ4Il0",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_a_problem_that_names_the_field(console: Served, query: str) -> None:
    response = console.http.get(f"/api/v1/{query}")
    problem = response.json()
    assert response.status_code == problem["status"] == 422, problem
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["zh"]
    assert problem["en"]


def test_the_database_away_is_a_503_that_says_so(start_console: Callable[..., Served]) -> None:
    console = start_console(postgres_dsn="postgresql://nobody@127.0.0.1:1/none")
    response = console.http.get("/api/v1/homes")
    problem = response.json()
    assert response.status_code == problem["status"] == 503
    assert problem["reason"] == "database_away"
    assert response.headers["retry-after"]
    assert console.http.post("/api/v1/incidents", json={"actor": "desk-1", "place": "x"}).status_code == 503


async def test_reads_cannot_write(database: str) -> None:
    store = Store(database)
    await store.start()
    try:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            await store.row("DELETE FROM homes RETURNING home_id")
    finally:
        await store.stop()


def test_an_incident_says_where_it_is_and_who_saw_it_first(console: Served, records: Records) -> None:
    where = {"district_code": "430102", "lon": 113.01, "lat": 28.19, "coord_datum": "GCJ-02"}
    placed, unknown = records.incident(1, home={"home_id": "home-0001", **where}), records.incident(2, home_id=None, home={})
    found = {item["incident_id"]: item for item in console.get("/api/v1/incidents")["items"]}
    assert {name: found[str(placed)][name] for name in where} == where
    assert {name: found[str(unknown)][name] for name in where} == dict.fromkeys(where)
    assert found[str(placed)]["acknowledged"] is None
    for name in ("wang", "li"):
        desk = console.signed_in("operator", name=name)
        assert desk.post(f"/api/v1/incidents/{placed}/acknowledge", json={}).status_code == 200
    seen = console.get(f"/api/v1/incidents/{placed}")["acknowledged"]
    assert (seen["by"], seen["at_ms"] > T0) == ("wang", True)


def test_figures_tell_how_far_incidents_have_come_and_which_waits_longest(console: Served, records: Records) -> None:
    """Each open incident is counted once, by the order that works it, whatever else there is."""
    steps = {
        "closing": ("commanded", "assigned"),
        "crew_wanted": ("reported_closed", "created"),
        "crew_under_way": ("reported_closed", "assigned"),
        "on_site": ("commanded", "on_site"),
        "made_safe": ("reported_closed", "cause_recorded"),
        "tested": ("reported_closed", "tightness_passed"),
        "restored": ("opened", "restored"),
    }
    for number, (valve, state) in enumerate(steps.values(), 1):
        incident = records.incident(number, at_ms=T0 + number, valve=valve)
        records.order(incident, number, state=state, accepted_ms=None if number == 1 else T0 + 9)
        records.order(incident, 100 + number, kind="inspection", state="waiting")
    # Its order was made under another id of it; nobody has accepted it, and nobody has seen it.
    waits, alias = records.incident(8, at_ms=T0 - 900, valve="none"), uuid4()
    records.put("incident_aliases", alias_id=alias, incident_id=waits, at_ms=T0, reason="opened_without_database")
    records.order(alias, 8, state="waiting")
    records.incident(9, state="closed")
    records.incident(10, kind="canary")
    for number in (1, 2):
        records.home(number)
        for hold in ("safety", "away"):
            lifted = T0 if number == 2 else None
            records.put("valve_holds", hold_id=uuid4(), home_id=f"home-{number:04}", hold=hold, set_ms=T0, set_by="line", lifted_ms=lifted)
    found = console.get("/api/v1/overview")
    assert found["incidents_by_step"] == {**dict.fromkeys(steps, 1), "crew_wanted": 2, "unplanned": 0}
    assert found["incidents_open"] == 8
    assert found["oldest_unhandled_ms"] == T0 - 900 + 40
    assert found["valves_closed_by_hold"] == 1
    seen = console.signed_in("operator").post(f"/api/v1/incidents/{waits}/acknowledge", json={})
    assert seen.status_code == 200
    # What was counted is kept for a second, in each scope.
    later = console.signed_in("viewer", name="wall", districts=["430102"]).get("/api/v1/overview").json()
    assert later["oldest_unhandled_ms"] == T0 + 1 + 40
