"""A town on a clock of its own, and what the broker would have got: the stage of the world's stories."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from core.clock import ManualClock
from core.messages import Command, CommandName, DownAck
from core.topics import down_ack, down_command
from simulator.narration import StoryLine
from simulator.world.home import DevicePlace, HomePlan, SimulatedHome, Traits
from simulator.world.household import Household
from simulator.world.town import TICK_S, Town

FAST = Traits(wake_s=4.5, telemetry_s=10.0)
INCIDENT = UUID(int=77)


def plan(number: int, account: str | None = None, building: str = "") -> HomePlan:
    meter = DevicePlace(f"M{number}", account or f"M{number}")
    detector = DevicePlace(f"D{number}", account or f"D{number}")
    return HomePlan(f"H{number}", (detector,), meter, address_zh="甲", address_en="A", building=building)


@dataclass
class Air:
    """What the broker would have got."""

    sent: list[tuple[str, Any, int, bool]] = field(default_factory=list)

    def send(self, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        self.sent.append((topic, json.loads(payload), qos, retain))

    def said(self, account: str, lane: str) -> list[dict[str, Any]]:
        """Every item of an account in a lane, arrays taken apart."""
        payloads = self.on(f"gas/v1/{account}/up/{lane}")
        return [item for payload in payloads for item in (payload if isinstance(payload, list) else [payload])]

    def on(self, topic: str) -> list[Any]:
        return [payload for name, payload, _, _ in self.sent if name == topic]


@dataclass
class Scene:
    town: Town
    clock: ManualClock
    air: Air
    story: list[StoryLine]

    async def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK_S)):
            await self.clock.advance(TICK_S)
            self.town.tick()

    async def until_alarm(self) -> None:
        """Until the newest leak was published."""
        for _ in range(3_000):
            await self.pass_time(TICK_S)
            if self.town.record.leaks and self.town.record.leaks[-1].published_ms is not None:
                return
        raise AssertionError("the detector never alarmed")

    def household(self, home_id: str = "H1") -> Household:
        return self.town.households[home_id]

    def promise_all(self) -> None:
        """The platform has every alarm that was sent so far."""
        for topic, item, _, _ in list(self.air.sent):
            account, lane = topic.split("/")[2], topic.split("/")[4]
            if lane == "alarm":
                self.promise(item, item.get("device_id", account), account)

    def command(self, number: int, name: CommandName, order_no: int, account: str = "M1", device_id: str = "M1") -> None:
        now = self.clock.now_ms()
        command = Command(
            device_id=device_id,
            command_id=UUID(int=number),
            order_no=order_no,
            command=name,
            incident_id=INCIDENT,
            reason="leak",
            issued_at=now,
            expires_at=now + 60_000,
        )
        self.town.receive(down_command(account), command.model_dump_json().encode())

    def promise(self, alarm: dict[str, Any], device_id: str = "D1", account: str | None = None) -> None:
        ack = DownAck(device_id=device_id, ts=alarm["ts"], boot=alarm["boot"], seq=alarm["seq"])
        self.town.receive(down_ack(account or device_id), ack.model_dump_json().encode())


def scene(traits: Traits = FAST, homes: int = 2, account: str | None = None, building: str = "") -> Scene:
    """``account``: the hub of home 1; with a ``building`` all homes stand in it, and all behind that hub."""
    clock, air = ManualClock(), Air()
    story: list[StoryLine] = []
    hubs = [account if number == 1 or building else None for number in range(1, homes + 1)]
    built = [SimulatedHome(plan(number, hub, building), traits, 7) for number, hub in enumerate(hubs, start=1)]
    town = Town(built, seed=7, boot=3, clock=clock, send=air.send, narrate=story.append)
    town.begin()
    return Scene(town, clock, air, story)
