"""The device that vendors copy, held to the contract over a real broker by a platform that only listens and commands."""

import asyncio
import contextlib
import json
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from core.messages import CONTRACT, Ack, Command, DownAck
from core.mqtt.link import Link
from core.mqtt.port import Incoming
from deploy.embedded.testing import TestBroker
from simulator.reference_device import Detector, Device, Meter

PATIENCE_S = 60.0
Item = dict[str, Any]


class Platform:
    """What came up from one account, each item read by the contract's own model; and a way to send down."""

    def __init__(self, broker: TestBroker, account: str) -> None:
        self.account = account
        self.up: dict[str, list[Item]] = {"telemetry": [], "alarm": [], "ack": [], "status": []}
        self.qos: set[tuple[str, int]] = set()
        self.retained: list[Item] = []
        self.order_no = 1_000
        self.link = Link(
            *(broker.host, broker.port, f"watch-{account}", "fleet", broker.accounts["fleet"]),
            on_message=self.hear,
            subscriptions=[f"gas/v1/{account}/up/#"],
            clean_start=True,
            session_expiry_s=0,
        )

    def hear(self, message: Incoming) -> None:
        lane = message.topic.rpartition("/")[2]
        item = json.loads(message.payload)
        names = [f"up.{lane}"] if lane != "telemetry" else ["up.telemetry.detector" if "ch4_lel" in item else "up.telemetry.meter"]
        CONTRACT[names[0]].model_validate(item)
        self.qos.add((lane, message.qos))
        (self.retained if message.retain and lane == "status" else []).append(item)
        self.up[lane].append(item)
        message.ack()

    def acks(self) -> list[tuple[str, str | None]]:
        """Result and valve of every answer so far."""
        return [(a["result"], a.get("valve")) for a in self.up["ack"]]

    def command(self, name: str, *, order_no: int | None = None, expires_in_s: float = 60.0, command_id: str | None = None) -> Item:
        self.order_no += 1
        now = int(time.time() * 1000)
        body = {
            "device_id": self.account,
            "command_id": command_id or str(uuid.uuid4()),
            "order_no": self.order_no if order_no is None else order_no,
            "command": name,
            "incident_id": str(uuid.uuid4()),
            "reason": "leak",
            "issued_at": now,
            "expires_at": now + int(expires_in_s * 1000),
        }
        Command.model_validate(body)
        return body

    def send(self, command: Item) -> Item:
        topic, payload = f"gas/v1/{self.account}/down/command", json.dumps(command).encode()
        if command["command"] == "open_valve":
            self.link.publish(topic, payload, qos=0)
        else:
            self.link.publish(topic, payload, qos=1)
        return command

    def promise(self, alarm: Item, **other: int) -> None:
        """``down/ack``: the alarm is durable."""
        body = DownAck.model_validate({"device_id": self.account, **alarm, **other})
        self.link.publish(f"gas/v1/{self.account}/down/ack", body.model_dump_json().encode(), qos=1)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def living(device: Device, broker: TestBroker, platform: Platform) -> AsyncIterator[None]:
    """The device on its account, until the end of the block."""
    life = asyncio.create_task(device.live(broker.host, broker.port, broker.account(device.account)))
    await until(lambda: platform.up["status"] and platform.up["telemetry"])
    yield
    for task in (life, *device.tasks):
        task.cancel()
    await asyncio.gather(life, *device.tasks, return_exceptions=True)


@pytest.fixture
async def platform(broker: TestBroker) -> AsyncIterator[Platform]:
    account = f"ref-{uuid.uuid4().hex[:12]}"
    broker.account(account)
    watching = Platform(broker, account)
    await watching.link.start()
    await watching.link.wait_connected(PATIENCE_S)
    yield watching
    await watching.link.stop()


async def test_an_alarm_is_repeated_unchanged_until_this_very_alarm_is_promised(broker: TestBroker, platform: Platform) -> None:
    device = Detector(platform.account, repeat_s=(0.02, 0.05))
    async with living(device, broker, platform):
        leak = asyncio.create_task(device.leak(0))
        alarms = platform.up["alarm"]
        await until(lambda: len(alarms) >= 3)
        platform.promise(alarms[0], ts=alarms[0]["ts"] - 1)
        await until(lambda: len(alarms) >= 6)
        assert not leak.done()
        platform.promise(alarms[0])
        await asyncio.wait_for(leak, PATIENCE_S)
        platform.send(platform.command("report"))
        await until(lambda: platform.up["ack"])
        repeated = len(alarms)
        platform.send(platform.command("report"))
        await until(lambda: len(platform.up["ack"]) == 2)
        assert len(alarms) == repeated
        assert all(alarm == alarms[0] for alarm in alarms)
        assert alarms[0]["event"] == "leak"
        assert platform.up["telemetry"][-1]["state"] == "alarm"
        assert {(lane, qos) for lane, qos in platform.qos if lane != "telemetry"} == {("alarm", 1), ("ack", 1), ("status", 1)}


