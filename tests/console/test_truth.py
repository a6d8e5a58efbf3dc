"""What the console shows of the truth: the four answers, other ids of an incident, holds, and homes that are not watched."""

from collections.abc import Callable
from typing import Any, get_args
from uuid import uuid4

import pytest

from alarm_engine.judgement.conditions import CONDITIONS as ALL_CONDITIONS
from alarm_engine.judgement.holds import HOLDS as ALL_HOLDS
from console.vocabulary import CLEARINGS, CONDITIONS, HOLDS, PROOFS, TASK_KINDS, VALVE_KNOWLEDGE
from core.ids import CANARY_HOME, CANARY_METER
from core.station import ClearingKnowledge, ProofKnowledge, TaskMessage, ValveKnowledge
from tests.console.stage import T0, Records, Served
from tests.console.test_events import until, watching
from tests.console.test_requests import BY, station


def condition(records: Records, number: int, kind: str = "silent", *, device: str = "D", **values: Any) -> None:
    row = {
        "condition_id": uuid4(),
        "home_id": f"home-{number:04}",
        "device_id": f"{device}{number:05}",
        "condition": kind,
        "cause": "no_report",
        "since_ms": T0 + number,
        "ended_ms": None,
    }
    records.put("home_conditions", **{**row, **values})


# -- the four answers ----------------------------------------------------------------------------------------------------------------


def test_an_incident_gives_four_answers_and_the_clocks_of_two(console: Served, records: Records) -> None:
    records.home(1)
    incident = records.incident(
        1,
        valve="reported_closed",
        reported_closed_ms=T0 + 900,
        proof="holds",
        holds_ms=T0 + 90_000,
        clearing="not_clearing",
        before_meter_ms=T0 + 300_000,
    )
    found = console.get(f"/api/v1/incidents/{incident}")
    assert (found["valve"], found["proof"], found["clearing"]) == ("reported_closed", "holds", "not_clearing")
    assert found["clocks"]["T5"] == T0 + 90_000
    assert found["clocks"]["T5c"] is None
    assert found["before_meter_ms"] == T0 + 300_000
    assert found["proof_words"]["zh"] == "已证明：无燃气流过"
    assert found["clearing_words"]["en"] == "the methane in the room does not fall"
    records.change("incidents", "incident_id", incident, clearing="clearing", clearing_ms=T0 + 400_000)
    assert console.get("/api/v1/incidents")["items"][0]["clocks"]["T5c"] == T0 + 400_000


def test_a_sleeping_meter_and_a_proof_to_come_have_their_times(console: Served, records: Records) -> None:
    records.home(1)
    incident = records.incident(1, answer_due_ms=T0 + 3_600_000, proof="due_at_uplink", proof_due_ms=T0 + 7_200_000)
    records.order(incident, proof="due_at_uplink", proof_due_ms=T0 + 7_200_000, answer_due_ms=T0 + 3_600_000, before_meter=True)
    found = console.get(f"/api/v1/incidents/{incident}")
    assert (found["answer_due_ms"], found["proof_due_ms"]) == (T0 + 3_600_000, T0 + 7_200_000)
    order = found["orders"][0]
    assert (order["proof"], order["proof_due_ms"], order["answer_due_ms"], order["before_meter"]) == (
        "due_at_uplink",
        T0 + 7_200_000,
        T0 + 3_600_000,
        True,
    )


@pytest.mark.parametrize(
    ("listed", "worded"),
    [
        (get_args(ValveKnowledge), VALVE_KNOWLEDGE),
        (get_args(ProofKnowledge), PROOFS),
        (get_args(ClearingKnowledge), CLEARINGS),
        (ALL_CONDITIONS, CONDITIONS),
        (ALL_HOLDS, HOLDS),
        (get_args(TaskMessage.model_fields["kind"].annotation), TASK_KINDS),
    ],
)
def test_every_word_of_the_stations_is_worded(listed: tuple[str, ...], worded: dict[str, object]) -> None:
    assert listed
    assert set(listed) <= set(worded)


