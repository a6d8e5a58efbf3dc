"""The stage of the line's tests: devices on paho, dispatch's place at the broker, and a town whose line can be stopped and started."""

import asyncio
import contextlib
import csv
import itertools
import json
import queue
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import paho.mqtt.client as paho
import psycopg
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from psycopg.rows import dict_row

from alarm_engine.settings import LineSettings
from core import topics
from core.clock import SystemClock
from core.messages import Command, DownAck
from core.registry.homes import import_homes
from core.station import STATION_MESSAGE, OrderMessage
from deploy.embedded.testing import TestBroker
from gateway.station import Line
from simulator.city.registry_file import COLUMNS, city_rows

WAIT_S = 90.0
V311, V5 = MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5
_prefixes = itertools.count(1)


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait for what real parts do in their own time."""
    try:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"did not happen within {WAIT_S} s: {what}") from None


class Client:
    """A paho client with a session of its own that writes down everything it hears."""

    def __init__(self, broker: TestBroker, account: str, client_id: str, version: MQTTProtocolVersion, subscription: str) -> None:
        self.account = account
        self._inbox: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self._granted: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._paho = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=version, clean_session=None if version == V5 else True
        )
        self._paho.username_pw_set(account, broker.account(account))
        self._paho.on_message = lambda client, data, message: self._inbox.put((message.topic, bytes(message.payload)))
        self._paho.on_subscribe = lambda client, data, mid, codes, properties: self._granted.put(mid)
        kept: dict[str, Any] = {"clean_start": True} if version == V5 else {}
        self._paho.connect(broker.host, broker.port, **kept)
        self._paho.loop_start()
        self._paho.subscribe(subscription, qos=1)
        self._granted.get(timeout=WAIT_S)
        self.heard: list[tuple[str, bytes]] = []
        self._seq = itertools.count(1)

    async def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Publish at QoS 1; returns when the broker has it."""
        sent = self._paho.publish(topic, payload, qos=1, retain=retain)
        await asyncio.to_thread(sent.wait_for_publish, WAIT_S)

    def listen(self) -> list[tuple[str, bytes]]:
        """Everything heard so far."""
        while not self._inbox.empty():
            self.heard.append(self._inbox.get())
        return self.heard

    def close(self) -> None:
        self._paho.disconnect()
        self._paho.loop_stop()


