"""What makes a second hearing a repeat, and what never may: a leak is judged whatever its device said under the same identity before."""

from dataclasses import replace
from uuid import uuid4

import pytest

from alarm_engine.picture import Picture, pieces
from core.ids import CANARY_HOME, CANARY_METER, command_id
from core.items import AlarmItem
from core.messages import AlarmEvent, Command
from core.registry.model import Device
from tests.alarm_engine.stage import HOME, OTHER_HOME, Stage, device, home


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.mark.parametrize("before", ["fault", "power_restored", "leak_cleared", "tamper", None])
def test_a_leak_under_the_identity_of_something_else_closes(stage: Stage, before: AlarmEvent | None) -> None:
    noted = stage.alarm(event=before, ch4=1.0)
    assert stage.closes == []
    leak = replace(noted, event="leak", ch4_lel=40.0)
    stage.again(leak)
    assert [command.device_id for command in stage.closes] == ["M1"]
    assert stage.incident().kind == "leak"
    stage.again(leak)
    assert len(stage.closes) == len(stage.orders) == 1
    assert stage.acknowledged == [noted, leak, leak]


def test_two_events_of_one_payload_without_a_count_are_two(stage: Stage) -> None:
    stage.alarm(event="power_restored", ch4=None, boot=-1, seq=-1)
    stage.alarm(event="leak", ch4=40.0, boot=-1, seq=-1)
    assert len(stage.closes) == 1


async def test_a_device_that_counts_nothing_and_whose_clock_stands_closes_again_after_the_end(stage: Stage) -> None:
    stage.alarm(ts=0, boot=-1, seq=-1)
    first = stage.incident()
    await stage.pass_time(1.0)
    stage.engine.close(first, stage.clock.now_ms(), "dispatch", "restored", tested=True)
    before, item = len(stage.closes), stage.alarm(ts=0, boot=-1, seq=-1)
    assert stage.incident().incident_id != first.incident_id
    assert len(stage.closes) == before + 1
    stage.again(item)
    assert len(stage.orders) == 2


def test_a_leak_that_could_not_be_placed_closes_once_its_home_is_known(stage: Stage) -> None:
    item = stage.alarm("NEW", account="NEW")
    assert stage.closes == []
    stage.state.registry.apply([home("H4", "M4")], [device(20, "NEW", "detector", "H4"), device(21, "M4", "meter", "H4")], 2)
    stage.again(item)
    assert [command.device_id for command in stage.closes] == ["M4"]


async def test_what_was_made_of_an_alarm_outlives_a_start_from_the_snapshot(stage: Stage) -> None:
    noted, leak = stage.alarm(event="fault", ch4=1.0), stage.alarm("D2")
    lines = [b'["picture",2,0,"j",0]', *[line async for some in pieces(stage.state, {}) for line in some]]
    picture = Picture.read(lines)
    assert picture.alarms == {(noted.identity, 0): None, (leak.identity, 2): None}


def _retired(found: Device) -> Device:
    return replace(found, retired=True)


def test_a_detector_that_an_import_retired_still_counts_for_its_open_incident(stage: Stage) -> None:
    stage.alarm()
    stage.ack("rejected", "open")
    incident = stage.incident()
    registry = stage.state.registry
    registry.apply([], [_retired(registry.devices["D1"])], 2)
    before = len(stage.closes)
    stage.ack("done", "closed", command=stage.closes[-1])
    stage.meter("open")
    stage.alarm()
    assert set(stage.state.open_by_place) == {HOME}
    assert stage.incident() is incident
    assert incident.last_leak_ms == stage.clock.now_ms()
    assert len(stage.closes) == before + 1


def test_a_detector_that_joined_its_open_incident_counts_for_it_after_an_import_retired_it(stage: Stage) -> None:
    """It was installed after the incident began: the home's detectors as they were then do not name it."""
    stage.alarm()
    registry = stage.state.registry
    registry.apply([], [device(20, "LATER", "detector", HOME)], 2)
    stage.alarm("LATER")
    assert stage.incident().devices == ["D1", "LATER"]
    stage.ack("done", "closed")
    registry.apply([], [_retired(registry.devices["LATER"])], 3)
    stage.meter("open")
    before = len(stage.closes)
    stage.alarm("LATER")
    assert set(stage.state.open_by_place) == {HOME}
    assert len(stage.closes) == before + 1


def test_only_open_incidents_are_remembered_by_their_detectors(stage: Stage) -> None:
    stage.alarm()
    stage.alarm("D2")
    stage.alarm("X1", account="HUB")
    assert stage.state.places_of_detectors == {"D1": HOME, "D1B": HOME, "D2": OTHER_HOME}
    stage.engine.close(stage.incident(), stage.clock.now_ms(), "dispatch", "restored", tested=True)
    assert stage.state.places_of_detectors == {"D2": OTHER_HOME}


def test_a_retired_detector_is_a_stranger_once_its_incident_is_over(stage: Stage) -> None:
    stage.alarm()
    registry = stage.state.registry
    registry.apply([], [_retired(registry.devices["D1"])], 2)
    stage.engine.close(stage.incident(), stage.clock.now_ms(), "dispatch", "restored", tested=True)
    stage.alarm()
    assert set(stage.state.open_by_place) == {"account:D1"}
    assert len(stage.closes) == 1


@pytest.mark.parametrize("devices", [1, 103])
def test_what_a_stranger_is_promised_is_written_down(stage: Stage, devices: int) -> None:
    for number in range(devices):
        stage.alarm(f"X{number}", account="HUB")
    last: AlarmItem = stage.alarm("X0", account="HUB")
    assert stage.acknowledged[-1] == last
    assert [row["seq"] for row in stage.ports.written[-1].alarms] == [last.seq]
    assert len(stage.orders) == 1


def test_an_answer_to_a_forgotten_close_opens_an_incident_and_none_for_the_canary_home(stage: Stage) -> None:
    stage.state.registry.apply([home(CANARY_HOME, CANARY_METER)], [device(30, CANARY_METER, "meter", CANARY_HOME)], 2)
    for meter, place in ((CANARY_METER, []), ("M1", [HOME])):
        named = uuid4()
        forgotten = Command(
            device_id=meter,
            command_id=command_id(named, "close_valve", 1),
            order_no=stage.clock.now_ms(),
            command="close_valve",
            incident_id=named,
            reason="leak",
            issued_at=stage.clock.now_ms(),
            expires_at=stage.clock.now_ms(),
        )
        stage.ack("done", "closed", command=forgotten, device_id=meter)
        assert list(stage.state.open_by_place) == place