def test_repeats_start_at_five_seconds_and_grow_to_sixty() -> None:
    async def waits() -> list[float]:
        device = Detector("d")
        seen: list[float] = []

        async def no_waiting(event: Any, wait_s: float) -> None:
            event.close()
            seen.append(wait_s)
            if len(seen) == 7:
                next(iter(device.unacknowledged.values())).set()
            raise TimeoutError

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio, "wait_for", no_waiting)
            await device.raise_alarm(event="leak", ch4_lel=20.0)
        return seen

    assert asyncio.run(waits()) == [5, 10, 20, 40, 60, 60, 60]


async def test_a_close_is_accepted_then_done_and_its_repeat_is_answered_again(broker: TestBroker, platform: Platform) -> None:
    device = Meter(platform.account)
    device.travel_s = 0.05
    async with living(device, broker, platform):
        stale = platform.send(platform.command("close_valve", expires_in_s=-3_600))  # a close does not age
        await until(lambda: len(platform.acks()) == 2)
        assert platform.acks() == [("accepted", "open"), ("done", "closed")]
        assert [Ack.model_validate(a).command_id for a in platform.up["ack"]] == [uuid.UUID(stale["command_id"])] * 2
        await until(lambda: platform.up["telemetry"][-1]["valve"] == "closed")
        done = platform.up["ack"][-1]
        platform.send(stale)
        await until(lambda: len(platform.acks()) == 3)
        assert platform.up["ack"][-1] == done
        assert device.valve == "closed"


async def test_a_superseded_order_is_refused_and_a_detector_has_no_valve(broker: TestBroker, platform: Platform) -> None:
    device = Meter(platform.account)
    device.travel_s = 0.01
    async with living(device, broker, platform):
        platform.send(platform.command("close_valve", order_no=50))
        await until(lambda: len(platform.acks()) == 2)
        platform.send(platform.command("open_valve", order_no=49))
        await until(lambda: len(platform.acks()) == 3)
        platform.send(platform.command("close_valve", order_no=48))
        await until(lambda: len(platform.acks()) == 4)
        assert platform.acks()[2:] == [("rejected", "closed"), ("rejected", "closed")]
        assert [a["detail"] for a in platform.up["ack"][2:]] == ["superseded", "superseded"]


async def test_a_detector_refuses_valve_orders(broker: TestBroker, platform: Platform) -> None:
    async with living(Detector(platform.account), broker, platform):
        platform.send(platform.command("close_valve"))
        await until(lambda: platform.acks())
        assert platform.acks() == [("rejected", None)]