# -- other ids -------------------------------------------------------------------------------------------------------------------------


def test_an_alias_leads_to_its_incident(console: Served, records: Records) -> None:
    records.home(1)
    incident, alias = records.incident(1), uuid4()
    records.event(incident, "opened", T0 + 40)
    records.put("incident_aliases", alias_id=alias, incident_id=incident, at_ms=T0, reason="ack_of_unknown_close")
    found = console.get(f"/api/v1/incidents/{alias}")
    assert found == console.get(f"/api/v1/incidents/{incident}")
    assert (found["incident_id"], found["aliases"]) == (str(incident), [str(alias)])
    assert console.get(f"/api/v1/incidents/{alias}/timeline") == console.get(f"/api/v1/incidents/{incident}/timeline")
    assert console.http.get(f"/api/v1/incidents/{uuid4()}").status_code == 404


def test_what_was_made_under_an_alias_belongs_to_the_incident(console: Served, records: Records) -> None:
    """The line opened it without its database; dispatch made order and call by that id."""
    records.home(1)
    incident, alias = records.incident(1), uuid4()
    records.put("incident_aliases", alias_id=alias, incident_id=incident, at_ms=T0, reason="opened_without_database")
    order = records.order(alias)
    records.step(order, "created", T0 + 60, "created")
    call = records.call(alias, placed_ms=T0 + 70, ringing_ms=T0 + 90)
    records.command(alias)
    records.task(alias)
    records.event(alias, "opened", T0 + 40)
    found = console.get(f"/api/v1/incidents/{incident}")
    assert [each["order_id"] for each in found["orders"]] == [str(order)]
    assert [each["call_id"] for each in found["calls"]] == [str(call)]
    assert (len(found["commands"]), len(found["tasks"])) == (1, 1)
    assert (found["clocks"]["T8"], found["clocks"]["T6a"]) == (T0 + 60, T0 + 70)
    story = console.get(f"/api/v1/incidents/{incident}/timeline")["items"]
    assert [entry["kind"] for entry in story] == ["opened", "created", "call_placed", "call_ringing"]


def test_incidents_of_a_place_that_share_an_order_show_it_and_its_calls(console: Served, records: Records) -> None:
    """The second leak joined the order and the ladder of the first: its call carries the first incident's id."""
    records.home(1)
    first, second = records.incident(1, state="closed", closed_ms=T0 + 900), records.incident(1, at_ms=T0 + 1000)
    other = records.incident(2, home_id=None)
    order = records.order(first)
    records.step(order, "created", T0 + 60, "created")
    records.put("order_aliases", incident_id=second, order_id=order, at_ms=T0 + 1060)
    call = records.call(first, at_ms=T0 + 1070, placed_ms=T0 + 1080)
    records.order(other, 2)
    for incident in (first, second):
        found = console.get(f"/api/v1/incidents/{incident}")
        assert [each["order_id"] for each in found["orders"]] == [str(order)]
        assert [each["call_id"] for each in found["calls"]] == [str(call)]
        assert found["order"]["order_no"] == "QX-260402-0001"
        assert found["call"]["outcome"] == "under_way"
        for listing, key, what in (("orders", "order_id", order), ("calls", "call_id", call)):
            items = console.get(f"/api/v1/{listing}", incident_id=incident)["items"]
            assert [each[key] for each in items] == [str(what)], listing
        kinds = [entry["kind"] for entry in console.get(f"/api/v1/incidents/{incident}/timeline")["items"]]
        assert kinds == ["created", "call_placed"]
    listed = {each["incident_id"]: each["order"]["order_no"] for each in console.get("/api/v1/incidents")["items"]}
    assert listed == {str(first): "QX-260402-0001", str(second): "QX-260402-0001", str(other): "QX-260402-0002"}


