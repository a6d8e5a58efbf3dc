"""The kit: the reference device keeps every point, and a device that breaks one is caught at that point."""

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.testing import TestBroker
from gateway.conformance.bench import Rhythm
from gateway.conformance.points import POINTS
from gateway.conformance.report import Language, Report
from simulator.reference_device import Detector, Device, Item, Meter
from tests.gateway.bench_stage import IMPATIENT, PATIENT, examined, fields, told

NEEDS_AN_ARRAY = {"array"}


# -- the reference device ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Meter, Detector])
async def test_the_reference_device_keeps_every_point(broker: TestBroker, kind: type[Device]) -> None:
    report = await examined(broker, kind)
    assert report.broken == [], told(report)
    wanted = {point.name for point in POINTS if point.of in ("all", kind.kind)} - NEEDS_AN_ARRAY
    assert wanted - set(report.held) == set(), told(report)
    assert report.ok
    telemetry = fields(report, "up/telemetry")
    assert all(verdict == "held" for name, verdict in telemetry.items() if name.endswith("*"))
    languages: tuple[Language, ...] = ("zh", "en")
    for language in languages:
        words = report.render(language)
        assert ("不符" in words.splitlines()[-1]) == (language == "zh")
    points = {point["point"]: point["verdict"] for point in json.loads(report.to_json())["points"]}
    assert points == {finding.point.name: finding.verdict for finding in report.findings}


async def test_what_nobody_does_and_what_cannot_be_seen_is_not_held_against_a_device(broker: TestBroker) -> None:
    report = await examined(broker, Meter, unable=frozenset({"alarm", "key", "reboot"}), wired=False)
    assert report.ok
    unseen = {finding.point.name for finding in report.findings if finding.verdict == "not_seen"}
    assert unseen == {
        *("client_id", "clean_start", "session_expiry", "keep_alive", "will", "will_sent", "reconnect", "session_kept", "array"),
        *("alarm_fields", "alarm_repeat", "alarm_rhythm", "alarm_other_ack", "alarm_after_cut", "alarm_stops"),
        *("open_confirmed", "open_after_reboot", "reboot_boot", "reboot_known", "reboot_order"),
    }


async def _examined_beside(broker: TestBroker, *kinds: type[Device], rhythm: Mapping[type[Device], Rhythm]) -> list[Report]:
    """``rhythm`` for those who leave things undone, for each of which the whole wait is waited."""
    # The accounts first: making one stands in everybody's way.
    for kind in kinds:
        broker.account(f"kit-{kind.__name__}")
    return await asyncio.gather(
        *(examined(broker, kind, rhythm=rhythm.get(kind, PATIENT), account=f"kit-{kind.__name__}") for kind in kinds)
    )


class HearsNoOpen(Meter):
    """An open is sent once: this meter is never reached by any."""

    def heed(self, topic: str, body: Item) -> None:
        if body.get("command") != "open_valve":
            super().heed(topic, body)


class AnswersOneReport(Meter):
    """Hears all of it, and never says again that it is there."""

    async def on_command(self, command: Item) -> None:
        if command["command"] != "report" or not self.answers:
            await super().on_command(command)


async def test_what_a_device_did_not_do_while_it_was_not_heard_is_not_held_in_its_favour(broker: TestBroker) -> None:
    silent = (HearsNoOpen, AnswersOneReport)
    unreached, unheard = await _examined_beside(broker, *silent, rhythm=dict.fromkeys(silent, IMPATIENT))
    verdicts = told(unreached)
    assert (verdicts["open_after_reboot"][0], verdicts["reboot_boot"][0]) == ("not_seen", "held"), verdicts
    verdicts = told(unheard)
    assert (verdicts["foreign_command"][0], verdicts["unknown_command"][0]) == ("not_seen", "not_seen"), verdicts


class BehindAHub(Meter):
    """A hub that speaks for one meter."""

    child = "M-behind"

    def item(self, **fields: Any) -> Item:
        return {**super().item(**fields), "device_id": self.child}

    def heed(self, topic: str, body: Item) -> None:
        super().heed(topic, {**body, "device_id": self.account if body["device_id"] == self.child else "not ours"})


