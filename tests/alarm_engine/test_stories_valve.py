"""Is it really closed? Stories of the four answers: commanded, reported, holds, clearing; and of what each of them sets off."""

from typing import Any

import pytest

from alarm_engine.incident import Incident
from core.messages import DetectorState
from core.station import OrderMessage
from tests.alarm_engine.stage import HOME, Stage, device, home

WINDOW_S = 1200.0


@pytest.fixture
def stage() -> Stage:
    return Stage()


def closed(stage: Stage, volume: float = 5.0) -> None:
    """A leak with gas flowing, its valve reported closed, its index known."""
    stage.meter("open", volume=volume, flow=0.4)
    stage.alarm()
    stage.ack("done", "closed")
    stage.meter("closed", "command", volume=volume)


# -- holds -------------------------------------------------------------------------------------------------------------------------


async def test_a_valve_that_holds_is_said_to_hold_after_its_window_and_not_before(stage: Stage) -> None:
    closed(stage)
    facts = stage.valve_facts
    assert (facts.valve, facts.proof, facts.proof_due_ms) == ("reported_closed", "not_yet", stage.clock.now_ms() + 1_200_000)
    await stage.pass_time(WINDOW_S - 5)
    stage.meter("closed", "command", volume=5.0)
    assert stage.incident().proof == "not_yet"
    await stage.pass_time(10.0)
    stage.meter("closed", "command", volume=5.0)
    assert (stage.incident().proof, stage.incident().holds_ms, stage.valve_facts.proof) == ("holds", stage.clock.now_ms(), "holds")
    assert stage.events().count("valve_holds") == 1


async def test_the_meter_is_asked_after_done_and_again_when_the_proof_is_due(stage: Stage) -> None:
    closed(stage)
    assert [command.command for command in stage.asked] == ["report"]
    await stage.pass_time(WINDOW_S + 5)
    assert len(stage.asked) == 2
    assert len({command.command_id for command in stage.asked}) == 2


def test_all_that_follows_from_an_answer_becomes_durable_together(stage: Stage) -> None:
    stage.alarm()
    stage.ports.written.clear()
    stage.ack("done", "closed")
    (bundle,) = stage.ports.written
    (incident,), (close, question) = bundle.incidents.values(), bundle.commands.values()
    assert (incident["valve"], incident["proof"]) == ("reported_closed", "not_yet")
    assert (close["command"], close["state"], question["command"]) == ("close_valve", "reported_closed", "report")
    assert [entry["kind"] for entry in bundle.events] == ["reported_closed", "proof_due"]
    payloads: list[Any] = [message["payload"] for message in bundle.outbox]
    assert [payload["type"] for payload in payloads] == ["valve"]


async def test_a_meter_that_says_nothing_proves_nothing(stage: Stage) -> None:
    stage.alarm()
    stage.ack("done", "closed")
    await stage.pass_time(4 * WINDOW_S)
    assert stage.incident().proof == "not_yet"
    assert (stage.incident().proof_due_ms or 0) > stage.clock.now_ms()
    assert len(stage.closes) == 1


async def test_gas_that_still_flows_is_a_failed_close_and_a_next_attempt(stage: Stage) -> None:
    closed(stage)
    await stage.pass_time(60.0)
    stage.meter("closed", "command", volume=5.02)
    assert (stage.incident().valve, stage.valve_facts.proof) == ("gas_still_flows", "flows")
    stage.meter("closed", "command", volume=5.02)
    stage.ack("done", "closed")  # it repeats its answer
    assert not stage.incident().is_closed
    await stage.pass_time(1.25)
    assert len({command.command_id for command in stage.closes}) == 2
    assert (stage.incident().valve, stage.incident().proof) == ("commanded", "flows")
    stage.ack("done", "closed")
    assert (stage.incident().valve, stage.incident().proof) == ("reported_closed", "not_yet")
    assert stage.events().count("gas_still_flows") == 1


