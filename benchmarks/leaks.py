"""Leaks, one home after another, and the moment at which each close arrives; the broker's own hop in between.

Detectors speak on one connection, meters listen on another, as the homes of a city would; the hop goes the same way, with the same
bytes, on a topic that nobody else hears. Nothing waits for an answer before the next leak, so that a slow one hides none. The meters
obey as real ones do: accepted at once, closed after the travel of the valve.
"""

import asyncio
import contextlib
import gc
import json
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.platform_stage import HomeOnAir
from core import topics
from core.errors import LinkError
from core.mqtt.link import Link
from core.mqtt.port import Incoming

_NO_DEVICE: Final = "no-device"
"""An account that the registry does not know: the hop's own."""

_DOWN: Final = ("gas/v1/+/down/command", "gas/v1/+/down/ack")
_TRAVEL_S: Final = 1.0
_SHAKE: Final = 0.4
"""Of the spacing, at random: an even beat could fall in step with the timers of the line."""


@dataclass(slots=True)
class Times:
    """Seconds from publish to receipt, in order of arrival. ``lost`` leaks had no close when the patience was over."""

    closes: list[float] = field(default_factory=list)
    promises: list[float] = field(default_factory=list)
    """Until ``down/ack``: the alarm is durable and its detector knows."""
    hops: list[float] = field(default_factory=list)
    lost: int = 0


class LeakingHomes:
    """Homes that can leak once each. ``async with``."""

    def __init__(self, mqtt: dict[str, Any], seed: int = 1) -> None:
        where = (mqtt["host"], mqtt["port"])
        account = (mqtt["username"], mqtt["password"])
        self._detectors = Link(*where, "bench-detectors", *account, on_message=lambda message: message.ack(), session_expiry_s=0)
        self._meters = Link(*where, "bench-meters", *account, on_message=self._heard, subscriptions=_DOWN, session_expiry_s=0)
        self._random = random.Random(seed)
        self._seq = 0
        self._waiting: dict[str, float] = {}
        self._unpromised: dict[str, float] = {}
        self._hopping: dict[int, float] = {}
        self._times = Times()
        self._arrived = asyncio.Event()
        self.published_ms: dict[str, int] = {}
        """Unix ms of each home's leak, by its detector: for what is heard elsewhere."""

    async def __aenter__(self) -> "LeakingHomes":
        for link in (self._detectors, self._meters):
            await link.start()
            await link.wait_connected(10)
        return self

    async def __aexit__(self, *_: object) -> None:
        for link in (self._detectors, self._meters):
            await link.stop()

    async def leak(self, homes: Sequence[HomeOnAir], spacing_s: float, patience_s: float = 10.0) -> Times:
        """One leak a home every ``spacing_s`` seconds and a hop half way between; returns when all arrived or patience is over."""
        self._waiting, self._unpromised, self._hopping, self._times = {}, {}, {}, Times()
        with _no_garbage_collection():
            started = time.perf_counter()
            for number, home in enumerate(homes):
                await self._until(started + (number + self._shake()) * spacing_s)
                self._leak(home)
                await self._until(started + (number + 0.5 + self._shake()) * spacing_s)
                self._hop()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    while self._waiting or self._unpromised or self._hopping:
                        self._arrived.clear()
                        await self._arrived.wait()
        self._times.lost = len(self._waiting)
        # The last valve is still on its way; what comes next should not have to share the machine with it.
        await asyncio.sleep(2 * _TRAVEL_S)
        return self._times

    def _leak(self, home: HomeOnAir) -> None:
        topic, payload = topics.up(home.detector, "alarm"), self._alarm()
        self._waiting[home.meter] = self._unpromised[home.detector] = time.perf_counter()
        self.published_ms[home.detector] = time.time_ns() // 1_000_000
        self._send(topic, payload)

    def _hop(self) -> None:
        payload = self._alarm()
        self._hopping[self._seq] = time.perf_counter()
        self._send(topics.down_command(_NO_DEVICE), payload)

    def _alarm(self) -> bytes:
        self._seq += 1
        return json.dumps({"ts": time.time_ns() // 1_000_000, "boot": 1, "seq": self._seq, "event": "leak", "ch4_lel": 18.0}).encode()

    def _send(self, topic: str, payload: bytes) -> None:
        with contextlib.suppress(LinkError):  # stopped: a valve that arrives later has nobody to tell
            self._detectors.publish(topic, payload, qos=1).add_done_callback(_swallow)

    def _heard(self, message: Incoming) -> None:
        now = time.perf_counter()
        message.ack()
        self._arrived.set()
        account, last = message.topic.split("/")[2::2]
        said = json.loads(message.payload)
        if account == _NO_DEVICE:
            if (sent := self._hopping.pop(said["seq"], None)) is not None:
                self._times.hops.append(now - sent)
        elif last == "ack":
            if (sent := self._unpromised.pop(said["device_id"], None)) is not None:
                self._times.promises.append(now - sent)
        elif said["command"] == "close_valve":
            if (sent := self._waiting.pop(said["device_id"], None)) is not None:
                self._times.closes.append(now - sent)
            self._answer(account, said, "accepted", "closing")
            asyncio.get_running_loop().call_later(_TRAVEL_S, self._answer, account, said, "done", "closed")

    def _answer(self, meter: str, command: dict[str, Any], result: str, valve: str) -> None:
        self._seq += 1
        item = {key: command[key] for key in ("command_id", "order_no", "incident_id", "command")}
        item |= {"ts": time.time_ns() // 1_000_000, "boot": 1, "seq": self._seq, "result": result, "valve": valve}
        self._send(topics.up(meter, "ack"), json.dumps(item).encode())

    def _shake(self) -> float:
        return self._random.uniform(0, _SHAKE)

    @staticmethod
    async def _until(moment: float) -> None:
        await asyncio.sleep(max(0.0, moment - time.perf_counter()))


def _swallow(confirmed: "asyncio.Future[None]") -> None:
    """What was lost on the way shows in the times, not here."""
    if not confirmed.cancelled():
        confirmed.exception()


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Our own pauses are not the platform's."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
