"""The simulated devices on a real broker: what a station hears of them, and that they hear a station."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from core.clock import SystemClock
from core.messages import Command
from core.mqtt.link import Link
from core.mqtt.port import Incoming
from core.topics import UP_ACK, UP_STATUS, UP_TELEMETRY, down_command
from deploy.embedded.testing import TestBroker
from simulator.narration import silent
from simulator.world.home import DevicePlace, HomePlan, SimulatedHome, Traits
from simulator.world.radio import Radio
from simulator.world.town import Town


@asynccontextmanager
async def station(broker: TestBroker, *topics: str) -> AsyncIterator[tuple[Link, "asyncio.Queue[tuple[str, dict[str, Any]]]"]]:
    """A connection with the line's rights, and what it hears."""
    heard: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    def on_message(message: Incoming) -> None:
        message.ack()
        heard.put_nowait((message.topic, json.loads(message.payload)))

    link = Link(
        broker.host,
        broker.port,
        "line",
        "line",
        broker.accounts["line"],
        subscriptions=list(topics),
        on_message=on_message,
        clean_start=True,
    )
    await link.start()
    await link.wait_connected(10)
    try:
        yield link, heard
    finally:
        await link.stop()


async def next_of(heard: "asyncio.Queue[tuple[str, dict[str, Any]]]", topic: str) -> dict[str, Any]:
    while True:
        name, payload = await asyncio.wait_for(heard.get(), 15)
        if name == topic:
            return payload


async def test_a_town_on_a_real_broker_reports_obeys_and_falls_silent(broker: TestBroker) -> None:
    plan = HomePlan("H1", (DevicePlace("D1", "D1"),), DevicePlace("M1", "M1"))
    clock = SystemClock()
    password = broker.accounts["fleet"]
    async with (
        station(broker, UP_STATUS, UP_TELEMETRY, UP_ACK) as (link, heard),
        Radio(broker.host, broker.port, "fleet", password, "fleet-test") as radio,
    ):
        homes = [SimulatedHome(plan, Traits(travel_s=0.2), 1)]
        town = Town(homes, seed=1, boot=1, clock=clock, send=radio.send, narrate=silent)
        radio.listen(town.receive)
        town.begin()
        running = asyncio.create_task(town.run())
        assert (await next_of(heard, "gas/v1/M1/up/status"))["online"] is True
        assert (await next_of(heard, "gas/v1/M1/up/telemetry"))["valve"] == "open"
        town.watch("H1")
        now = clock.now_ms()
        order = Command(
            device_id="M1",
            command_id=UUID(int=1),
            order_no=now,
            command="close_valve",
            reason="leak",
            issued_at=now,
            expires_at=now + 60_000,
        )
        await link.publish(down_command("M1"), order.model_dump_json().encode(), qos=1)
        answers = [(await next_of(heard, "gas/v1/M1/up/ack"))["result"] for _ in range(2)]
        assert answers == ["accepted", "done"]
        assert [h.account for h in town.record.closes_heard("H1")] == ["M1"]
        running.cancel()
        town.fall_silent()
        assert (await next_of(heard, "gas/v1/M1/up/status"))["online"] is False