async def test_a_leak_while_gas_still_flows_closes_at_once(stage: Stage) -> None:
    closed(stage)
    stage.meter("closed", "command", volume=5.05)
    stage.alarm()
    assert len({command.command_id for command in stage.closes}) == 2


async def test_one_step_may_be_what_the_register_had_not_shown_yet(stage: Stage) -> None:
    closed(stage)
    await stage.pass_time(WINDOW_S + 5)
    stage.meter("closed", "command", volume=5.01)
    assert stage.incident().proof == "not_yet"
    await stage.pass_time(WINDOW_S + 5)
    stage.meter("closed", "command", volume=5.01)
    assert stage.incident().proof == "holds"


async def test_a_coarse_register_takes_its_time(stage: Stage) -> None:
    stage.status(register_step_m3=0.1)
    closed(stage)
    assert stage.valve_facts.proof_due_ms == stage.clock.now_ms() + 12_000_000
    await stage.pass_time(WINDOW_S + 5)
    stage.meter("closed", "command", volume=5.0)
    assert stage.incident().proof == "not_yet"


async def test_without_flow_before_the_close_a_still_index_proves_nothing(stage: Stage) -> None:
    stage.meter("open", volume=5.0, flow=0.0)
    await stage.pass_time(WINDOW_S + 60)
    stage.meter("open", volume=5.0, flow=0.0)
    stage.alarm()
    stage.ack("done", "closed")
    stage.meter("closed", "command", volume=5.0)
    assert (stage.incident().proof, stage.valve_facts.proof) == ("not_provable", "not_provable")
    await stage.pass_time(3 * WINDOW_S)
    stage.meter("closed", "command", volume=5.0)
    assert stage.incident().proof == "not_provable"
    stage.meter("closed", "command", volume=5.05)
    assert stage.incident().valve == "gas_still_flows"


async def test_an_index_that_moves_after_the_valve_held_is_heard(stage: Stage) -> None:
    closed(stage)
    await stage.pass_time(WINDOW_S + 5)
    stage.meter("closed", "command", volume=5.0)
    stage.meter("closed", "command", volume=5.05)
    assert (stage.incident().valve, stage.incident().holds_ms) == ("gas_still_flows", None)


def test_an_exercise_shortens_the_window_of_simulated_homes_only(stage: Stage) -> None:
    stage.state.settings = stage.state.settings.model_copy(update={"proof_window_factor": 0.05})
    closed(stage)
    assert stage.valve_facts.proof_due_ms == stage.clock.now_ms() + 60_000
    stage.incident().simulated = False
    assert stage.engine.valves.watch._window_s(stage.incident()) == WINDOW_S


# -- clearing ----------------------------------------------------------------------------------------------------------------------


async def test_a_room_that_clears_is_said_to_clear(stage: Stage) -> None:
    closed(stage)
    stage.reading(ch4=30.0, state="alarm")
    stage.reading(ch4=28.0, state="alarm")
    assert stage.incident().clearing == "unknown"
    stage.reading(ch4=22.0, state="alarm")
    assert (stage.incident().clearing, stage.valve_facts.clearing, stage.incident().clearing_ms) == (
        "clearing",
        "clearing",
        stage.clock.now_ms(),
    )
    stage.reading(ch4=32.0, state="alarm")
    assert stage.valve_facts.clearing == "unknown"


async def test_a_room_that_does_not_clear_and_a_valve_that_holds_is_a_leak_before_the_meter(stage: Stage) -> None:
    closed(stage)
    for _ in range(5):
        await stage.pass_time(70.0)
        stage.reading(ch4=30.0, state="alarm")
    assert (stage.incident().clearing, stage.incident().before_meter_ms) == ("not_clearing", None)
    await stage.pass_time(WINDOW_S)
    stage.meter("closed", "command", volume=5.0)
    assert stage.valve_facts.before_meter
    assert stage.events().count("before_meter_suspected") == 1