class NamelessBehindAHub(BehindAHub):
    def reading(self) -> Item:
        made = super().reading()
        del made["device_id"]
        return made


async def test_a_device_behind_a_hub_is_examined_through_its_hub(broker: TestBroker) -> None:
    good, bad = await asyncio.gather(
        examined(broker, BehindAHub, rhythm=PATIENT, device_id=BehindAHub.child),
        examined(broker, NamelessBehindAHub, rhythm=IMPATIENT, device_id=BehindAHub.child),
    )
    assert told(good)["device_id"][0] == "held", told(good)
    assert {"close", "superseded", "answer_fields", "alarm_stops", "foreign_command"} <= set(good.held), told(good)
    assert "device_id" in bad.broken, told(bad)


# -- devices that break a point ------------------------------------------------------------------------------------------------------


class NeverRepeats(Detector):
    async def raise_alarm(self, **fields: Any) -> None:
        await self.send("alarm", self.item(**fields))


class NeverStops(Detector):
    def heed(self, topic: str, body: Item) -> None:
        if topic.endswith("/command"):
            super().heed(topic, body)


class TakesAnyAck(Detector):
    def heed(self, topic: str, body: Item) -> None:
        super().heed(topic, body)
        if topic.endswith("/down/ack"):
            for heard in self.unacknowledged.values():
                heard.set()