def test_a_call_is_told_to_every_incident_that_it_serves(start_console: Callable[..., Served], records: Records) -> None:
    records.home(1)
    first, second = records.incident(1, state="closed", closed_ms=T0 + 900), records.incident(1, at_ms=T0 + 1000)
    order = records.order(first)
    records.put("order_aliases", incident_id=second, order_id=order, at_ms=T0 + 1060)
    with watching(start_console(heartbeat_s=0.1)) as events:
        records.call(first, at_ms=T0 + 1070, placed_ms=T0 + 1080)
        told = until(events, lambda event, data: event == "timeline")
        told += until(events, lambda event, data: event == "timeline")
    sentences = {data["incident_id"] for event, data in told if event == "timeline"}
    moved = {data["incident_id"]: data["clocks"]["T6a"] for event, data in told if event == "incident"}
    assert sentences == {str(first), str(second)}
    assert moved == {str(first): T0 + 1080, str(second): T0 + 1080}


# -- holds -----------------------------------------------------------------------------------------------------------------------------


def test_holds_in_force_come_first(console: Served, records: Records) -> None:
    records.home(1)
    for hold, lifted in (("arrears", T0 + 5), ("safety", None), ("self_protection", None)):
        records.put(
            "valve_holds",
            hold_id=uuid4(),
            home_id="home-0001",
            hold=hold,
            cause="tamper" if hold == "self_protection" else "",
            set_ms=T0,
            set_by="line",
            lifted_ms=lifted,
            lifted_by="payment" if lifted else None,
        )
    found = console.get("/api/v1/homes/home-0001/holds")["items"]
    assert [hold["in_force"] for hold in found] == [True, True, False]
    assert found[2]["words"] == {"zh": "欠费", "en": "arrears"}
    assert next(hold for hold in found if hold["hold"] == "self_protection")["cause_words"]["zh"] == "防拆"
    assert console.get("/api/v1/homes/home-0001")["holds"] == ["safety", "self_protection"]
    assert console.http.get("/api/v1/homes/none/holds").status_code == 404


def test_holds_are_asked_of_the_line(console: Served, records: Records, database: str) -> None:
    records.home(1)
    with station(database, "line", "done", {"hold_id": "x"}) as asked:
        path = "/api/v1/homes/home-0001/holds"
        set_it = console.http.post(path, json={"actor": "desk-1", "hold": "works", "cause": "W-7", "reason": "riser"})
        lifted = console.http.post(f"{path}/lift", json={"actor": "desk-1", "hold": "works", "cause": "W-7", "why": "finished"})
    assert (set_it.status_code, lifted.status_code) == (200, 200)
    assert [request["kind"] for request in asked] == ["set_hold", "lift_hold"]
    assert asked[0]["body"] == {"home_id": "home-0001", "hold": "works", "cause": "W-7", "reason": "riser", **BY}
    assert asked[1]["body"] == {"home_id": "home-0001", "hold": "works", "cause": "W-7", "why": "finished", "authority": "request", **BY}


@pytest.mark.parametrize("hold", ["safety", "arrears"])
def test_no_request_lifts_what_a_test_or_a_payment_lifts(console: Served, records: Records, hold: str) -> None:
    records.home(1)
    response = console.http.post("/api/v1/homes/home-0001/holds/lift", json={"actor": "desk-1", "hold": hold, "why": "please"})
    assert response.status_code == 422


# -- conditions ------------------------------------------------------------------------------------------------------------------------