async def suspected(stage: Stage) -> int:
    """The valve held and the room did not clear; returns since when that is suspected, Unix ms."""
    closed(stage)
    for _ in range(5):
        await stage.pass_time(70.0)
        stage.reading(ch4=30.0, state="alarm")
    await stage.pass_time(WINDOW_S)
    stage.meter("closed", "command", volume=5.0)
    assert stage.incident().before_meter_first_ms == stage.incident().before_meter_ms == stage.clock.now_ms()
    return stage.clock.now_ms()


async def test_what_was_suspected_of_the_riser_stays_told_when_the_valve_is_opened_again(stage: Stage) -> None:
    since_ms = await suspected(stage)
    await stage.pass_time(600.0)
    stage.reading(ch4=0.0)
    stage.meter("open", flow=0.3, volume=5.0)
    incident = stage.incident()
    assert (incident.valve, incident.before_meter_ms, stage.valve_facts.before_meter) == ("opened", None, False)
    row = [rows for rows in stage.ports.written if rows.incidents][-1].incidents[incident.incident_id]
    assert row["before_meter_first_ms"] == since_ms
    assert Incident.from_row(row).before_meter_first_ms == since_ms


async def test_a_suspicion_of_a_second_time_does_not_move_the_first(stage: Stage) -> None:
    since_ms = await suspected(stage)
    stage.meter("open", flow=0.3, volume=5.0)
    stage.alarm(ch4=40.0)
    stage.ack("done", "closed")
    stage.meter("closed", "command", volume=5.0)
    assert (stage.incident().before_meter_ms, stage.incident().before_meter_first_ms) == (None, since_ms)
    for _ in range(5):
        await stage.pass_time(70.0)
        stage.reading(ch4=40.0, state="alarm")
    await stage.pass_time(WINDOW_S)
    stage.meter("closed", "command", volume=5.0)
    assert (stage.incident().before_meter_ms, stage.incident().before_meter_first_ms) == (stage.clock.now_ms(), since_ms)


async def test_a_valve_that_lets_gas_through_takes_the_suspicion_of_the_riser_away(stage: Stage) -> None:
    await suspected(stage)
    stage.meter("closed", "command", volume=5.05)
    incident = stage.incident()
    assert (incident.valve, incident.before_meter_ms, incident.before_meter_first_ms) == ("gas_still_flows", None, None)
    assert stage.events().count("before_meter_suspected") == 1


async def test_silence_is_neither_clearing_nor_not_clearing(stage: Stage) -> None:
    closed(stage)
    await stage.pass_time(3000.0)
    assert stage.incident().clearing == "unknown"


@pytest.mark.parametrize("state", ["fault", "preheat", "self_test", "end_of_life"])
def test_a_detector_that_cannot_measure_clears_nothing(stage: Stage, state: DetectorState) -> None:
    closed(stage)
    stage.reading(ch4=0.0, state=state)
    assert stage.incident().clearing == "unknown"


def test_every_detector_of_the_leak_must_clear(stage: Stage) -> None:
    closed(stage)
    stage.alarm("D1B", ch4=40.0)
    stage.reading("D1", ch4=2.0)
    assert stage.incident().clearing == "unknown"
    stage.reading("D1B", ch4=2.0)
    assert stage.incident().clearing == "clearing"


# -- reports that follow the command -------------------------------------------------------------------------------------------------


async def test_a_report_measured_before_the_command_does_not_count(stage: Stage) -> None:
    stage.meter("open")
    await stage.pass_time(5.0)
    measured = stage.clock.now_ms()
    await stage.pass_time(5.0)
    stage.alarm()
    await stage.pass_time(0.5)
    stage.meter("closed", "command", ts=measured)
    assert stage.incident().valve == "commanded"
    stage.meter("closed", "command")
    assert stage.incident().valve == "reported_closed"