class RepeatsWithNewTime(Detector):
    async def send(self, lane: str, item: Item, retain: bool = False) -> None:
        again = {**item, "ts": time.time_ns() // 1_000_000} if lane == "alarm" else item
        await super().send(lane, again, retain)


class Hammers(Detector):
    async def raise_alarm(self, **fields: Any) -> None:
        self.repeat_s = (0.02, 0.02)
        await super().raise_alarm(**fields)


class Reopens(Meter):
    """Opens by itself whenever it is told to: nobody has to press anything."""

    async def open(self, command: Item, boot: int) -> None:
        self.key_pressed = True
        await super().open(command, boot)


class IgnoresRepeats(Meter):
    async def on_command(self, command: Item) -> None:
        if command["command_id"] not in self.answers:
            await super().on_command(command)


class CarriesOutRepeats(Meter):
    async def on_command(self, command: Item) -> None:
        self.answers.pop(command["command_id"], None)
        await super().on_command(command)


class RetainedTelemetry(Meter):
    async def send(self, lane: str, item: Item, retain: bool = False) -> None:
        await super().send(lane, item, retain or lane == "telemetry")


class SecondsForMilliseconds(Meter):
    def item(self, **fields: Any) -> Item:
        made = super().item(**fields)
        return {**made, "ts": made["ts"] // 1000}


class LooksAtTheClockOfAClose(Meter):
    async def on_command(self, command: Item) -> None:
        if command["command"] == "close_valve" and time.time() * 1000 > command["expires_at"]:
            await self.answer(command, "expired", valve=self.valve)
        else:
            await super().on_command(command)


class FollowsHistory(Meter):
    async def carry_out(self, command: Item) -> None:
        self.order_no = 0
        await super().carry_out(command)


class DoneBeforeClosed(Meter):
    async def close(self, command: Item) -> None:
        await self.answer(command, "done", valve="open")
        await self.move("closing", "closed")
        await self.report()


class ObeysForOthers(Meter):
    def heed(self, topic: str, body: Item) -> None:
        super().heed(topic, {**body, "device_id": self.account})


class KeepsTheOpenOverAReboot(Meter):
    async def open(self, command: Item, boot: int) -> None:
        self.key_pressed = False
        while self.boot == boot and time.time() * 1000 < command["expires_at"]:
            await asyncio.sleep(0.02)
        if self.boot != boot:
            await self.move("opening", "open")
            await self.answer(command, "done", valve=self.valve)
        else:
            await super().open(command, boot)


class SameBoot(Meter):
    def reboot(self) -> None:
        boot = self.boot
        super().reboot()
        self.boot = boot


class SeqStandsStill(Meter):
    def item(self, **fields: Any) -> Item:
        return {**super().item(**fields), "seq": 7}


class WordsAsNumbers(Meter):
    def reading(self) -> Item:
        made = super().reading()
        return {**made, "volume_m3": str(made["volume_m3"]), "valve": "shut"}


class BetweenTheSteps(Meter):
    def reading(self) -> Item:
        made = super().reading()
        return {**made, "volume_m3": made["volume_m3"] + 0.0034}


class HoldsAnOpenTooLong(Meter):
    async def open(self, command: Item, boot: int) -> None:
        await super().open({**command, "expires_at": command["expires_at"] + 600_000}, boot)


BROKEN: dict[type[Device], set[str]] = {
    NeverRepeats: {"alarm_repeat"},
    NeverStops: {"alarm_stops"},
    TakesAnyAck: {"alarm_repeat"},
    RepeatsWithNewTime: {"alarm_repeat", "boot_seq"},
    Hammers: {"alarm_rhythm"},
    Reopens: {"open_unconfirmed"},
    IgnoresRepeats: {"repeat", "close_repeat"},
    CarriesOutRepeats: {"repeat", "close_repeat"},
    RetainedTelemetry: {"retain"},
    SecondsForMilliseconds: {"ts"},
    LooksAtTheClockOfAClose: {"close_aged", "close"},
    FollowsHistory: {"superseded"},
    DoneBeforeClosed: {"close"},
    ObeysForOthers: {"foreign_command"},
    KeepsTheOpenOverAReboot: {"open_after_reboot"},
    SameBoot: {"boot_seq"},
    SeqStandsStill: {"boot_seq"},
    WordsAsNumbers: {"telemetry_fields"},
    BetweenTheSteps: {"register"},
    HoldsAnOpenTooLong: {"open_unconfirmed"},
}


async def test_a_device_that_breaks_a_point_is_caught_at_it(broker: TestBroker) -> None:
    # All of them in one test and at once: each waits for most of its time.
    undone: dict[type[Device], Rhythm] = {
        IgnoresRepeats: replace(PATIENT, answer_s=6.0),
        SameBoot: replace(PATIENT, act_s=1.0, connect_s=10.0),
    }
    reports = await _examined_beside(broker, *BROKEN, rhythm=undone)
    for kind, report in zip(BROKEN, reports, strict=True):
        assert BROKEN[kind] <= set(report.broken), (kind.__name__, told(report))
        assert not report.ok, kind.__name__


# -- as a command --------------------------------------------------------------------------------------------------------------------


async def _lines_until(stream: asyncio.StreamReader, pattern: str) -> re.Match[str]:
    async with asyncio.timeout(60):
        while line := (await stream.readline()).decode():
            if found := re.search(pattern, line):
                return found
    raise AssertionError(f"never said {pattern}")


async def test_as_a_command_it_brings_its_own_broker_and_says_what_is_broken(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    kit = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli", "conformance", "--account", "M-1", "--language", "en", "--json", str(out)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    device = None
    try:
        assert kit.stderr is not None
        found = await _lines_until(kit.stderr, r"broker ([\d.]+):(\d+), account M-1, password (\S+)")
        device = Meter("M-1")
        device.away_s = (0.0, 0.1)
        life = asyncio.create_task(device.live(found[1], int(found[2]), found[3]))
        await _lines_until(kit.stderr, "raise an alarm")
    finally:
        kit.send_signal(signal.SIGTERM)
        await kit.communicate()
        if device is not None:
            for task in (life, *device.tasks):
                task.cancel()
            await asyncio.gather(life, *device.tasks, return_exceptions=True)
    assert kit.returncode == 130


@pytest.mark.parametrize(
    "options",
    [["--account", "line"], ["--account", "a/b"], ["--account", "M1", "--mqtt", "nowhere"], ["--account", "M1", "--json", "/no/x"]],
)
async def test_what_cannot_be_done_is_said_at_once(options: list[str]) -> None:
    kit = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli", "conformance", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "LANG": "en"},
    )
    said, complained = await kit.communicate()
    assert (kit.returncode, said) == (2, b"")
    assert complained.startswith(b"cannot go on:")
