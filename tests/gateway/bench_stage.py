"""The stage of the conformance kit: a broker, the bench with its wire, and a device that runs in this process with somebody beside it."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from deploy.embedded.testing import TestBroker
from gateway.conformance.bench import Act, Bench, Rhythm
from gateway.conformance.examine import examine
from gateway.conformance.report import Report
from gateway.conformance.wire import Wire
from simulator.reference_device import Detector, Device, Meter

RHYTHM = Rhythm(
    connect_s=20.0,
    answer_s=10.0,
    travel_s=10.0,
    act_s=10.0,
    quiet_s=0.6,
    open_s=1.5,
    key_s=4.0,
    away_s=0.2,
    first_repeat_s=1.0,
    longest_repeat_s=3.0,
    repeats=3,
    clock_s=60.0,
)
IMPATIENT = Rhythm(
    connect_s=10.0,
    answer_s=1.0,
    travel_s=1.0,
    act_s=1.0,
    quiet_s=0.3,
    open_s=0.8,
    key_s=2.5,
    away_s=0.1,
    first_repeat_s=0.2,
    longest_repeat_s=0.6,
    repeats=3,
    clock_s=60.0,
)
"""For devices that leave things undone: every one of them costs its whole wait."""

PATIENT = replace(IMPATIENT, connect_s=20.0, answer_s=20.0, travel_s=10.0, act_s=10.0, first_repeat_s=1.0, longest_repeat_s=3.0)
"""For a device that does all of it, on a machine that may be busy."""


class Beside:
    """Somebody who does at once what is asked of him."""

    def __init__(self, device: Device, unable: frozenset[Act] = frozenset()) -> None:
        self._device, self._unable = device, unable

    def can(self, act: Act) -> bool:
        return act not in self._unable

    def ask(self, act: Act) -> None:
        device = self._device
        if act == "alarm":
            device.beside(device.leak(0) if isinstance(device, Detector) else device.raise_alarm(event="tamper"))
        elif act == "reboot":
            device.reboot()
        elif isinstance(device, Meter):
            device.key_pressed = act == "key"


async def examined(
    broker: TestBroker,
    make: Callable[[str], Device],
    *,
    rhythm: Rhythm = RHYTHM,
    unable: frozenset[Act] = frozenset(),
    wired: bool = True,
    account: str | None = None,
    device_id: str | None = None,
) -> Report:
    """The report on one device, made with its account's name."""
    account = account or f"kit-{uuid.uuid4().hex[:12]}"
    password = broker.account(account)
    device = make(account)
    device.repeat_s = (rhythm.first_repeat_s, rhythm.longest_repeat_s)
    device.away_s = (0.0, 0.1)
    if isinstance(device, Meter):
        device.travel_s = 0.02
    wire = Wire(broker.host, broker.port)
    await wire.start("127.0.0.1", 0)
    port = wire.port if wired else broker.port
    life = asyncio.create_task(device.live("127.0.0.1", port, password))
    try:
        bench = Bench(account, device_id or account, Beside(device, unable), rhythm, wire if wired else None)
        return await examine(bench, broker.host, broker.port, "line", broker.accounts["line"])
    finally:
        for task in (life, *device.tasks):
            task.cancel()
        await asyncio.gather(life, *device.tasks, return_exceptions=True)
        await wire.stop()


def told(report: Report) -> dict[str, tuple[str, list[str]]]:
    """Point -> verdict and evidence, for a test that fails."""
    return {finding.point.name: (finding.verdict, finding.en) for finding in report.findings}


def fields(report: Report, lane: str) -> dict[str, Any]:
    """Field -> verdict."""
    return {name: verdict for name, verdict, _ in report.fields[lane]}
