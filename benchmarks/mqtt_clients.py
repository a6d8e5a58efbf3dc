"""Alarm -> command round trip through a real mosquitto, for each MQTT client that a lane could run on.

A probe publishes alarms (QoS 1) and waits for the command that a gateway process answers with. The gateway holds two connections of
the client under test, alarm lane and telemetry lane, and the background load arrives on the second. In the same run the probe times
the broker's own hop (publish to itself), so that the figures can be read as ratios. ``--help`` names the options.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as paho
import uvloop
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from benchmarks.paho_port import PahoPort, no_delay
from core.log import configure
from core.mqtt.link import Link
from core.mqtt.port import Incoming
from deploy.embedded.testing import TestBroker, start_test_broker

UP_ALARM, UP_TELEMETRY = "gas/v1/+/up/alarm", "gas/v1/+/up/telemetry"
READING: Final = json.dumps(
    {"ts": 1_775_000_000_000, "boot": 3, "seq": 12345, "ch4_lel": 0.2, "state": "normal", "power": "mains", "temp_c": 21.5, "rssi_dbm": -71}
).encode()
CLIENTS: Final = {
    "link-uvloop": "core.mqtt.link on uvloop",
    "link-asyncio": "core.mqtt.link on asyncio",
    "paho-thread": "paho, handler in its own thread",
    "paho-port": "paho behind the port (asyncio)",
}
_WARM_UP = 50
_PAUSE_S = 0.005


@dataclass(frozen=True)
class Address:
    """Where the broker is and how the gateway and the outside log in."""

    host: str
    port: int
    line: str
    fleet: str


@dataclass(frozen=True)
class Row:
    """One measurement: milliseconds, and the share of one core that the gateway took."""

    client: str
    rate: int
    samples: int
    hop: tuple[float, float]
    trip: tuple[float, float]
    ratio: tuple[float, float]
    core_percent: float
    background_done: float


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """p50 and p99 in milliseconds."""
    ordered = sorted(seconds)
    return ordered[len(ordered) // 2] * 1e3, ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1e3


def command_for(topic: str, payload: bytes) -> tuple[str, bytes]:
    """The gateway's whole decision: who, and which alarm."""
    alarm = json.loads(payload)
    return f"gas/v1/{topic.split('/')[2]}/down/command", json.dumps({"command": "close_valve", "order_no": alarm["seq"]}).encode()


# The gateway process.


def gateway(client: str, at: Address, orders: Connection) -> None:
    """Answer alarms until told to stop; then report the processor seconds used since ``begin``."""
    configure("benchmark", "warning")
    if client == "paho-thread":
        _gateway_in_threads(at, orders)
    elif client == "link-uvloop":
        uvloop.run(_gateway_on_port(Link, at, orders))
    else:
        asyncio.run(_gateway_on_port(Link if client == "link-asyncio" else PahoPort, at, orders))


async def _gateway_on_port(make: Callable[..., Any], at: Address, orders: Connection) -> None:
    def alarm(message: Incoming) -> None:
        topic, payload = command_for(message.topic, message.payload)
        alarms.publish(topic, payload, qos=1, urgent=True)
        message.ack()

    def reading(message: Incoming) -> None:
        json.loads(message.payload)
        message.ack()

    alarms = make(at.host, at.port, "bench-alarm", "line", at.line, on_message=alarm, subscriptions=[UP_ALARM], session_expiry_s=0)
    telemetry = make(
        at.host, at.port, "bench-telemetry", "line", at.line, on_message=reading, subscriptions=[UP_TELEMETRY], session_expiry_s=0
    )
    for lane in (alarms, telemetry):
        await lane.start()
        await lane.wait_connected(10)
    await asyncio.to_thread(_serve, orders)
    await asyncio.gather(alarms.stop(), telemetry.stop())


def _gateway_in_threads(at: Address, orders: Connection) -> None:
    ready = multiprocessing.Semaphore(0)

    def alarm(client: paho.Client, _: object, message: paho.MQTTMessage) -> None:
        client.publish(*command_for(message.topic, bytes(message.payload)), qos=1)
        client.ack(message.mid, message.qos)

    def reading(client: paho.Client, _: object, message: paho.MQTTMessage) -> None:
        json.loads(message.payload)
        client.ack(message.mid, message.qos)

    def lane(name: str, topic: str, handler: Callable[[paho.Client, object, paho.MQTTMessage], None]) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
        client.username_pw_set("line", at.line)
        client.max_inflight_messages_set(1_000)
        client.on_message = handler
        client.on_socket_open = no_delay
        client.on_connect = lambda c, *_: c.subscribe(topic, 1)
        client.on_subscribe = lambda *_: ready.release()
        client.connect(at.host, at.port)
        client.loop_start()
        return client

    lanes = [lane("bench-alarm", UP_ALARM, alarm), lane("bench-telemetry", UP_TELEMETRY, reading)]
    for _ in lanes:
        ready.acquire(timeout=10)
    _serve(orders)
    for client in lanes:
        client.disconnect()
        client.loop_stop()


