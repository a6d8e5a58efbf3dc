"""The whole line, with a real database and a real broker, as devices meet it through an independent client in both protocol versions."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from paho.mqtt.enums import MQTTProtocolVersion
from prometheus_client import REGISTRY

from core import topics
from core.station import STATION_MESSAGE, Taken, ValveMessage
from deploy.embedded.testing import TestBroker, start_test_broker
from tests.gateway.line_stage import V5, V311, WAIT_S, Town, forget_sessions, until


@pytest.fixture
def fresh_broker(broker: TestBroker) -> Iterator[TestBroker]:
    """The broker of the run, with nothing left over for the stations."""
    forget_sessions(broker)
    yield broker
    forget_sessions(broker)


@pytest.fixture
async def town(database: str, fresh_broker: TestBroker, tmp_path: Path) -> AsyncIterator[Town]:
    found = Town(database, fresh_broker, tmp_path)
    yield found
    await found.close()


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


# -- one leak ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5"])
async def test_a_leak_from_its_first_byte_to_the_closed_valve(town: Town, version: MQTTProtocolVersion) -> None:
    town.enlist(2)
    await town.start()
    detector, meter = town.home(1, version)
    dispatch = town.dispatch()
    item = await detector.leak()
    command = await meter.command()
    assert (command.device_id, command.command, command.reason) == (meter.account, "close_valve", "leak")
    await detector.promised(item)
    # The promise means that it is durable: it must be there now, not soon.
    (alarm,) = await town.rows("SELECT * FROM alarms WHERE device_id = %s", detector.account)
    assert (alarm["ts"], alarm["boot"], alarm["seq"], alarm["verdict"]) == (item["ts"], item["boot"], item["seq"], "leak")
    order = await dispatch.order(town.own("H", 1))
    assert (order.order_kind, order.valve, order.send_crew, order.call, order.simulated) == ("emergency", "commanded", True, True, True)
    assert order.incident_id == alarm["incident_id"] == command.incident_id
    (outbox,) = await town.rows("SELECT message_id FROM outbox WHERE incident_id = %s", order.incident_id)
    assert outbox["message_id"] == order.message_id
    await meter.answer(command, "accepted")
    await meter.answer(command, "done", "closed")
    incident = await town.incident(1, "reported_closed")
    assert incident["reported_closed_ms"] >= incident["close_sent_ms"] >= incident["received_ms"]
    stored = await town.row("SELECT * FROM commands WHERE command_id = %s AND state = 'reported_closed'", command.command_id)
    assert (stored["result"], stored["attempt"]) == ("done", 1)

    def words() -> list[str]:
        return [m.valve for m in dispatch.messages(town.own("H", 1)) if isinstance(m, ValveMessage)]

    await until(lambda: words() == ["accepted", "reported_closed"], "dispatch hears of the valve")
    kinds = [row["kind"] for row in await town.rows("SELECT kind FROM incident_events WHERE incident_id = %s", order.incident_id)]
    assert set(kinds) >= {"opened", "close_sent", "order_sent", "close_accepted", "reported_closed"}
    assert len(meter.closes) == 1
    assert await town.rows("SELECT 1 FROM incidents WHERE place <> %s", town.own("H", 1)) == []


@pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5"])
async def test_a_repeat_is_promised_again_and_nothing_else(town: Town, version: MQTTProtocolVersion) -> None:
    town.enlist(1)
    await town.start()
    detector, meter = town.home(1, version)
    item = await detector.leak()
    await meter.answer(await meter.command(), "done", "closed")
    await town.incident(1, "reported_closed")
    for times in (2, 3):
        await detector.up("alarm", item)
        await detector.promised(item, times)
    assert len(meter.closes) == 1
    assert len(await town.rows("SELECT 1 FROM alarms")) == 1
    assert len(await town.rows("SELECT 1 FROM incidents")) == 1
    assert len(await town.rows("SELECT 1 FROM outbox")) == 2  # the order, and the valve


async def test_the_close_and_the_order_leave_while_the_database_does_not_answer(town: Town) -> None:
    town.enlist(1)
    await town.start()
    detector, meter = town.home(1)
    dispatch = town.dispatch()
    async with await psycopg.AsyncConnection.connect(town.dsn) as holder:
        await holder.execute("LOCK TABLE alarms IN ACCESS EXCLUSIVE MODE")
        item = await detector.leak()
        command = await meter.command()
        await dispatch.order(town.own("H", 1))
        await meter.answer(command, "done", "closed")
        await until(lambda: town.line.state.open_by_place[town.own("H", 1)].is_closed, "the line hears of the closed valve")
        assert detector.promises == []
        assert town.line.ledger.depth > 0
        await holder.rollback()
    await detector.promised(item)
    assert (await town.incident(1))["account"] == detector.account


async def test_a_leak_in_telemetry_closes_and_is_stored_as_a_reading(town: Town) -> None:
    town.enlist(1)
    await town.start()
    detector, meter = town.home(1)
    await detector.up("telemetry", detector.item(ch4_lel=0.4, state="normal"), detector.item(ch4_lel=12.0, state="warning"))
    command = await meter.command()
    assert command.command == "close_valve"
    assert (await town.incident(1))["lane"] == "telemetry"
    await meter.up("telemetry", meter.item(volume_m3=5.25, flow_m3h=0.0, valve="closed", cause="command"))
    await town.incident(1, "reported_closed")
    readings = "SELECT r.* FROM {} r JOIN devices d USING (device_no) WHERE d.device_id = %s"
    await town.row(readings.format("meter_readings") + " AND r.valve = 'closed'", meter.account)
    async with asyncio.timeout(WAIT_S):
        while len(await town.rows(readings.format("detector_readings"), detector.account)) != 2:
            await asyncio.sleep(0.02)
    state = await town.row("SELECT * FROM device_state WHERE device_id = %s AND valve = 'closed'", meter.account)
    assert (state["volume_m3"], state["cause"]) == (5.25, "command")


async def test_behind_a_hub_everything_goes_by_the_hub(town: Town) -> None:
    town.enlist(2, hub=True)
    await town.start()
    hub = town.device(town.own("HUB", 1))
    item = hub.item(device_id=town.own("D", 2), event="leak")
    await hub.up("alarm", {"nonsense": True}, item)
    command = await hub.command()
    assert command.device_id == town.own("M", 2)
    await hub.promised(item)
    assert [promise.device_id for promise in hub.promises] == [town.own("D", 2)]
    await hub.answer(command, "done", "closed")
    await town.incident(2, "reported_closed")


# -- what is not as it should be -----------------------------------------------------------------------------------------------------


async def test_a_garbled_alarm_is_a_triage_task_and_holds_nobody(town: Town) -> None:
    town.enlist(1)
    await town.start()
    detector, meter = town.home(1)
    dispatch = town.dispatch()
    await detector.publish(topics.up(detector.account, "alarm"), b'{"event":"le')
    order = await dispatch.order(f"garbled:{detector.account}")
    assert (order.incident_kind, order.order_kind, order.send_crew, order.call) == ("garbled_alarm", "triage", False, False)
    assert meter.commands == []
    item = await detector.leak()
    await meter.command()
    await detector.promised(item)
    kept = await town.row("SELECT * FROM quarantine WHERE account = %s", detector.account)
    assert (kept["account"], kept["lane"], kept["reason"], kept["sample"]) == (detector.account, "alarm", "not_json", b'{"event":"le')


@pytest.mark.parametrize(
    "payload",
    [
        b'{"event":"leak","ts":5,"boot":1,"seq":"x"}',
        b'{"event":"leak","ts":5,"boot":null,"seq":1}',
        b'{"event":"leak","ts":"soon","boot":1,"seq":1,"ch4_lel":[],"valve":9,"cause":{}}',
        b'{"event":"leak","device_id":"a/b","ts":5,"boot":1,"seq":2}',
        b'{"event":"leak"}',
    ],
    ids=bytes.decode,
)
async def test_a_leak_with_defects_closes_and_the_line_lives_on(town: Town, payload: bytes) -> None:
    town.enlist(2)
    await town.start()
    detector, meter = town.home(1)
    await detector.publish(topics.up(detector.account, "alarm"), payload)
    await meter.command()
    alarm = await town.row("SELECT * FROM alarms")
    assert (alarm["verdict"], alarm["defects"] != []) == ("leak", True)
    other, other_meter = town.home(2)
    item = await other.leak()
    await other_meter.command()
    await other.promised(item)
    assert town.line.health().ok


async def test_hostile_words_reach_no_column_and_stop_nobody(town: Town) -> None:
    town.enlist(1)
    await town.start()
    detector, meter = town.home(1)
    await meter.up("status", meter.item(online=True, model="a\0b"))
    await meter.up("telemetry", meter.item(volume_m3=1.0, flow_m3h=1e300, valve="open", battery_v=-1e300))
    await detector.up("telemetry", detector.item(ch4_lel=-1e300, state="normal"))
    await detector.leak()
    command = await meter.command()
    await meter.up(
        "ack",
        meter.item(command_id=str(command.command_id), order_no=1, command="close_valve", result="accepted", detail="x\0y"),
    )
    await meter.answer(command, "done", "closed")
    await town.incident(1, "reported_closed")
    stored = await town.row("SELECT * FROM commands WHERE state = 'reported_closed'")
    assert stored["detail"] == "x\ufffdy"
    await detector.up("telemetry", detector.item(ch4_lel=0.0, state="normal"))
    state = await town.row("SELECT * FROM device_state WHERE device_id = %s AND model IS NOT NULL", meter.account)
    assert state["model"] == "a\ufffdb"
    await town.row("SELECT 1 FROM detector_readings WHERE ch4_lel = 0")


async def test_an_unknown_sender_is_triaged_and_closes_nothing(town: Town) -> None:
    town.enlist(1)
    await town.start()
    _, meter = town.home(1)
    stranger = town.device(town.own("X", 1))
    dispatch = town.dispatch()
    item = await stranger.leak(device_id=town.own("D", 1))
    order = await dispatch.order(f"account:{stranger.account}")
    assert (order.incident_kind, order.order_kind, order.home) == ("unknown_sender", "triage", None)
    alarm = await town.row("SELECT * FROM alarms WHERE seq = %s", item["seq"])
    assert (alarm["account"], alarm["verdict"], alarm["home_id"]) == (stranger.account, "unknown_sender", None)
    await stranger.up("telemetry", stranger.item(ch4_lel=1.0, state="normal"))
    await town.row("SELECT 1 FROM quarantine WHERE account = %s AND reason = 'unknown_sender'", stranger.account)
    assert meter.commands == []


async def test_a_stored_alarm_is_counted_and_judged(town: Town) -> None:
    town.enlist(1)
    detector, meter = town.home(1)
    before = sample("gas_line_retained_total", lane="alarm")
    item = detector.item(event="leak")
    await detector.up("alarm", item, retain=True)
    try:
        await town.start()
        await meter.command()
        await detector.promised(item)
        assert sample("gas_line_retained_total", lane="alarm") == before + 1
    finally:
        await town.stop()
        await detector.publish(topics.up(detector.account, "alarm"), b"", retain=True)


# -- registry, restart, broker -------------------------------------------------------------------------------------------------------


async def test_an_import_is_taken_while_the_line_runs(town: Town) -> None:
    town.enlist(1)
    await town.start()
    detector, meter = town.home(2)
    await detector.leak()
    await town.row("SELECT 1 FROM incidents WHERE kind = 'unknown_sender'")
    assert meter.commands == []
    await asyncio.to_thread(town.enlist, 2)
    await until(lambda: town.own("D", 2) in town.line.state.registry.devices, "the line takes the import")
    item = await detector.leak()
    command = await meter.command()
    await detector.promised(item)
    await meter.answer(command, "done", "closed")
    await town.incident(2, "reported_closed")


async def test_a_line_that_starts_again_takes_up_its_close(town: Town) -> None:
    town.enlist(1)
    await town.start()
    detector, meter = town.home(1)
    item = await detector.leak()
    command = await meter.command()
    await detector.promised(item)
    await town.stop()
    sent = len(meter.commands)
    await town.start()
    await until(lambda: len(meter.commands) > sent, "the close is sent again")
    assert {again.command_id for again in meter.commands} == {command.command_id}
    assert {again.order_no for again in meter.commands} == {command.order_no}
    await detector.up("alarm", item)
    await detector.promised(item, 2)
    await meter.answer(command, "done", "closed")
    await town.incident(1, "reported_closed")
    assert len(await town.rows("SELECT 1 FROM incidents")) == 1
    assert len(await town.rows("SELECT 1 FROM alarms")) == 1


async def test_what_was_said_while_the_line_was_away_is_judged_when_it_is_back(town: Town) -> None:
    town.enlist(1)
    await town.start()
    await town.stop()
    detector, meter = town.home(1)
    item = await detector.leak()
    await detector.up("telemetry", detector.item(ch4_lel=30.0, state="alarm"))
    assert meter.commands == []
    await town.start()
    await meter.command()
    await detector.promised(item)
    await town.incident(1)
    await town.row("SELECT 1 FROM detector_readings WHERE ch4_lel = 30")


async def test_dispatch_is_told_again_until_it_says_that_it_has_it(town: Town) -> None:
    town.enlist(1)
    await town.start()
    detector, _ = town.home(1)
    dispatch = town.dispatch()
    await detector.leak()
    order = await dispatch.order(town.own("H", 1))

    def copies() -> int:
        return sum(STATION_MESSAGE.validate_json(payload).message_id == order.message_id for _, payload in dispatch.listen())

    await until(lambda: copies() >= 2, "the order is said again")
    await dispatch.publish(topics.TO_LINE, b"no answer at all")
    assert town.line.downlink.station_messages.depth >= 1
    for message in dispatch.messages(town.own("H", 1)):
        await dispatch.publish(topics.TO_LINE, Taken(message_id=message.message_id).model_dump_json().encode())
    await until(lambda: order.message_id not in town.line.downlink.station_messages._waiting, "the line takes the answer")


async def test_a_request_is_answered_at_once(town: Town) -> None:
    town.enlist(1)
    await town.start()
    _, meter = town.home(1)
    await town.rows(
        "INSERT INTO requests (request_id, station, kind, body, actor) VALUES (gen_random_uuid(), 'line', 'order_finished', "
        "'{\"incident_id\": 5}', 'dispatch'), (gen_random_uuid(), 'line', 'close_valve', jsonb_build_object('home_id', %s::text), "
        "'desk-1') RETURNING 1",
        town.own("H", 1),
    )
    command = await meter.command()
    assert command.command == "close_valve"
    done = await town.row("SELECT answer FROM requests WHERE state = 'done'")
    assert done["answer"]["command_id"] == str(command.command_id)
    refused = await town.row("SELECT answer FROM requests WHERE state = 'refused'")
    assert refused["answer"]["reason"] == "bad_request"


async def test_health_is_red_without_the_broker_and_green_again(database: str, tmp_path: Path) -> None:
    broker = start_test_broker(tmp_path / "broker")
    town = Town(database, broker, tmp_path)
    try:
        town.enlist(1)
        await town.start()
        detector, meter = town.home(1)
        await asyncio.to_thread(broker.server.stop)
        await until(lambda: set(town.line.health().reasons) == {"alarm_lane_down", "telemetry_lane_down"}, "health red")
        broker.server.start(broker.port)
        await town.healthy()
        # The devices come back by themselves; paho subscribes nothing by itself.
        again, meter_again = town.home(1)
        item = await again.leak()
        await meter_again.command()
        await again.promised(item)
        del detector, meter
    finally:
        await town.close()
        broker.stop()
