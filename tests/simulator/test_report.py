"""The report judged on facts made by hand: green on a good story, red for each way in which it can go wrong."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from core.messages import Command, CommandName
from simulator.phones.lines import PhoneReport
from simulator.report import Report
from simulator.report.facts import CLOCKS, Facts, Incident, Quarantined, Stored
from simulator.scenarios import load
from simulator.world.home import DevicePlace, HomePlan
from simulator.world.record import Heard, Leak, ValveMove, WorldRecord

T = 1_775_000_000_000
INCIDENT = "00000000-0000-0000-0000-000000000001"


def plan(number: int) -> HomePlan:
    phones = (f"sip:0001000000{number}1@sim.invalid", f"sip:0001000000{number}2@sim.invalid")
    return HomePlan(f"H{number}", (DevicePlace(f"D{number}", f"D{number}"),), DevicePlace(f"M{number}", f"M{number}"), phones=phones)


def heard(name: CommandName, at_ms: int, account: str = "M1", home: str = "H1") -> Heard:
    command = Command(
        device_id="M1",
        command_id=UUID(int=at_ms - T),
        order_no=at_ms,
        command=name,
        reason="leak",
        issued_at=at_ms,
        expires_at=at_ms + 60_000,
    )
    return Heard(at_ms, at_ms / 1000, account, home, command, False)


def record() -> WorldRecord:
    leak = Leak("H1", T - 8_000, "D1", T, T + 4_500, (T + 4_500) / 1000, "alarm")
    moves = [
        ValveMove(T + 500, 0.0, "H1", "open", "closing", "linkage"),
        ValveMove(T + 3_500, 0.0, "H1", "closing", "closed", "linkage"),
        ValveMove(T + 60_000, 0.0, "H1", "closed", "opening", "linkage"),
        ValveMove(T + 63_000, 0.0, "H1", "opening", "open", None, by_key=True),
    ]
    commands = [heard("close_valve", T + 4_520), heard("open_valve", T + 58_000)]
    return WorldRecord(leaks=[leak], heard=commands, moves=moves, promised=2)


def detail() -> dict[str, Any]:
    clocks: dict[str, int | None] = dict.fromkeys(CLOCKS)
    clocks |= {"T0": T, "T1": T + 3_500, "T2": T + 4_510, "T3": T + 4_512, "T4": T + 4_530, "T6a": T + 4_700, "T6b": T + 4_900}
    clocks |= {"T7": T + 15_000, "T8": T + 4_600, "T9": T + 4_600, "T10": T + 7_000, "T11": T + 20_000, "T12": T + 30_000}
    clocks |= {"T13": T + 50_000, "T14": T + 70_000}
    return {
        "incident_id": INCIDENT,
        "kind": "leak",
        "state": "closed",
        "home_id": "H1",
        "account": "D1",
        "simulated": True,
        "address_zh": "一号",
        "address_en": "number one",
        "received_ms": T + 4_510,
        "last_leak_ms": T + 4_510,
        "clocks": clocks,
        "orders": [{"order_no": "QX-260402-0001", "kind": "emergency", "state": "archived", "crew_id": "C1"}],
        "calls": [{"attempt": 1, "position": 1, "outcome": "confirmed", "simulated": True, "address": "sip:000100000011@sim.invalid"}],
        "tasks": [],
    }


def incident(**changes: Any) -> Incident:
    timeline = ({"at_ms": T, "kind": "opened", "actor": "line"}, {"at_ms": T, "kind": "accept", "actor": "T0001"})
    return Incident({**detail(), **changes}, timeline)


def good() -> Facts:
    phones = (PhoneReport(event="ringing", number="000100000011", call="a", at_ms=T + 4_900),)
    return Facts(
        scenario=load("single-leak"),
        seed=1,
        clock_rate=1.0,
        started_ms=T - 10_000,
        ended_ms=T + 80_000,
        story_home="H1",
        plans={"H1": plan(1), "H2": plan(2)},
        record=record(),
        unacknowledged=0,
        incidents=(incident(),),
        phones=phones,
        crews={"C1": True, "C2": False},
    )


def with_clock(clock: str, at_ms: int | None) -> Incident:
    found = detail()
    return incident(clocks={**found["clocks"], clock: at_ms})


def with_order(**changes: Any) -> Incident:
    return incident(orders=[{**detail()["orders"][0], **changes}])


def with_record(change: Callable[[WorldRecord], None]) -> Facts:
    facts = good()
    change(facts.record)
    return facts


def test_a_good_story_is_green() -> None:
    report = Report.of(good())
    assert report.broken() == ()
    assert report.ok
    verdicts = {finding.number: finding.verdict for finding in report.findings if finding.number is not None}
    assert verdicts == {1: "held", 2: "held", 3: "held", 4: "held", 5: "not_observed", 6: "held", 7: "held", 8: "held", 9: "held"}


def _never_close(found: WorldRecord) -> None:
    found.heard = [h for h in found.heard if h.command.command != "close_valve"]


def _close_to_another(found: WorldRecord) -> None:
    found.heard[0] = heard("close_valve", T + 4_520, account="M2")


def _stays_open(found: WorldRecord) -> None:
    found.moves = []


def _opens_without_key(found: WorldRecord) -> None:
    found.moves[-1] = replace(found.moves[-1], by_key=False)


def _opens_before_the_test(found: WorldRecord) -> None:
    found.moves[-1] = replace(found.moves[-1], at_ms=T + 40_000)


def _told_to_open_before_the_test(found: WorldRecord) -> None:
    found.heard[1] = heard("open_valve", T + 40_000)


def _late_close(found: WorldRecord) -> None:
    found.heard[0] = heard("close_valve", T + 6_000)


def _misdelivered(found: WorldRecord) -> None:
    found.misdelivered.append("gas/v1/M2/down/command: M1")


BROKEN: dict[str, tuple[str, Callable[[], Facts]]] = {
    "no close command": ("leak_closes_valve", lambda: with_record(_never_close)),
    "close to another account": ("leak_closes_valve", lambda: with_record(_close_to_another)),
    "valve stays open": ("leak_closes_valve", lambda: with_record(_stays_open)),
    "leak without incident": ("no_leak_lost", lambda: replace(good(), incidents=())),
    "incident of an earlier leak only": (
        "no_leak_lost",
        lambda: replace(good(), incidents=(incident(last_leak_ms=T - 60_000),)),
    ),
    "two open incidents": (
        "one_incident_one_order",
        lambda: replace(good(), incidents=(incident(state="open"), incident(state="open"))),
    ),
    "an incident where nothing leaked": (
        "one_incident_one_order",
        lambda: replace(good(), incidents=(incident(), incident(home_id="H2"))),
    ),
    "an incident of no home": (
        "one_incident_one_order",
        lambda: replace(good(), incidents=(incident(), incident(home_id=None, kind="unknown_sender"))),
    ),
    "two orders of a kind": (
        "one_incident_one_order",
        lambda: replace(good(), incidents=(incident(orders=detail()["orders"] * 2),)),
    ),
    "open without key": ("never_opens_by_itself", lambda: with_record(_opens_without_key)),
    "open before the test": ("never_opens_by_itself", lambda: with_record(_opens_before_the_test)),
    "open command before the test": ("never_opens_by_itself", lambda: with_record(_told_to_open_before_the_test)),
    "open without any test": ("never_opens_by_itself", lambda: replace(good(), incidents=(with_clock("T13", None),))),
    "alarm never acknowledged": ("nothing_ages", lambda: replace(good(), unacknowledged=1)),
    "quarantined": ("bad_input", lambda: replace(good(), quarantined=(Quarantined("D1", "not_json", 2),))),
    "another device's message": ("bad_input", lambda: with_record(_misdelivered)),
    "empty record": ("every_decision_recorded", lambda: replace(good(), incidents=(Incident(detail(), ()),))),
    "nameless entry": (
        "every_decision_recorded",
        lambda: replace(good(), incidents=(Incident(detail(), ({"at_ms": T, "kind": "close", "actor": ""},)),)),
    ),
    "incident not marked": ("simulated_stays_simulated", lambda: replace(good(), incidents=(incident(simulated=False),))),
    "real number dialled": (
        "simulated_stays_simulated",
        lambda: replace(good(), incidents=(incident(calls=[{**detail()["calls"][0], "address": "+8673112345678"}]),)),
    ),
    "real crew sent": ("simulated_stays_simulated", lambda: replace(good(), incidents=(with_order(crew_id="C2"),))),
    "a stranger's phone rang": (
        "simulated_stays_simulated",
        lambda: replace(good(), phones=(PhoneReport(event="ringing", number="00019", call="b", at_ms=T),)),
    ),
    "close too late": ("close_within_a_second", lambda: replace(good(), incidents=(with_clock("T3", T + 5_600),))),
    "close never": ("close_within_a_second", lambda: replace(good(), incidents=(with_clock("T3", None),))),
    "call too late": ("call_within_a_second", lambda: replace(good(), incidents=(with_clock("T6a", T + 5_600),))),
    "order too late": ("order_within_a_second", lambda: replace(good(), incidents=(with_clock("T8", T + 5_600),))),
    "late at the meter": ("close_at_the_meter", lambda: with_record(_late_close)),
    "nobody reached": ("expected_household", lambda: replace(good(), incidents=(incident(calls=[]),))),
    "not archived": ("expected_order", lambda: replace(good(), incidents=(with_order(state="on_site"),))),
    "not restored": ("expected_order", lambda: replace(good(), incidents=(with_clock("T14", None),))),
    "incident left open": ("expected_order", lambda: replace(good(), incidents=(incident(state="open"),))),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_turns_its_own_finding_red(name: str) -> None:
    key, facts = BROKEN[name]
    report = Report.of(facts())
    assert key in report.broken()
    assert not report.ok


@pytest.mark.parametrize("name", ["close too late", "call too late", "order too late", "late at the meter"])
def test_what_came_after_its_time_is_called_late_and_what_never_came_broken(name: str) -> None:
    key, facts = BROKEN[name]
    (finding,) = (each for each in Report.of(facts()).findings if each.key == key)
    assert finding.verdict == "late"
    page = Report.of(facts()).render("en")
    assert "LATE" in page
    assert "everything held" not in page
    (never,) = (each for each in Report.of(BROKEN["close never"][1]()).findings if each.key == "close_within_a_second")
    assert never.verdict == "broken"


def test_a_promise_is_measured_in_real_time_on_a_faster_clock() -> None:
    ten_times = replace(good(), clock_rate=10.0, incidents=(with_clock("T3", T + 4_510 + 9_000),))
    assert "close_within_a_second" not in Report.of(ten_times).broken()
    assert "close_within_a_second" in Report.of(replace(ten_times, clock_rate=2.0)).broken()


def quiet() -> Facts:
    scenario, stored = load("noisy-sensor"), Stored(30, 7.2)
    return replace(good(), scenario=scenario, record=WorldRecord(), incidents=(), phones=(), stored=stored)


def test_nothing_happening_is_green_where_nothing_may_happen() -> None:
    report = Report.of(quiet())
    assert report.ok
    verdicts = {finding.number: finding.verdict for finding in report.findings if finding.number is not None}
    assert verdicts[1] == verdicts[2] == verdicts[8] == "not_observed"


def test_anything_happening_is_red_where_nothing_may_happen() -> None:
    assert {"one_incident_one_order", "expected_incidents", "expected_order", "expected_household"} <= set(
        Report.of(replace(quiet(), incidents=(incident(),))).broken()
    )
    rang = replace(quiet(), phones=(PhoneReport(event="ringing", number="000100000011", call="a", at_ms=T),))
    assert Report.of(rang).broken() == ("expected_household",)
    for unseen in (Stored(), Stored(30, 2.0)):
        assert Report.of(replace(quiet(), stored=unseen)).broken() == ("expected_noise",)
    closed = replace(quiet(), record=WorldRecord(heard=[heard("close_valve", T)]))
    assert Report.of(closed).broken() == ("expected_closing",)


def test_a_task_for_the_desk_is_what_is_expected_when_nobody_answers() -> None:
    scenario = load("nobody-answers")
    calls = [{**detail()["calls"][0], "outcome": "busy"}]
    told = incident(calls=calls, tasks=[{"kind": "nobody_confirmed"}])
    assert Report.of(replace(good(), scenario=scenario, incidents=(told,))).ok
    assert Report.of(replace(good(), scenario=scenario, incidents=(incident(calls=calls),))).broken() == ("expected_household",)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_shows_every_clock_and_every_finding(language: str) -> None:
    report = Report.of(replace(good(), unacknowledged=3))
    page = report.render("zh" if language == "zh" else "en")
    for clock in CLOCKS:
        assert f"   {clock:<4}" in page
    for finding in report.findings:
        assert (finding.zh if language == "zh" else finding.en) in page
    assert ("违反" if language == "zh" else "BROKEN") in page
    assert "QX-260402-0001" in page


def test_the_json_holds_clocks_and_findings() -> None:
    found = json.loads(Report.of(good()).to_json())
    assert found["ok"] is True
    assert found["scenario"] == "single-leak"
    assert found["incidents"][0]["clocks"]["T3"] == T + 4_512
    assert {f["invariant"] for f in found["findings"]} == {1, 2, 3, 4, 5, 6, 7, 8, 9, None}