def _serve(orders: Connection) -> None:
    orders.send("ready")
    orders.recv()
    before = resource.getrusage(resource.RUSAGE_SELF)
    orders.recv()
    after = resource.getrusage(resource.RUSAGE_SELF)
    orders.send(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


# The background process.


def background(rate: int, at: Address, orders: Connection) -> None:
    """Publish readings at ``rate`` a second until told to stop; then report how many the broker confirmed a second."""
    configure("benchmark", "warning")
    uvloop.run(_background(rate, at, orders))


async def _background(rate: int, at: Address, orders: Connection) -> None:
    link = Link(at.host, at.port, "bench-background", "fleet", at.fleet, on_message=lambda _: None, session_expiry_s=0)
    await link.start()
    await link.wait_connected(10)
    orders.send("ready")
    orders.recv()
    started, sent = time.perf_counter(), 0
    while not orders.poll():
        due = int((time.perf_counter() - started) * rate) - sent
        for number in range(min(due, 9_000 - link.unconfirmed)):
            link.publish(f"gas/v1/d{number % 200}/up/telemetry", READING, qos=1)
            sent += 1
        await asyncio.sleep(_PAUSE_S)
    orders.send((sent - link.unconfirmed) / (time.perf_counter() - started))
    await link.stop()


# The probe: this process.


async def probe(at: Address, seconds: float) -> tuple[list[float], list[float]]:
    """Hops and round trips in seconds, taken in turn, 100 a second each at the most."""
    arrived = asyncio.Event()

    def take(message: Incoming) -> None:
        message.ack()
        arrived.set()

    link = Link(
        *(at.host, at.port, "bench-probe", "fleet", at.fleet),
        on_message=take,
        subscriptions=["gas/v1/probe/down/command", "gas/v1/probe/down/ack"],
        session_expiry_s=0,
    )
    await link.start()
    await link.wait_connected(10)
    hops: list[float] = []
    trips: list[float] = []
    alarm = {"ts": 1_775_000_000_000, "boot": 1, "seq": 0, "event": "leak", "ch4_lel": 18.0, "state": "alarm", "valve": "open"}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        alarm["seq"] = len(trips)
        payload = json.dumps(alarm).encode()
        for topic, found in (("gas/v1/probe/down/ack", hops), ("gas/v1/probe/up/alarm", trips)):
            arrived.clear()
            started = time.perf_counter()
            link.publish(topic, payload, qos=1)
            async with asyncio.timeout(30):
                await arrived.wait()
            found.append(time.perf_counter() - started)
            await asyncio.sleep(_PAUSE_S)
    await link.stop()
    return hops[_WARM_UP:], trips[_WARM_UP:]


def measure(client: str, rate: int, at: Address, seconds: float) -> Row:
    """One client under one background rate."""
    with _process(gateway, client, at) as answering:
        answering.recv()
        with _process(background, rate, at) as loading:
            loading.recv()
            answering.send("begin")
            loading.send("begin")
            started = time.perf_counter()
            hops, trips = uvloop.run(probe(at, seconds))
            took = time.perf_counter() - started
            loading.send("stop")
            done: float = loading.recv()
        answering.send("stop")
        used: float = answering.recv()
    hop, trip = percentiles(hops), percentiles(trips)
    return Row(client, rate, len(trips), hop, trip, (trip[0] / hop[0], trip[1] / hop[1]), 100 * used / took, done)


@contextmanager
def _process(work: Callable[..., None], *arguments: Any) -> Iterator[Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(*arguments, theirs), daemon=True)
    process.start()
    try:
        yield ours
    finally:
        process.join(10)
        if process.is_alive():
            process.kill()


def middle(rows: list[Row]) -> Row:
    """The median of repeated measurements, field by field."""

    def of(read: Callable[[Row], float]) -> float:
        return statistics.median(read(row) for row in rows)

    def pair(read: Callable[[Row], tuple[float, float]]) -> tuple[float, float]:
        return of(lambda row: read(row)[0]), of(lambda row: read(row)[1])

    return Row(
        rows[0].client,
        rows[0].rate,
        sum(row.samples for row in rows),
        pair(lambda row: row.hop),
        pair(lambda row: row.trip),
        pair(lambda row: row.ratio),
        of(lambda row: row.core_percent),
        of(lambda row: row.background_done),
    )


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    lines = ["| client of both lanes | background msg/s | hop p50 / p99 ms | round trip p50 / p99 ms | trip : hop p50 / p99 | core % |"]
    lines.append("|---|---|---|---|---|---|")
    lines += [
        f"| {CLIENTS[row.client]} | {row.background_done:,.0f} | {row.hop[0]:.2f} / {row.hop[1]:.2f} "
        f"| {row.trip[0]:.2f} / {row.trip[1]:.2f} | {row.ratio[0]:.1f} / {row.ratio[1]:.1f} | {row.core_percent:.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mqtt_clients", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="for each measurement (default 4; at most 60)")
    parser.add_argument("--repeats", type=int, default=3, help="measurements a row, interleaved; their median is shown (default 3)")
    parser.add_argument("--rates", default="0,1000,5000", help="background messages a second (default 0,1000,5000)")
    parser.add_argument("--clients", default=",".join(CLIENTS), help=f"of {', '.join(CLIENTS)}")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    options = parser.parse_args()
    configure("benchmark", "warning")
    clients, rates = options.clients.split(","), [int(rate) for rate in options.rates.split(",")]
    if unknown := set(clients) - set(CLIENTS):
        parser.error(f"unknown client: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as folder:
        broker: TestBroker = start_test_broker(Path(folder))
        try:
            at = Address(broker.host, broker.port, broker.accounts["line"], broker.accounts["fleet"])
            seconds = min(options.seconds, 60.0)
            taken = [measure(client, rate, at, seconds) for _ in range(options.repeats) for rate in rates for client in clients]
        finally:
            broker.stop()
    rows = [middle([r for r in taken if (r.client, r.rate) == (client, rate)]) for rate in rates for client in clients]
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[1]:.1f}, at least {min(row.samples for row in rows)} round trips a row;")
    print("hop = publish to oneself through the broker in the same run; core = of the gateway process\n")
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps([row.__dict__ for row in rows], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
