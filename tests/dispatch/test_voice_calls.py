"""Real calls on loopback: voice worker, SIP, RTP, speech and simulated telephones, each in a process of its own."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import wave
from array import array
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from dispatch.voice.client import VoiceClient
from dispatch.voice.protocol import CallRequest, Ended, Key, Language, Spoken, VoiceEvent
from dispatch.voice.recital import sentences
from dispatch.voice.wording import AFTER_KEY
from simulator.phones.behaviour import Manner
from simulator.phones.exchange import PhoneExchange
from simulator.phones.lines import PhoneReport

ZH = "岳麓区五零幺室。燃气泄漏，请立即离开！"
EN = "Gas is leaking. Leave now."
PATIENCE_S = 60


@dataclass
class Telephone:
    """A worker, a client and everything that either side reported."""

    folder: Path
    client: VoiceClient
    settings: dict[str, str]
    worker: Process | None = None
    events: list[VoiceEvent] = field(default_factory=list)
    phones: list[PhoneReport] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def start_worker(self, **settings: str) -> Process:
        self.settings |= {f"GAS_SENTINEL_{name.upper()}": value for name, value in settings.items()}
        self.worker = await asyncio.create_subprocess_exec(sys.executable, "-m", "dispatch.voice", env=os.environ | self.settings)
        await asyncio.wait_for(self.client.wait_connected(), PATIENCE_S)
        return self.worker

    async def collect(self, source: AsyncIterator[Any], into: list[Any]) -> None:
        async for item in source:
            async with self.changed:
                into.append(item)
                self.changed.notify_all()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S), self.changed:
            await self.changed.wait_for(lambda: bool(condition()))

    def of(self, call_id: str) -> list[VoiceEvent]:
        return [event for event in self.events if event.call_id == call_id]

    def spoken(self, call_id: str) -> list[str]:
        return [event.text for event in self.of(call_id) if isinstance(event, Spoken)]

    def keys(self, call_id: str) -> list[str]:
        return [event.digit for event in self.of(call_id) if isinstance(event, Key)]

    async def ended(self, call_id: str) -> Ended:
        await self.until(lambda: any(isinstance(event, Ended) for event in self.of(call_id)))
        return next(event for event in self.of(call_id) if isinstance(event, Ended))

    async def stop_worker(self) -> int:
        assert self.worker is not None
        if self.worker.returncode is None:
            self.worker.terminate()
        return await asyncio.wait_for(self.worker.wait(), PATIENCE_S)


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[PhoneExchange]:
    async with PhoneExchange(record=tmp_path / "heard", default="listens") as phones:
        await phones.set_behaviour("*", "listens", rings_s=0)
        yield phones


@pytest.fixture
async def telephone(tmp_path: Path, exchange: PhoneExchange) -> AsyncIterator[Telephone]:
    path = tmp_path / "voice.sock"
    async with VoiceClient(path) as client:
        settings = {"GAS_SENTINEL_VOICE_SOCKET": str(path), "GAS_SENTINEL_LOG_LEVEL": "warning"}
        line = Telephone(tmp_path, client, settings)
        readers = [
            asyncio.ensure_future(line.collect(client.events(), line.events)),
            asyncio.ensure_future(line.collect(exchange.events(), line.phones)),
        ]
        await line.start_worker(sim_sip_proxy=exchange.listen)
        yield line
        await line.stop_worker()
        for reader in readers:
            reader.cancel()


def _call(call_id: str, number: str, **more: Any) -> CallRequest:
    asked = {"language": "zh", "text": ZH, "ring_s": 20.0, "max_s": 30.0, "simulated": True} | more
    return CallRequest(call_id=call_id, address=f"sip:{number}@sim.invalid", **asked)


OUTCOMES: dict[Manner, tuple[bool, str, str, int, int, str]] = {
    "presses_1": (True, "us", "confirmed", 200, 16, "mapped"),
    "presses_2": (True, "us", "help_asked", 200, 16, "mapped"),
    "presses_9": (True, "us", "wrong_home", 200, 16, "mapped"),
    "hangs_up_early": (True, "far", "far_hung_up", 200, 16, "mapped"),
    "voicemail": (True, "us", "time_over", 200, 16, "mapped"),
    "busy": (False, "never_connected", "busy", 486, 17, "mapped"),
    "declines": (False, "never_connected", "declined", 603, 21, "mapped"),
    "never_answers": (False, "never_connected", "no_answer", 487, 19, "mapped"),
    "switched_off": (False, "never_connected", "unreachable", 480, 20, "header"),
    "wrong_number": (False, "never_connected", "wrong_number", 404, 1, "header"),
    "network_down": (False, "never_connected", "network_failed", 503, 41, "mapped"),
}


async def test_every_way_of_taking_a_call_is_told_apart(telephone: Telephone, exchange: PhoneExchange) -> None:
    for manner in OUTCOMES:
        await exchange.set_behaviour(manner, manner, rings_s=0.2, listens_s=2)
        await telephone.client.place(_call(manner, manner, ring_s=3, max_s=9))
    found = {}
    for manner in OUTCOMES:
        end = await telephone.ended(manner)
        found[manner] = (end.answered, end.ended_by, end.reason, end.sip_code, end.q850_cause, end.cause_source)
    assert found == OUTCOMES
    for manner, outcome in OUTCOMES.items():
        kinds = [event.type for event in telephone.of(manner)]
        assert kinds[0] == "placed"
        assert kinds[-1] == "ended"
        assert ("answered" in kinds) == outcome[0]
        assert telephone.keys(manner) == ([manner[-1]] if manner.startswith("presses") else [])
        stamps = [event.at_ms for event in telephone.of(manner)]
        assert stamps == sorted(stamps)


@pytest.mark.parametrize(("language", "text"), [("zh", ZH), ("en", EN)])
async def test_the_household_hears_the_words(telephone: Telephone, exchange: PhoneExchange, language: Language, text: str) -> None:
    await exchange.set_behaviour("1", "presses_1", rings_s=0, listens_s=6)
    await telephone.client.place(_call("a", "1", language=language, text=text))
    end = await telephone.ended("a")
    *message, thanks = telephone.spoken("a")
    once = list(sentences(text))
    assert message == (once * len(message))[: len(message)]
    assert len(message) >= len(once)
    assert thanks == AFTER_KEY["1"][language]
    await telephone.until(lambda: any(report.event == "heard" for report in telephone.phones))
    heard = next(report for report in telephone.phones if report.event == "heard")
    with wave.open(heard.recording) as recording:
        sound = array("h", recording.readframes(recording.getnframes()))
    assert len(sound) / 8000 == pytest.approx(heard.audio_s, abs=0.05)
    assert max(sound) > 8_000
    assert (sum(sample * sample for sample in sound) / len(sound)) ** 0.5 > 500
    # A voice or a phone that stands still for a moment loses what is said meanwhile; a wrong codec or a dead line leaves next to nothing.
    assert heard.heard_s > end.spoken_s * 0.3
    assert heard.audio_s >= end.spoken_s * 0.9


async def test_new_words_are_heard_at_the_next_sentence(telephone: Telephone) -> None:
    before = "Gas is leaking, leave the house now. The valve is not yet closed. Press one when you are out."
    after = "Gas is leaking, leave the house now. The valve is closed. Press one when you are out."
    await telephone.client.place(_call("a", "1", language="en", text=before))
    await telephone.until(lambda: len(telephone.spoken("a")) == 1)
    await telephone.client.reword("a", after)
    await telephone.until(lambda: len(telephone.spoken("a")) == 3)
    assert telephone.spoken("a")[:3] == list(sentences(after))
    await telephone.client.hangup("a")
    end = await telephone.ended("a")
    assert (end.ended_by, end.reason) == ("us", "hangup_asked")


async def test_twenty_calls_at_once(telephone: Telephone, exchange: PhoneExchange) -> None:
    for number in range(20):
        await exchange.set_behaviour(str(number), "presses_1", rings_s=0.5, listens_s=4)
    for number in range(20):
        await telephone.client.place(_call(f"c{number}", str(number), text=f"{number}栋。" + ZH))
    ends = [await telephone.ended(f"c{number}") for number in range(20)]
    assert [end.reason for end in ends] == ["confirmed"] * 20
    for number in range(20):
        assert telephone.keys(f"c{number}") == ["1"]
        assert telephone.spoken(f"c{number}")[0] == f"{number}栋。"


async def test_health_and_figures_tell_of_the_calls(telephone: Telephone, exchange: PhoneExchange) -> None:
    await telephone.stop_worker()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    await telephone.start_worker(observe_port=str(port))
    await exchange.set_behaviour("1", "busy", rings_s=0)
    await telephone.client.place(_call("a", "1"))
    await telephone.client.place(_call("b", "2"))
    await telephone.ended("a")
    await telephone.until(lambda: bool(telephone.spoken("b")))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as page:
        health = await page.get("/health")
        figures = (await page.get("/metrics")).text
        assert (health.status_code, health.json()["ok"], health.json()["calls_under_way"]) == (200, True, 1)
        assert 'gas_sentinel_voice_calls_total{line="simulated",reason="busy"} 1.0' in figures
        assert "gas_sentinel_voice_calls_under_way 1.0" in figures
        assert "gas_sentinel_voice_placing_seconds_count 2.0" in figures
        await telephone.client.close()
        # The worker notices on its own loop that dispatch is gone; the answer then changes to red.
        async with asyncio.timeout(PATIENCE_S):
            while health.status_code == 200:
                health = await page.get("/health")
    assert health.json()["reasons"] == ["dispatch_not_connected"]


async def test_a_repeated_request_rings_once(telephone: Telephone, exchange: PhoneExchange) -> None:
    await exchange.set_behaviour("1", "busy", rings_s=0.5)
    for _ in range(3):
        await telephone.client.place(_call("a", "1"))
    first = await telephone.ended("a")
    await telephone.client.place(_call("a", "1"))
    await telephone.until(lambda: [event.type for event in telephone.of("a")].count("ended") == 2)
    assert telephone.of("a")[-1] == first
    await telephone.client.place(_call("b", "1"))
    await telephone.ended("b")
    assert [report.event for report in telephone.phones].count("ringing") == 2


async def test_without_a_trunk_a_real_number_is_answered_at_once(telephone: Telephone) -> None:
    real = {"ring_s": 5, "max_s": 5, "language": "zh", "text": ZH, "simulated": False}
    await telephone.client.place(CallRequest(call_id="a", address="+8613812345678", **real))
    await telephone.client.place(CallRequest(call_id="b", address="sip:1@sim.invalid", **real))
    assert ((await telephone.ended("a")).reason, (await telephone.ended("b")).reason) == ("no_trunk", "simulated_mismatch")
    assert [event.type for event in telephone.events] == ["ended", "ended"]


async def test_a_dead_speech_process_is_replaced_within_the_call(telephone: Telephone) -> None:
    text = "The first sentence is long enough to leave some time. " + " ".join(f"Sentence number {n}." for n in range(5))
    await telephone.client.place(_call("a", "1", language="en", text=text))
    await telephone.until(lambda: len(telephone.spoken("a")) == 1)
    assert telephone.worker is not None
    (speech,) = _children(telephone.worker.pid)
    os.kill(speech, signal.SIGKILL)
    await telephone.until(lambda: len(telephone.spoken("a")) == 6)
    assert telephone.spoken("a") == list(sentences(text))


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_a_lost_worker_ends_its_calls_and_a_new_one_makes_others(telephone: Telephone, exchange: PhoneExchange) -> None:
    for call_id in "ab":
        await telephone.client.place(_call(call_id, call_id))
        await telephone.until(partial(telephone.spoken, call_id))
    assert telephone.worker is not None
    telephone.worker.kill()
    assert [(await telephone.ended(call_id)).reason for call_id in "ab"] == ["worker_lost"] * 2
    await telephone.worker.wait()
    await telephone.client.place(_call("c", "c"))
    assert (await telephone.ended("c")).reason == "worker_lost"
    await telephone.start_worker()
    await exchange.set_behaviour("d", "presses_1", rings_s=0, listens_s=0.5)
    await telephone.client.place(_call("d", "d"))
    assert (await telephone.ended("d")).reason == "confirmed"


async def test_a_call_goes_on_without_dispatch_and_its_key_is_kept(telephone: Telephone, exchange: PhoneExchange) -> None:
    await exchange.set_behaviour("1", "presses_1", rings_s=0, listens_s=3)
    await telephone.client.place(_call("a", "1"))
    await telephone.until(lambda: bool(telephone.spoken("a")))
    await telephone.client.close()
    await telephone.until(lambda: any(report.event == "hung_up" for report in telephone.phones))
    async with VoiceClient(telephone.folder / "voice.sock") as again:
        kept: list[VoiceEvent] = []
        reader = asyncio.ensure_future(telephone.collect(again.events(), kept))
        await telephone.until(lambda: any(isinstance(event, Ended) for event in kept))
        reader.cancel()
    assert [event.digit for event in kept if isinstance(event, Key)] == ["1"]
    assert [event.reason for event in kept if isinstance(event, Ended)] == ["confirmed"]


async def test_lines_that_are_no_request_harm_nobody(telephone: Telephone, exchange: PhoneExchange) -> None:
    await exchange.set_behaviour("1", "busy", rings_s=0)
    reader, writer = await asyncio.open_unix_connection(telephone.folder / "voice.sock")
    writer.write(b'nonsense\n\xff\xfe\n{"type":"call","call_id":"bad"}\n' + b"x" * 200_000)
    assert (await telephone.ended("bad")).reason == "bad_request"
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()
    await telephone.client.place(_call("a", "1"))
    assert (await telephone.ended("a")).reason == "busy"


async def test_a_stopping_worker_says_so_and_hangs_up(telephone: Telephone) -> None:
    await telephone.client.place(_call("a", "1"))
    await telephone.until(lambda: bool(telephone.spoken("a")))
    assert await telephone.stop_worker() == 0
    assert (await telephone.ended("a")).reason == "worker_stopping"
    await telephone.until(lambda: any(report.event == "hung_up" and report.by == "caller" for report in telephone.phones))