@pytest.mark.parametrize("skew_s", [-7200, -30, 30, 7200])
async def test_a_wrong_clock_of_the_meter_does_not_matter(stage: Stage, skew_s: int) -> None:
    """What was measured when is told by the estimated offset."""
    skew = skew_s * 1000
    for _ in range(3):
        stage.meter("open", ts=stage.clock.now_ms() + skew)
        await stage.pass_time(5.0)
    before = stage.clock.now_ms() + skew
    await stage.pass_time(5.0)
    stage.alarm()
    await stage.pass_time(0.5)
    stage.meter("closed", "command", ts=before)
    assert stage.incident().valve == "commanded"
    stage.meter("closed", "command", ts=stage.clock.now_ms() + skew)
    assert stage.incident().valve == "reported_closed"
    assert stage.state.devices.of("M1").row()["clock_offset_ms"] == -skew


async def test_a_linkage_that_closed_just_before_is_known_and_the_close_is_still_awaited(stage: Stage) -> None:
    stage.meter("open")
    await stage.pass_time(2.0)
    linkage = stage.clock.now_ms()
    await stage.pass_time(1.0)
    stage.alarm()
    await stage.pass_time(0.5)
    stage.meter("closed", "linkage", ts=linkage)
    assert (stage.incident().valve, stage.incident().valve_closed_locally_ms) == ("commanded", linkage)
    assert stage.events().count("closed_locally") == 1


async def test_a_step_of_the_servers_clock_does_not_make_reports_old(stage: Stage) -> None:
    stage.meter("open")
    stage.alarm()
    stage.clock.step(-3_600_000)
    await stage.pass_time(1.0)
    stage.meter("closed", "command", ts=stage.clock.now_ms() + 3_600_000)
    assert stage.incident().valve == "reported_closed"


# -- meters that sleep ---------------------------------------------------------------------------------------------------------------


def psm(stage: Stage) -> None:
    stage.status(connectivity="psm", report_interval_s=3600)
    stage.meter("open", flow=0.3)


async def test_a_close_waits_for_the_uplink_of_a_meter_that_sleeps(stage: Stage) -> None:
    psm(stage)
    uplink = stage.clock.now_ms() + 3_600_000
    stage.alarm()
    (order,) = stage.orders
    assert (order.valve, order.answer_due_ms) == ("commanded", uplink)
    await stage.pass_time(1800.0)
    assert (len(stage.closes), stage.incident().valve) == (1, "commanded")
    await stage.pass_time(1790.0)
    stage.meter("open")  # it wakes
    assert len(stage.closes) == 2
    assert len({command.command_id for command in stage.closes}) == 1
    stage.ack("done", "closed")
    facts = stage.valve_facts
    assert (facts.valve, facts.answer_due_ms, facts.proof) == ("reported_closed", None, "due_at_uplink")
    assert facts.proof_due_ms == stage.clock.now_ms() + 3_600_000
    assert stage.asked == []


async def test_a_meter_that_misses_its_uplink_has_not_answered(stage: Stage) -> None:
    psm(stage)
    stage.alarm()
    await stage.pass_time(3700.0)
    assert (stage.incident().valve, len(stage.closes)) == ("no_answer", 2)


async def test_the_proof_of_a_sleeping_meter_comes_with_its_uplinks(stage: Stage) -> None:
    psm(stage)
    stage.alarm()
    await stage.pass_time(3000.0)
    stage.meter("open")
    stage.ack("done", "closed")
    stage.meter("closed", "command", volume=1.0)
    await stage.pass_time(3600.0)
    stage.meter("closed", "command", volume=1.0)
    assert stage.incident().proof == "holds"


# -- the meter of the home ------------------------------------------------------------------------------------------------------------


async def test_a_meter_exchanged_during_the_leak_is_closed_too(stage: Stage) -> None:
    closed(stage)
    fresh = stage.state.registry.copy()
    fresh.apply([home(HOME, "M9")], [device(20, "M9", "meter", HOME)], version=2)
    stage.state.registry.take_over(fresh)
    await stage.pass_time(0.25)
    assert [command.device_id for command in stage.closes] == ["M1", "M9"]
    assert (stage.incident().meter_id, stage.incident().valve, stage.incident().proof) == ("M9", "commanded", "none")
    stage.ack("done", "closed", command=stage.closes[0])  # the old one, from the van
    assert stage.incident().valve == "commanded"
    stage.ack("done", "closed", command=stage.closes[1])
    assert stage.incident().valve == "reported_closed"


