"""One account against the whole line, over a real broker and a real database: it is reported, bounded, and hides nobody's leak."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core import topics
from core.station import STATION_MESSAGE, TaskMessage
from deploy.embedded.testing import TestBroker
from tests.gateway.line_stage import DispatchEar, Town, forget_sessions, until

ALARMS = 10_000


@pytest.fixture
def fresh_broker(broker: TestBroker) -> Iterator[TestBroker]:
    forget_sessions(broker)
    yield broker
    forget_sessions(broker)


@pytest.fixture
async def town(database: str, fresh_broker: TestBroker, tmp_path: Path) -> AsyncIterator[Town]:
    found = Town(database, fresh_broker, tmp_path)
    yield found
    await found.close()


def floods(ear: DispatchEar) -> set[object]:
    """Reports of a flood, each once."""
    messages = [STATION_MESSAGE.validate_json(payload) for _, payload in ear.listen()]
    return {m.message_id for m in messages if isinstance(m, TaskMessage) and m.kind == "account_flooding"}


async def test_a_flood_of_made_up_devices_and_garbage_on_both_lanes_hides_nobodys_leak(town: Town) -> None:
    town.enlist(2)
    await town.start()
    detector, meter = town.home(1)
    hostile = town.device(town.own("D", 2))
    dispatch = town.dispatch()
    topic, telemetry = (topics.up(hostile.account, lane) for lane in ("alarm", "telemetry"))
    leak = None
    for number in range(ALARMS):
        if number == ALARMS // 2:
            leak = await detector.leak()
        # Readings that say nothing of normal air, and now and then what nobody can read.
        reading = hostile.item(state="fault")
        hostile._paho.publish(telemetry, json.dumps(reading) if number % 10 == 0 else b"{", qos=1)
        payload = b'{"event":"leak","device_id":"made-up-%d","ts":%d,"boot":1,"seq":1}' % (number, number)
        if number % 100 == 99:
            await hostile.publish(topic, b"garbage %d" % number)
        else:
            hostile._paho.publish(topic, payload if number % 2 else b"garbage %d" % number, qos=1)
    assert leak is not None
    close = await meter.command()
    assert (close.device_id, close.command) == (meter.account, "close_valve")
    await detector.promised(leak)
    await meter.answer(close, "done", "closed")
    await town.incident(1, "reported_closed")
    # The last of the flood is behind us when a message that was published after it is.
    late = detector.item(event="fault")
    await detector.up("alarm", late)
    await detector.promised(late)
    reading = hostile.item(state="fault")
    await hostile.up("telemetry", reading)
    view = town.line.state.devices.of(hostile.account)
    await until(lambda: view.order == (1, reading["seq"]), "the last reading of the flood of telemetry is heard")
    await until(lambda: floods(dispatch), "the flood is reported")
    assert len(floods(dispatch)) == 1
    (kept,) = await town.rows("SELECT count(*) AS rows, sum(count) AS seen FROM quarantine")
    assert kept["rows"] < 100
    # A device on its own account speaks for itself, whatever it calls itself: its home leaks, once.
    kinds = await town.rows("SELECT kind, count(*) AS many FROM incidents GROUP BY kind ORDER BY kind")
    assert {row["kind"]: row["many"] for row in kinds} == {"garbled_alarm": 1, "leak": 2}
    assert town.line.health().ok
