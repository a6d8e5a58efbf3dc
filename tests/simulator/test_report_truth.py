"""What a scenario expects the platform to know, judged on facts made by hand: green when it was seen, red for each way it was not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import pytest

from simulator.report import Report
from simulator.report.facts import CLOCKS, Canary, Counts, Facts, Incident, Span, Watched, most_at_once
from simulator.report.figures import figure, percentile
from simulator.report.truth import in_this_order
from simulator.scenarios import FindingKey, Step, load, names
from simulator.scenarios.expected import Expected
from simulator.world.home import DevicePlace, HomePlan
from simulator.world.record import Leak, ValveMove, WorldRecord

T = 1_775_000_000_000


def facts(expected: dict[str, Any], **changes: Any) -> Facts:
    scenario = load("single-leak")
    told = scenario.expected.model_dump() | expected
    base = Facts(
        scenario=scenario.model_copy(update={"expected": Expected.model_validate(told), "steps": changes.pop("steps", ())}),
        seed=1,
        clock_rate=1.0,
        started_ms=T,
        ended_ms=T + 100_000,
        story_home="H1",
        plans={"H1": HomePlan("H1", (DevicePlace("D1", "D1"),), DevicePlace("M1", "M1"))},
        record=WorldRecord(),
        unacknowledged=0,
        incidents=(),
    )
    return replace(base, **changes)


def told(*kinds: str, **changes: Any) -> Incident:
    clocks: dict[str, int | None] = dict.fromkeys(CLOCKS)
    detail = {
        "incident_id": "I1", "kind": "leak", "state": "closed", "home_id": "H1", "account": "D1", "simulated": True, "address_zh": "",
        "address_en": "", "received_ms": T, "last_leak_ms": T, "clocks": clocks | {"T2": T}, "orders": [], "calls": [], "tasks": [],
        "devices": ["D1"],
    }  # fmt: skip
    timeline = tuple({"at_ms": T + at, "kind": kind, "actor": "line"} for at, kind in enumerate(("opened", *kinds)))
    return Incident({**detail, **changes}, timeline)


def span(home: str, what: str, since: int, ended: int | None) -> Span:
    return Span(home, what, T + since, None if ended is None else T + ended)


CANARY = Canary(((T, T + 500), (T + 10_000, T + 10_400), (T + 20_000, None)))
SAID = {"said": ["reported_closed", "gas_still_flows", "reported_closed"], "never_said": ["valve_holds"]}
HOLDS = {"holds_seen": ["safety", "arrears"], "holds_after_steps": ["safety"]}
BOTH = (span("H1", "safety", 10, None), span("H1", "arrears", 20, 30))

JUDGED: dict[str, tuple[str, Callable[[], Facts], Callable[[], Facts]]] = {
    "the record in its order": (
        "expected_record",
        lambda: facts(SAID, incidents=(told("reported_closed", "x", "gas_still_flows", "reported_closed"),)),
        lambda: facts(SAID, incidents=(told("gas_still_flows", "reported_closed"),)),
    ),
    "what may not be recorded": (
        "expected_record",
        lambda: facts({"never_said": ["valve_holds"]}, incidents=(told("reported_closed"),)),
        lambda: facts({"never_said": ["valve_holds"]}, incidents=(told("valve_holds"),)),
    ),
    "the proof, seen in its order": (
        "expected_proof",
        lambda: facts({"proof_seen": ["not_yet", "flows"]}, watched=Watched(proofs=["none", "not_yet", "flows", "not_yet"])),
        lambda: facts({"proof_seen": ["not_yet", "flows"]}, watched=Watched(proofs=["none", "flows", "not_yet"])),
    ),
    "the minutes left": (
        "expected_proof",
        lambda: facts({"minutes_left": True}, watched=Watched(minutes_left=True)),
        lambda: facts({"minutes_left": True}),
    ),
    "due at the next uplink": (
        "expected_answer_due",
        lambda: facts({"answer_due": True}, watched=Watched(answer_due=True)),
        lambda: facts({"answer_due": True}),
    ),
    "a leak before the meter": (
        "expected_clearing",
        lambda: facts(
            {"clearing": "not_clearing", "before_meter": True}, watched=Watched(clearings=["unknown", "not_clearing"], before_meter=True)
        ),
        lambda: facts({"clearing": "not_clearing", "before_meter": True}, watched=Watched(clearings=["unknown", "not_clearing"])),
    ),
    "the priority": (
        "expected_priority",
        lambda: facts({"priority_raised": True}, watched=Watched(priorities={"QX-1": [2, 1]})),
        lambda: facts({"priority_raised": True}, watched=Watched(priorities={"QX-1": [2]})),
    ),
    "the conditions at one time": (
        "expected_conditions",
        lambda: facts(
            {"conditions_seen": {"silent": 2}, "conditions_end": {"silent": 0}},
            conditions=(span("H1", "silent", 10, 90), span("H2", "silent", 20, 80)),
        ),
        lambda: facts({"conditions_seen": {"silent": 2}}, conditions=(span("H1", "silent", 10, 20), span("H2", "silent", 30, 80))),
    ),
    "the conditions in the end": (
        "expected_conditions",
        lambda: facts({"conditions_end": {"silent": 1}}, conditions=(span("H1", "silent", 10, None),)),
        lambda: facts({"conditions_end": {"silent": 0}}, conditions=(span("H1", "silent", 10, None),)),
    ),
    "the tasks of the desk": (
        "expected_tasks",
        lambda: facts({"tasks": {"building_dark": 1}}, tasks={"building_dark": 1}),
        lambda: facts({"tasks": {"building_dark": 1}}, tasks={"building_dark": 20}),
    ),
    "the holds": (
        "expected_holds",
        lambda: facts(HOLDS, holds=BOTH, steps_done_ms=T + 40),
        lambda: facts(HOLDS, holds=(*BOTH, span("H1", "works", 5, None)), steps_done_ms=T + 40),
    ),
    "a hold that was lifted and set again": (
        "expected_holds",
        lambda: facts(HOLDS, holds=BOTH, steps_done_ms=T + 40),
        lambda: facts(HOLDS, holds=(*BOTH[1:], span("H1", "safety", 10, 25), span("H1", "safety", 26, None)), steps_done_ms=T + 40),
    ),
    "a hold that was never set": (
        "expected_holds",
        lambda: facts(HOLDS, holds=BOTH, steps_done_ms=T + 40),
        lambda: facts(HOLDS, holds=BOTH[:1], steps_done_ms=T + 40),
    ),
    "the refusal to open": (
        "expected_refusal",
        lambda: facts({"open_refused": "held"}, open_answers=("held",), steps_done_ms=T),
        lambda: facts({"open_refused": "held"}, open_answers=("sent",), steps_done_ms=T),
    ),
    "nobody asked to open": (
        "expected_refusal",
        lambda: facts({"open_refused": "held"}, open_answers=("held",), steps_done_ms=T),
        lambda: facts({"open_refused": "held"}),
    ),
    "the devices inside": (
        "expected_devices",
        lambda: facts({"devices_listed": 3}, incidents=(told(devices=["D1", "D2", "D3"]),)),
        lambda: facts({"devices_listed": 3}, incidents=(told(devices=["D1"]),)),
    ),
    "rounds of the canary": (
        "expected_canary",
        lambda: facts({"canary_rounds": 2, "canary_age_s": 20}, canary=CANARY, watched=Watched(canary_age_s=12.0)),
        lambda: facts({"canary_rounds": 3, "canary_age_s": 20}, canary=CANARY, watched=Watched(canary_age_s=12.0)),
    ),
    "the age of the canary": (
        "expected_canary",
        lambda: facts({"canary_age_s": 20}, canary=CANARY, watched=Watched(canary_age_s=12.0)),
        lambda: facts({"canary_age_s": 20}, canary=CANARY, watched=Watched(canary_age_s=40.0)),
    ),
}


@pytest.mark.parametrize("name", JUDGED)
def test_each_expectation_is_green_when_seen_and_red_when_not(name: str) -> None:
    key, seen, unseen = JUDGED[name]
    assert key in {finding.key for finding in Report.of(seen()).findings}
    assert key not in Report.of(seen()).broken()
    assert key in Report.of(unseen()).broken()


def test_what_a_scenario_leaves_out_is_not_judged() -> None:
    keys = {finding.key for finding in Report.of(facts({})).findings}
    assert keys.isdisjoint(key for key, _, _ in JUDGED.values())


def judged_of(name: str) -> set[str]:
    """What a report of this scenario judges, whatever came of it."""
    return {finding.key for finding in Report.of(replace(facts({}), scenario=load(name))).findings}


@pytest.mark.parametrize("name", names())
def test_what_a_broken_setting_must_break_is_judged_in_its_scenario(name: str) -> None:
    assert set(load(name).broken_finds) <= judged_of(name)


def test_the_findings_that_a_scenario_may_name_are_those_that_reports_have() -> None:
    assert set(get_args(FindingKey)) == set().union(*map(judged_of, names()))


def storm(homes: int = 4, **changes: Any) -> Facts:
    """Homes that all leaked, all closed, ordered and called."""
    names = [f"H{number}" for number in range(1, homes + 1)]
    record = WorldRecord(
        leaks=[Leak(home, T, f"D{home}", T + 10, T + 20, (T + 20) / 1000, "alarm") for home in names],
        moves=[ValveMove(T + 40, 0.0, home, "closing", "closed", "command") for home in names],
    )
    found = []
    for number, home in enumerate(names, start=1):
        order = {"order_no": f"QX-{number}", "kind": "emergency", "state": "waiting", "crew_id": None}
        call = {"attempt": 1, "position": 1, "outcome": "under_way", "simulated": True, "address": "sip:1@sim.invalid", "placed_ms": T + 50}
        clocks: dict[str, int | None] = dict.fromkeys(CLOCKS) | {"T2": T + 20, "T3": T + 20 + number, "T6a": T + 30, "T8": T + 30}
        found.append(told(home_id=home, incident_id=f"I{number}", orders=[order], calls=[call], clocks=clocks))
    plans = {home: HomePlan(home, (DevicePlace(f"D{home}", f"D{home}"),), DevicePlace(f"M{home}", f"M{home}")) for home in names}
    every = {"every_home": ["incident", "closed", "ordered", "called"], "incidents": homes, "household": "called", "order": "created"}
    return replace(facts(every, record=record, incidents=tuple(found), plans=plans, counts=Counts(incidents=homes)), **changes)


@pytest.mark.parametrize("word", ["incident", "closed", "ordered", "called"])
def test_one_home_of_a_storm_that_lacks_something_is_named(word: str) -> None:
    whole = storm()
    assert not {f"every_home_{w}" for w in ("incident", "closed", "ordered", "called")} & set(Report.of(whole).broken())
    last = whole.incidents[-1]
    match word:
        case "incident":
            lacking = replace(whole, incidents=whole.incidents[:-1])
        case "closed":
            lacking = replace(whole, record=replace(whole.record, moves=whole.record.moves[:-1]))
        case "ordered":
            twice = Incident({**last.detail, "orders": [*last.detail["orders"], *last.detail["orders"]]}, last.timeline)
            lacking = replace(whole, incidents=(*whole.incidents[:-1], twice))
        case _:
            silent = [{**call, "placed_ms": None} for call in last.detail["calls"]]
            lacking = replace(whole, incidents=(*whole.incidents[:-1], Incident({**last.detail, "calls": silent}, last.timeline)))
    findings = {finding.key: finding for finding in Report.of(lacking).findings}
    assert findings[f"every_home_{word}"].verdict == "broken"
    assert "H4" in findings[f"every_home_{word}"].en


def test_a_home_that_leaked_once_and_has_two_incidents_is_doubled() -> None:
    whole = storm()
    again = Incident({**whole.incidents[0].detail, "incident_id": "I9"}, whole.incidents[0].timeline)
    doubled = replace(whole, incidents=(*whole.incidents, again))
    assert "one_incident_one_order" in Report.of(doubled).broken()
    assert "every_home_ordered" in Report.of(doubled).broken()


def test_a_storm_is_shown_by_percentiles_and_its_kills_and_counts_are_printed() -> None:
    shot = storm(kills={"line": 2, "broker": 1}, deaths={"line": 2, "broker": 1, "console": 1}, clock_rate=10.0)
    page = Report.of(shot).render("en")
    assert "line ×2, broker ×1; 3 in all" in page
    assert "ended by itself and was started again: console ×1" in page
    assert "4 homes leaked: 4 incidents" in page
    assert "p50 / p99 / longest" in page
    assert "clock x10" in page
    assert "judged as placed" in page
    assert "QX-1" not in page


def test_no_promise_in_time_is_judged_while_parts_are_killed() -> None:
    slow = [Incident({**i.detail, "clocks": {**i.clocks, "T3": T + 9_000}}, i.timeline) for i in storm().incidents]
    assert "close_within_a_second" in Report.of(storm(incidents=tuple(slow))).broken()
    assert "close_within_a_second" not in Report.of(storm(incidents=tuple(slow), kills={"line": 1})).broken()


def test_a_close_that_died_with_a_killed_broker_is_not_missed_where_the_valve_closed_by_itself() -> None:
    broken = {"leak_closes_valve", "close_at_the_meter"}
    by_command = storm(kills={"broker": 1})
    itself = replace(by_command.record, moves=[replace(move, cause="linkage") for move in by_command.record.moves])
    assert broken <= set(Report.of(by_command).broken())
    assert broken <= set(Report.of(storm(record=itself)).broken())
    assert not broken & set(Report.of(storm(record=itself, kills={"broker": 1})).broken())
    open_still = replace(itself, moves=itself.moves[1:])
    assert broken <= set(Report.of(storm(record=open_still, kills={"broker": 1})).broken())


def test_calls_beyond_the_lines_are_measured_and_not_judged() -> None:
    late = tuple(Incident({**i.detail, "clocks": {**i.clocks, "T6a": T + 60_000}}, i.timeline) for i in storm().incidents)
    few = storm().scenario.model_copy(update={"platform": {"GAS_SENTINEL_MAX_CONCURRENT_CALLS": "3"}})
    assert "call_within_a_second" in Report.of(storm(incidents=late)).broken()
    assert "call_within_a_second" not in Report.of(storm(incidents=late, scenario=few)).broken()


def test_silence_that_was_not_counted_breaks_its_invariant() -> None:
    steps = (Step(do="hub_down"),)
    dumb = facts({"conditions_seen": {"silent": 2}}, steps=steps)
    assert "silence_is_unknown" in Report.of(dumb).broken()
    counted = (span("H1", "silent", 10, 90), span("H2", "silent", 20, 80))
    heard = Report.of(replace(dumb, conditions=counted))
    assert next(f.verdict for f in heard.findings if f.key == "silence_is_unknown") == "held"


def test_percentiles_and_order() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(n) for n in range(1, 101)], 0.99) == 99.0
    assert figure([]) is None
    assert in_this_order(("a", "b", "a"), ["a", "x", "b", "a"])
    assert not in_this_order(("a", "b", "a"), ["a", "b"])
    assert most_at_once([span("H1", "blind", 0, 5), span("H1", "blind", 1, 9), span("H2", "blind", 6, 9)]) == {"blind": 2}