async def test_a_meter_exchanged_during_the_leak_proves_nothing_by_the_flow_of_the_old_one(stage: Stage) -> None:
    stage.meter("open", volume=5.0, flow=0.5)
    stage.alarm()
    stage.state.registry.apply([home(HOME, "M9")], [device(20, "M9", "meter", HOME)], version=2)
    stage.engine.registry_changed([HOME])
    stage.ack("done", "closed")
    stage.meter("closed", "command", device_id="M9", volume=0.0)
    await stage.pass_time(WINDOW_S + 5)
    stage.meter("closed", "command", device_id="M9", volume=0.0)
    assert stage.incident().proof == "not_provable"


async def test_a_home_that_gets_its_meter_during_the_leak_is_closed(stage: Stage) -> None:
    stage.alarm("D3")
    stage.state.registry.apply([home("H3", "M3")], [device(21, "M3", "meter", "H3")], version=2)
    stage.engine.registry_changed(["H3"])
    assert [command.device_id for command in stage.closes] == ["M3"]
    assert stage.incident("H3").valve == "commanded"


def test_an_answer_to_a_forgotten_close_opens_its_incident(stage: Stage) -> None:
    """The line crashed before it wrote anything down; its close was carried out."""
    other = Stage()
    item = other.alarm()
    command = other.closes[0]
    stage.ack("done", "closed", command=command)
    incident = stage.incident()
    assert incident.incident_id == command.incident_id
    assert (incident.reason, incident.valve, incident.attempts) == ("ack_of_unknown_close", "reported_closed", 1)
    (order,) = stage.orders
    assert (order.order_kind, order.send_crew, order.call) == ("emergency", True, True)
    assert stage.closes == []
    stage.again(item)  # the detector repeats its alarm: the same incident
    assert len([m for m in stage.ports.told if isinstance(m, OrderMessage)]) == 1


async def test_a_refused_forgotten_close_is_tried_anew(stage: Stage) -> None:
    other = Stage()
    other.alarm()
    stage.ack("rejected", "open", command=other.closes[0])
    await stage.pass_time(1.25)
    assert len(stage.closes) == 1
    assert stage.closes[0].command_id != other.closes[0].command_id


def test_an_answer_under_another_id_is_an_alias_of_the_open_incident(stage: Stage) -> None:
    other = Stage()
    other.alarm(seq=900)
    forgotten = other.closes[0]
    stage.meter("open")
    stage.alarm()
    stage.ack("done", "closed", command=forgotten)
    stage.ack("done", "closed", command=forgotten)
    (alias,) = [row for rows in stage.ports.written for row in rows.aliases]
    assert (alias["alias_id"], alias["incident_id"]) == (str(forgotten.incident_id), str(stage.incident().incident_id))
    assert alias["reason"] == "ack_of_unknown_close"
    assert stage.incident().valve == "reported_closed"
    assert len(stage.orders) == 1


def test_a_late_answer_to_what_is_over_opens_nothing(stage: Stage) -> None:
    stage.alarm()
    command = stage.closes[0]
    stage.engine.close(stage.incident(), stage.clock.now_ms(), "dispatch", "restored")
    stage.state.commands.clear()
    stage.ack("done", "closed", command=command)
    assert stage.state.incidents == {}


async def test_a_valve_that_was_opened_rightly_stays_open_over_a_restart(stage: Stage) -> None:
    stage.alarm()
    stage.ack("done", "closed")
    stage.meter("open")
    record = stage.incident().close
    assert record is not None
    stage.engine.valves.due_in(record, 0.0)  # as the start does with every close of an open incident
    await stage.pass_time(30.0)
    assert len(stage.closes) == 1
