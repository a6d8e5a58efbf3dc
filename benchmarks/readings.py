"""``python -m benchmarks.readings``: telemetry of a city, evenly paced, until stdin ends.

Every reading is valid by the device contract, detectors and meters in turn, every other one QoS 1. Decides when a reading is due;
refuses to know who measures beside it. At the end one JSON line on stdout says what was sent.
"""

import argparse
import asyncio
import json
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks.platform_stage import HomeOnAir, homes_of
from core import topics
from core.log import configure
from core.mqtt.link import Link

_PACE_S: Final = 0.001
_MOST_UNCONFIRMED: Final = 9_000


@dataclass(slots=True)
class Sent:
    """What was sent; ``latest_s`` is the most that a reading left after it was due."""

    readings: int = 0
    seconds: float = 0.0
    latest_s: float = 0.0


def detector_reading(ts: int, seq: int) -> dict[str, Any]:
    """Clean air, with the little noise of a laser."""
    noise = seq % 7 / 10
    return {"ts": ts, "boot": 1, "seq": seq, "ch4_lel": noise, "state": "normal", "power": "mains", "temp_c": 21.5, "rssi_dbm": -71}


def meter_reading(ts: int, seq: int) -> dict[str, Any]:
    """A stove that burns."""
    index = round(120 + seq * 0.01, 2)
    return {"ts": ts, "boot": 1, "seq": seq, "volume_m3": index, "flow_m3h": 0.4, "valve": "open", "pressure_kpa": 2.1, "rssi_dbm": -98}


async def publish(line: dict[str, Any], homes: list[HomeOnAir], rate: float, until: asyncio.Event) -> Sent:
    """Send ``rate`` readings a second of these homes until told to stop."""
    mqtt = line["mqtt"]
    link = Link(
        *(mqtt["host"], mqtt["port"], "bench-readings", mqtt["username"], mqtt["password"]),
        on_message=lambda message: message.ack(),
        session_expiry_s=0,
    )
    await link.start()
    await link.wait_connected(10)
    devices = [(topics.up(d, "telemetry"), make) for h in homes for d, make in ((h.detector, detector_reading), (h.meter, meter_reading))]
    sent, started = Sent(), time.perf_counter()
    while not until.is_set():
        late = time.perf_counter() - started - sent.readings / rate
        if late < 0 or link.unconfirmed > _MOST_UNCONFIRMED:
            await asyncio.sleep(max(_PACE_S, -late))
            continue
        sent.latest_s = max(sent.latest_s, late)
        seq, which = divmod(sent.readings, len(devices))
        topic, make = devices[which]
        payload = json.dumps(make(time.time_ns() // 1_000_000, seq)).encode()
        # Devices are even in number: the round counts too, so that each device uses both.
        if (which + seq) % 2:
            link.publish(topic, payload, qos=1).add_done_callback(_swallow)
        else:
            link.publish(topic, payload)
        sent.readings += 1
    sent.seconds = time.perf_counter() - started
    await link.stop()
    return sent


def _swallow(confirmed: "asyncio.Future[None]") -> None:
    """What the broker had not confirmed when we stopped is nobody's loss."""
    if not confirmed.cancelled():
        confirmed.exception()


async def _until_stdin_ends(until: asyncio.Event) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass
    until.set()


async def _run(options: argparse.Namespace) -> Sent:
    until = asyncio.Event()
    ear = asyncio.create_task(_until_stdin_ends(until))
    line, homes = json.loads(options.platform.read_text(encoding="utf-8")), homes_of(options.homes)[: options.first]
    sent = await publish(line, homes, options.rate, until)
    ear.cancel()
    return sent


def main() -> None:
    """Publish until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readings", description="telemetry of a city until stdin ends")
    parser.add_argument("--platform", type=Path, required=True, help="file with the line that 'gas-sentinel up' prints")
    parser.add_argument("--homes", type=Path, required=True, metavar="FILE.csv", help="registry file with the homes that report")
    parser.add_argument("--first", type=int, metavar="N", help="only the first N homes of it (default: all)")
    parser.add_argument("--rate", type=float, required=True, help="readings a second")
    options = parser.parse_args()
    configure("benchmark", "error")
    # Ctrl-C at the terminal reaches whoever holds our stdin too; its end is ours.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print(json.dumps(asdict(uvloop.run(_run(options)))))


if __name__ == "__main__":
    main()
