"""The line's door alone: a lane over a real engine and the real way down, with a wire that writes down what went out on it."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from alarm_engine.engine import Engine
from alarm_engine.registry_view import Placed, RegistryView
from alarm_engine.rows import Rows
from alarm_engine.settings import LineSettings
from alarm_engine.state import Done, LineState
from core import topics
from core.clock import ManualClock
from core.items import Item
from core.messages import Command, DownAck
from core.registry.model import Contact, Device, DeviceKind, Home
from core.station import STATION_MESSAGE, OrderMessage, StationMessage, TaskMessage
from gateway.down import Downlink
from gateway.lane import Lane
from gateway.quarantine import Quarantine
from gateway.readings import Readings


@dataclass
class Message:
    """One message as the link gives it."""

    topic: str
    payload: bytes
    retain: bool = False
    qos: int = 1
    duplicate: bool = False
    acks: int = 0

    def ack(self) -> None:
        self.acks += 1


class Wire:
    """What was published, in order: topic, payload, QoS."""

    connected = True
    held = 0

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, int]] = []

    def publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False, urgent: bool = False) -> Any:
        assert not retain
        self.sent.append((topic, payload, qos))
        confirmed = asyncio.get_running_loop().create_future()
        confirmed.set_result(None)
        return confirmed if qos else None


@dataclass
class Keeper:
    """Durable at once, or held back until :meth:`commit`."""

    holding: bool = False
    rows: list[Rows] = field(default_factory=list)
    waiting: list[Done] = field(default_factory=list)

    def put(self, rows: Rows, done: Done | None = None, alarm_received_ms: int | None = None) -> None:
        self.rows.append(rows)
        if done is not None:
            self.waiting.append(done)
        if not self.holding:
            self.commit()

    def commit(self) -> None:
        waiting, self.waiting = self.waiting, []
        for done in waiting:
            done()


@dataclass
class Heard:
    """In the place of whoever keeps the conditions of homes."""

    items: list[tuple[Item, Placed]] = field(default_factory=list)

    def heard(self, item: Item, placed: Placed) -> None:
        self.items.append((item, placed))


def home(number: int) -> Home:
    """Home ``H<number>`` with meter ``M<number>`` and one contact."""
    contact = Contact(1, "甲", "resident", f"sip:{number}@sim.invalid")
    where = ("430102", "芙蓉区", "文艺路街道", "识字里社区", "云栖花园", "3", "2", "5", "501")
    place = (None, None, None, None, None, None)
    return Home(f"H{number}", f"43{number}", *where, *place, "zh", (), 10.0, f"M{number}", True, (contact,), False, 1)


class Door:
    """Homes 1 and 2 with accounts of their own, homes 3, 4 and 5 behind the hub ``HUB``; ``OLD`` is a retired detector."""

    def __init__(self, **settings: Any) -> None:
        self.clock, self.wire, self.keeper, self.conditions = ManualClock(), Wire(), Keeper(), Heard()
        registry_settings = LineSettings(**settings)
        self.quarantine = Quarantine()
        registry = RegistryView()
        self.downlink = Downlink(registry, self.clock)
        self.downlink.attach(self.wire)  # type: ignore[arg-type]  # the way down only publishes, and looks whether it can
        self.state = LineState(self.clock, registry_settings, down=self.downlink, keeper=self.keeper, registry=registry)
        devices = [self._device(9, "HUB", "hub", None, "HUB"), self._device(8, "OLD", "detector", 1, "OLD", retired=True)]
        kinds: tuple[tuple[DeviceKind, str], ...] = (("meter", "M"), ("detector", "D"))
        for number in range(1, 6):
            for kind, letter in kinds:
                name = f"{letter}{number}"
                devices.append(self._device(10 * number + len(devices), name, kind, number, "HUB" if number > 2 else name))
        self.state.registry.apply([home(number) for number in range(1, 6)], devices, version=1)
        self.engine = Engine(self.state)
        readings = Readings("", registry_settings, self.clock, self.state.devices, self.quarantine)
        self.lane = Lane(self.engine, readings, self.quarantine, self.downlink.ack, self.clock, self.conditions)
        self._seq = 0

    def _device(self, number: int, device_id: str, kind: DeviceKind, home: int | None, account: str, retired: bool = False) -> Device:
        return Device(number, device_id, kind, None if home is None else f"H{home}", account, date(2024, 1, 1), retired, 1)

    def item(self, **fields: Any) -> dict[str, Any]:
        self._seq += 1
        return {"ts": self.clock.now_ms(), "boot": 1, "seq": self._seq, **fields}

    def say(self, account: str, lane: topics.Lane, *items: Any, retain: bool = False) -> Message:
        """One message of items; bytes are sent as they are."""
        payload = items[0] if isinstance(items[0], bytes) else json.dumps(items[0] if len(items) == 1 else list(items)).encode()
        message = Message(topics.up(account, lane), payload, retain)
        self.lane.on_message(message)
        return message

    def down(self, account: str) -> list[str]:
        """Which of its topics an account was sent something on, in order."""
        return [topic.rpartition("/")[2] for topic, _, _ in self.wire.sent if topic.startswith(f"gas/v1/{account}/down/")]

    def commands(self, account: str) -> list[Command]:
        return [Command.model_validate_json(p) for topic, p, _ in self.wire.sent if topic == topics.down_command(account)]

    def promises(self, account: str) -> list[DownAck]:
        return [DownAck.model_validate_json(p) for topic, p, _ in self.wire.sent if topic == topics.down_ack(account)]

    def station(self) -> list[StationMessage]:
        found: dict[UUID, StationMessage] = {}
        for topic, payload, _ in self.wire.sent:
            if topic == topics.TO_DISPATCH:
                message = STATION_MESSAGE.validate_json(payload)
                found.setdefault(message.message_id, message)
        return list(found.values())

    def orders(self) -> list[OrderMessage]:
        return [message for message in self.station() if isinstance(message, OrderMessage)]

    def tasks(self) -> list[TaskMessage]:
        return [message for message in self.station() if isinstance(message, TaskMessage)]