class DeviceClient(Client):
    """A detector, meter or hub on the wire."""

    def __init__(self, broker: TestBroker, account: str, version: MQTTProtocolVersion = V311) -> None:
        super().__init__(broker, account, account, version, f"gas/v1/{account}/down/#")

    def item(self, **fields: object) -> dict[str, object]:
        return {"ts": time.time_ns() // 1_000_000, "boot": 1, "seq": next(self._seq), **fields}

    async def up(self, lane: topics.Lane, *items: dict[str, object], retain: bool = False) -> None:
        payload = items[0] if len(items) == 1 else list(items)
        await self.publish(topics.up(self.account, lane), json.dumps(payload).encode(), retain)

    async def leak(self, **fields: object) -> dict[str, object]:
        item = self.item(event="leak", ch4_lel=21.5, **fields)
        await self.up("alarm", item)
        return item

    @property
    def commands(self) -> list[Command]:
        topic = topics.down_command(self.account)
        return [Command.model_validate_json(payload) for heard, payload in self.listen() if heard == topic]

    @property
    def closes(self) -> list[Command]:
        return [command for command in self.commands if command.command == "close_valve"]

    @property
    def promises(self) -> list[DownAck]:
        topic = topics.down_ack(self.account)
        return [DownAck.model_validate_json(payload) for heard, payload in self.listen() if heard == topic]

    async def command(self, number: int = 1) -> Command:
        """The newest command once there are ``number`` of them."""
        await until(lambda: len(self.commands) >= number, f"{number} commands to {self.account}")
        return self.commands[number - 1]

    async def promised(self, item: dict[str, object], times: int = 1) -> None:
        """The platform has promised that this alarm is durable, so many times."""
        wanted = (item["ts"], item["boot"], item["seq"])
        await until(lambda: sum((p.ts, p.boot, p.seq) == wanted for p in self.promises) >= times, f"promise of {wanted} to {self.account}")

    async def answer(self, command: Command, result: str, valve: str | None = None) -> None:
        await self.up(
            "ack",
            self.item(
                device_id=command.device_id,
                command_id=str(command.command_id),
                order_no=command.order_no,
                incident_id=str(command.incident_id),
                command=command.command,
                result=result,
                valve=valve,
            ),
        )


class DispatchEar(Client):
    """Dispatch's place at the broker."""

    def __init__(self, broker: TestBroker) -> None:
        super().__init__(broker, "dispatch", "dispatch", V5, topics.TO_DISPATCH)

    def messages(self, home_id: str) -> list[Any]:
        """What was said of a home's incident, the first time that it was said."""
        found: dict[UUID, Any] = {}
        for _, payload in self.listen():
            message = STATION_MESSAGE.validate_json(payload)
            found.setdefault(message.message_id, message)
        incidents = {m.incident_id for m in found.values() if isinstance(m, OrderMessage) and m.place == home_id}
        return [m for m in found.values() if m.incident_id in incidents]

    async def order(self, home_id: str) -> OrderMessage:
        def orders() -> list[OrderMessage]:
            return [m for m in self.messages(home_id) if isinstance(m, OrderMessage)]

        await until(orders, f"an order for {home_id}")
        return orders()[0]


class Town:
    """A registry, a database, a broker and a line that can be started again; device ids are of this test alone."""

    def __init__(self, dsn: str, broker: TestBroker, folder: Path, state: Path | None = None) -> None:
        self.state = state
        self.dsn, self.broker, self._folder = dsn, broker, folder
        self.prefix = f"T{next(_prefixes)}"
        self._clients: list[Client] = []
        self._ear: DispatchEar | None = None
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._rows = list(itertools.islice(city_rows(12, 5), 40))
        self.line: Line

    def own(self, kind: str, number: int) -> str:
        return f"{self.prefix}{kind}{number}"

    def enlist(self, homes: int, *, hub: bool = False) -> None:
        """Import the first homes of a city, with one meter and one detector each, under ids of this test."""
        path = self._folder / f"{self.prefix}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            for number, cells in enumerate(self._rows[:homes], start=1):
                row = dict(zip(COLUMNS, cells, strict=True))
                row |= {"home_id": self.own("H", number), "household_no": f"43{number:08d}", "alarm_lel": ""}
                row |= {"meter_id": self.own("M", number), "detector_id": self.own("D", number)}
                writer.writerow(row | {"hub_id": self.own("HUB", 1) if hub else ""})
        import_homes(self.dsn, path)

    async def start(self) -> None:
        """Start a line over this database and broker; returns when it is healthy."""
        self.begin()
        await self.healthy()

    def settings(self) -> LineSettings:
        return LineSettings(
            mqtt_host=self.broker.host,
            mqtt_port=self.broker.port,
            mqtt_username="line",
            mqtt_password=self.broker.accounts["line"],
            postgres_dsn=self.dsn,
            batch_wait_s=0.02,
            state_dir="" if self.state is None else str(self.state),
        )

    def begin(self) -> None:
        """Start a line, whatever its health."""
        self._stop = asyncio.Event()
        self.line = Line(self.settings(), SystemClock())
        self._task = asyncio.create_task(self.line.run(self._stop))

    async def listening(self) -> None:
        """The line hears both lanes, whatever else is wrong."""
        links = (self.line.alarm_link, self.line.telemetry_link)
        await until(lambda: self._died() or all(link.connected for link in links), "both lanes connected")

    async def crash(self) -> None:
        """The line is gone in the middle of whatever it did: nothing is drained, flushed or said."""
        assert self._task is not None
        for link in (self.line.alarm_link, self.line.telemetry_link):
            task, link._task = link._task, None
            if task is not None:
                task.cancel()
        self.line.snapshots = None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None

    async def healthy(self) -> None:
        await until(lambda: self._died() or self.line.health().ok, "health green")

    def _died(self) -> bool:
        if self._task is not None and self._task.done() and not self._stop.is_set():
            self._task.result()
            raise AssertionError("the line ended by itself")
        return False

    async def stop(self) -> None:
        """Stop the line as a service manager does."""
        self._stop.set()
        if self._task is not None:
            await asyncio.wait_for(self._task, WAIT_S)
            self._task = None

    def device(self, account: str, version: MQTTProtocolVersion = V311) -> DeviceClient:
        client = DeviceClient(self.broker, account, version)
        self._clients.append(client)
        return client

    def home(self, number: int, version: MQTTProtocolVersion = V311) -> tuple[DeviceClient, DeviceClient]:
        """Detector and meter of a home, connected."""
        return self.device(self.own("D", number), version), self.device(self.own("M", number), version)

    def dispatch(self) -> DispatchEar:
        """The one ear of this town: two of one name would throw each other out."""
        if self._ear is None:
            self._ear = DispatchEar(self.broker)
            self._clients.append(self._ear)
        return self._ear

    async def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        async with (
            await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(query, values)
            return await cursor.fetchall()

    async def row(self, query: str, *values: object) -> dict[str, Any]:
        """The one row that a query finds, once it finds one."""
        async with asyncio.timeout(WAIT_S):
            while not (found := await self.rows(query, *values)):
                await asyncio.sleep(0.02)
        assert len(found) == 1
        return found[0]

    async def incident(self, number: int, valve: str | None = None) -> dict[str, Any]:
        """The incident of a home, once it is stored (and its valve is known to be so)."""
        return await self.row("SELECT * FROM incidents WHERE place = %s AND valve = coalesce(%s, valve)", self.own("H", number), valve)

    async def close(self) -> None:
        for client in self._clients:
            client.close()
        await self.stop()


def forget_sessions(broker: TestBroker) -> None:
    """What the broker keeps for the stations from another test belongs to another database."""
    for account, client_id in (("line", "line"), ("line", "line-telemetry"), ("dispatch", "dispatch")):
        connected: queue.SimpleQueue[bool] = queue.SimpleQueue()
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=V5)
        client.username_pw_set(account, broker.accounts[account])
        client.on_connect = lambda client, data, flags, reason, properties, told=connected: told.put(not reason.is_failure)
        at_once = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's own types end here
        at_once.SessionExpiryInterval = 0
        client.connect(broker.host, broker.port, clean_start=True, properties=at_once)
        client.loop_start()
        assert connected.get(timeout=WAIT_S)
        client.disconnect()
        client.loop_stop()