def test_conditions_are_grouped_by_building_and_count_homes_once(console: Served, records: Records) -> None:
    for number in range(1, 5):
        records.home(number, building="3" if number < 4 else "10")
    condition(records, 1, "silent")
    condition(records, 1, "silent", device="M")
    condition(records, 2, "blind", cause="fault")
    condition(records, 3, "powerless", ended_ms=T0 + 9)
    condition(records, 4, "powerless", cause="power_lost")
    found = console.get("/api/v1/conditions")["items"]
    assert [(b["building"], b["homes"], b["blind"], b["silent"], b["powerless"]) for b in found] == [("10", 1, 0, 0, 1), ("3", 3, 1, 1, 0)]
    assert found[1]["since_ms"] == T0 + 1
    assert [b["building"] for b in console.get("/api/v1/conditions", condition="blind")["items"]] == ["3"]
    homes = console.get("/api/v1/conditions/homes", building="3")["items"]
    assert [(h["home_id"], h["device_id"], h["condition"]) for h in homes] == [
        ("home-0001", "D00001", "silent"),
        ("home-0001", "M00001", "silent"),
        ("home-0002", "D00002", "blind"),
    ]
    assert homes[2]["condition_words"]["zh"] == "失效"
    shown = console.get("/api/v1/homes/home-0001")
    assert (shown["conditions"], shown["holds"]) == (["silent"], [])
    assert homes[2]["cause_words"]["en"] == "fault"
    figures = console.get("/api/v1/overview")
    assert (figures["blind"], figures["silent"], figures["powerless"], figures["canary_age_s"]) == (1, 1, 1, None)


def test_buildings_and_their_homes_turn_pages(console: Served, records: Records) -> None:
    for number in range(1, 6):
        records.home(number, building=str(number))
        condition(records, number)
    for path, key in (("conditions", "building"), ("conditions/homes", "home_id")):
        seen, after = [], None
        while True:
            page = console.get(f"/api/v1/{path}", limit=2, **({"after": after} if after else {}))
            seen += [item[key] for item in page["items"]]
            if (after := page["next"]) is None:
                break
        assert len(seen) == len(set(seen)) == 5
        assert seen == sorted(seen)


def test_retired_homes_are_in_no_count(console: Served, records: Records) -> None:
    records.home(1, retired_at="2026-01-01")
    condition(records, 1)
    assert console.get("/api/v1/conditions")["items"] == []
    assert console.http.get("/api/v1/conditions", params={"condition": "hungry"}).status_code == 422


# -- the canary ------------------------------------------------------------------------------------------------------------------------


def test_the_canary_is_in_no_list_no_count_and_no_stream(start_console: Callable[..., Served], records: Records) -> None:
    """Invariant 6 of what people see: the self-check walks and nobody is bothered."""
    records.home(1)
    console = start_console(heartbeat_s=0.1)
    with watching(console) as events:
        condition(records, 9, home_id=CANARY_HOME, device="canary-")
        canary = records.incident(9, kind="canary", home_id=CANARY_HOME, device_id="canary-detector")
        records.event(canary, "opened", T0)
        command = records.command(canary, device_id=CANARY_METER)
        order = records.order(canary, 9, kind="canary", incident_kind="canary", home_id=CANARY_HOME, state="waiting")
        records.step(order, "created", T0 + 60, "created")
        records.call(canary, home_id=CANARY_HOME, role="canary", address="sip:canary@sim.invalid")
        records.call(uuid4(), home_id=None, role="canary", address="sip:canary@sim.invalid")
        records.task(canary, home_id=CANARY_HOME)
        real = records.incident(1)
        told = until(events, lambda event, data: event == "incident")
        assert [data["incident_id"] for event, data in told if event != "resync"] == [str(real)]
    for listing in ("incidents", "orders", "calls", "commands"):
        items = console.get(f"/api/v1/{listing}")["items"]
        assert [item["incident_id"] for item in items] == ([str(real)] if listing == "incidents" else []), listing
    assert console.get("/api/v1/tasks")["items"] == []
    for listing in ("orders", "calls", "commands"):
        assert len(console.get(f"/api/v1/{listing}", incident_id=canary)["items"]) == 1, listing
    assert console.get("/api/v1/commands", device_id=CANARY_METER)["items"][0]["command_id"] == str(command)
    figures = console.get("/api/v1/overview")
    assert (figures["incidents_open"], figures["orders_open"], figures["orders_waiting"], figures["homes"]) == (1, 0, 0, 1)
    assert (figures["tasks_open"], figures["silent"]) == (0, 0)
    shown = console.get(f"/api/v1/incidents/{canary}")
    assert (len(shown["orders"]), len(shown["calls"]), len(shown["commands"])) == (1, 1, 1)