class Attended(Meter):
    """The key is pressed, or the time is over, when the test says so."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.time_has_come = asyncio.Event()
        self.waited_s: list[float] = []

    async def at_the_key(self, left_s: float) -> None:
        self.waited_s.append(left_s)
        await self.time_has_come.wait()


@pytest.mark.parametrize("key_pressed", [True, False])
async def test_an_open_needs_a_person_at_the_meter_before_it_expires(broker: TestBroker, platform: Platform, key_pressed: bool) -> None:
    device = Attended(platform.account)
    device.travel_s, device.key_pressed, device.valve = 0.01, key_pressed, "closed"
    async with living(device, broker, platform):
        platform.send(platform.command("open_valve", expires_in_s=60))
        await until(lambda: platform.acks())
        assert (platform.acks(), device.valve) == ([("accepted", "closed")], "closed")
        device.time_has_come.set()
        await until(lambda: len(platform.acks()) == 2)
        assert platform.acks() == [("accepted", "closed"), ("done", "open") if key_pressed else ("expired", "closed")]
        [left_s] = device.waited_s
        assert 0 < left_s <= 60


@pytest.mark.parametrize(("key_pressed", "left_s", "waits_s"), [(True, 60.0, 1.0), (True, 0.3, 0.3), (False, 60.0, 60.0)])
async def test_the_key_is_pressed_after_a_second_or_the_open_waits_until_it_expires(
    monkeypatch: pytest.MonkeyPatch, key_pressed: bool, left_s: float, waits_s: float
) -> None:
    device = Meter("m")
    device.key_pressed = key_pressed
    seen: list[float] = []

    async def no_waiting(seconds: float) -> None:
        seen.append(seconds)

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "sleep", no_waiting)
        await device.at_the_key(left_s)
    assert seen == [waits_s]


async def test_an_open_that_came_late_or_was_overtaken_by_a_close_moves_nothing(broker: TestBroker, platform: Platform) -> None:
    device = Attended(platform.account)
    device.travel_s, device.key_pressed, device.valve = 0.01, True, "closed"
    async with living(device, broker, platform):
        platform.send(platform.command("open_valve", expires_in_s=-1))
        await until(lambda: platform.acks() == [("expired", None)])
        opened = platform.send(platform.command("open_valve"))
        await until(lambda: len(platform.acks()) == 2)
        platform.send(platform.command("close_valve"))
        await until(lambda: len(platform.acks()) == 4)
        device.time_has_come.set()
        await until(lambda: len(platform.acks()) == 5)
        [overtaken] = [a for a in platform.up["ack"] if a["command_id"] == opened["command_id"] and a["result"] != "accepted"]
        assert (overtaken["result"], overtaken["detail"]) == ("rejected", "superseded")
        assert device.valve == "closed"


@pytest.mark.parametrize("kind", [Detector, Meter])
async def test_what_it_does_not_know_and_what_is_not_for_it_it_ignores(broker: TestBroker, platform: Platform, kind: type[Device]) -> None:
    device = kind(platform.account)
    async with living(device, broker, platform):
        platform.send({**platform.command("close_valve"), "device_id": "somebody-else"})
        platform.send({**platform.command("report"), "command": "dance"})
        platform.send({**platform.command("report"), "vendor": {"x": [1]}})
        await until(lambda: platform.acks())
        assert [(a["command"], a["result"]) for a in platform.up["ack"]] == [("report", "done")]
        assert getattr(device, "valve", "open") == "open"


async def test_a_reboot_counts_up_and_keeps_answers_order_and_alarms_and_forgets_an_open(broker: TestBroker, platform: Platform) -> None:
    device = Attended(platform.account, repeat_s=(0.05, 0.1))
    device.travel_s, device.away_s, device.key_pressed = 0.01, (0.0, 0.05), True
    async with living(device, broker, platform):
        close = platform.send(platform.command("close_valve"))
        await until(lambda: len(platform.acks()) == 2)
        done, boot = platform.up["ack"][-1], device.boot
        alarm = asyncio.create_task(device.raise_alarm(event="tamper"))
        opened = platform.send(platform.command("open_valve"))
        await until(lambda: len(platform.acks()) == 3)
        device.reboot()
        await until(lambda: platform.up["status"][-1]["boot"] == boot + 1)
        repeated = len(platform.up["alarm"])
        await until(lambda: len(platform.up["alarm"]) > repeated)
        assert platform.up["alarm"][-1] == platform.up["alarm"][0]
        platform.promise(platform.up["alarm"][0])
        await asyncio.wait_for(alarm, PATIENCE_S)
        platform.send(close)
        await until(lambda: len(platform.acks()) == 4)
        assert platform.up["ack"][-1] == done
        platform.send(platform.command("close_valve", order_no=close["order_no"] - 1))
        await until(lambda: len(platform.acks()) == 5)
        assert platform.acks()[-1] == ("rejected", "closed")
        device.time_has_come.set()
        await until(lambda: not device.tasks)
        assert [a["result"] for a in platform.up["ack"] if a["command_id"] == opened["command_id"]] == ["accepted"]
        assert device.valve == "closed"


async def test_as_a_program_it_leaks_and_its_last_will_says_that_it_is_gone(broker: TestBroker, platform: Platform) -> None:
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator.reference_device", "--host", broker.host, "--port", str(broker.port)),
        *("--account", platform.account, "--password", broker.account(platform.account), "--kind", "detector", "--leak-after", "0.1"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        await until(lambda: platform.up["alarm"])
        platform.promise(platform.up["alarm"][0])
        online = platform.up["status"][-1]
        assert online["online"] is True
        assert (online["connectivity"], online["report_interval_s"]) == ("always_on", 60)
    finally:
        program.kill()
        said, complained = await program.communicate()
    assert said == b""
    assert "报警 leak / alarm leak" in complained.decode()
    await until(lambda: platform.up["status"][-1]["online"] is False)
    late = Platform(broker, platform.account)
    await late.link.start()
    await until(lambda: late.retained)
    await late.link.stop()
    assert late.retained[0]["online"] is False
