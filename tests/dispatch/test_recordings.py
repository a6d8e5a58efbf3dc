"""What was said on a call is kept as sound: on its time, whole, within bounds, and never at the cost of a call."""

import asyncio
import io
import os
import stat
import wave
from array import array
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from dispatch.voice.client import VoiceClient
from dispatch.voice.protocol import Answered, Spoken
from dispatch.voice.recordings import Recordings
from dispatch.voice.settings import VoiceSettings
from dispatch.voice.tape import LONGEST_S, Tape
from simulator.phones.exchange import PhoneExchange
from tests.dispatch.test_voice_calls import PATIENCE_S, ZH, Telephone, _call

SECOND = 16_000
"""Bytes of a second of telephone sound."""


def samples(file: Path | bytes) -> "array[int]":
    """The samples of an 8 kHz 16-bit mono WAV file."""
    with wave.open(io.BytesIO(file) if isinstance(file, bytes) else str(file)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 8000)
        return array("h", sound.readframes(sound.getnframes()))


def tone(seconds: float, level: int = 9000) -> memoryview:
    return memoryview(array("h", [level] * round(8000 * seconds)).tobytes())


def levels(tape: Tape) -> list[tuple[int, float]]:
    """Runs of one level: (level, seconds)."""
    runs: list[list[int]] = []
    for sample in samples(tape.wav()):
        if runs and runs[-1][0] == sample:
            runs[-1][1] += 1
        else:
            runs.append([sample, 1])
    return [(level, round(count / 8000, 2)) for level, count in runs]


def test_sentences_lie_where_they_were_heard() -> None:
    tape = Tape()
    tape.begin(100.0)
    tape.sent(tone(1.0, 1), 100.3)
    tape.sent(tone(1.0, 2), 100.9)
    tape.sent(tone(0.5, 3), 103.0)
    assert levels(tape) == [(0, 0.3), (1, 1.0), (2, 1.0), (0, 0.7), (3, 0.5)]
    assert tape.seconds == pytest.approx(3.5)


def test_what_was_taken_back_before_it_was_heard_is_not_on_it() -> None:
    tape = Tape()
    tape.begin(0.0)
    tape.sent(tone(1.0, 1), 0.0)
    tape.sent(tone(1.0, 2), 0.5)
    tape.sent(tone(1.0, 3), 1.0)
    tape.cut(1.25)
    tape.sent(tone(0.5, 4), 1.5)
    assert levels(tape) == [(1, 1.0), (2, 0.25), (0, 0.25), (4, 0.5)]


def test_nothing_before_the_answer_and_nothing_beyond_the_longest() -> None:
    tape = Tape()
    tape.sent(tone(1.0), 5.0)
    assert (tape.empty, tape.seconds) == (True, 0.0)
    tape.begin(10.0)
    tape.begin(20.0)
    tape.sent(tone(2.0, 1), 10.0 + LONGEST_S - 1)
    tape.sent(tone(2.0, 2), 10.0 + LONGEST_S + 1)
    assert tape.seconds == LONGEST_S
    assert levels(tape) == [(0, LONGEST_S - 1), (1, 1.0)]


# --- the folder -------------------------------------------------------------------------------------------------


def spoken(seconds: float) -> Tape:
    tape = Tape()
    tape.begin(0.0)
    tape.sent(tone(seconds), 0.0)
    return tape


def kept(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def keep(folder: Path, *calls: tuple[str, float], most: int = 100, most_bytes: int = 100 * SECOND) -> None:
    """One life of the recordings, to its end."""
    recordings = Recordings(folder, most, most_bytes)
    recordings.start()
    for call_id, seconds in calls:
        recordings.keep(call_id, spoken(seconds))
    recordings.stop()


def test_a_recording_is_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "some" / "recordings"
    keep(folder, ("a", 1.0))
    assert kept(folder) == {"a.wav"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "a.wav").stat().st_mode) == 0o600
    assert len(samples(folder / "a.wav")) == 8000


def test_the_oldest_go_first_by_number_and_by_size_also_those_of_earlier_lives(tmp_path: Path) -> None:
    keep(tmp_path, ("a", 1.0), ("b", 1.0))
    for number, name in enumerate(("a.wav", "b.wav")):
        os.utime(tmp_path / name, ns=(number, number))
    keep(tmp_path, ("c", 1.0), ("d", 1.0), most=3)
    assert kept(tmp_path) == {"b.wav", "c.wav", "d.wav"}
    keep(tmp_path, ("e", 1.0), most_bytes=2 * SECOND + 200)
    assert kept(tmp_path) == {"d.wav", "e.wav"}
    keep(tmp_path, ("f", 5.0), most_bytes=2 * SECOND)
    assert kept(tmp_path) == {"f.wav"}


def test_a_call_that_is_kept_again_counts_once(tmp_path: Path) -> None:
    keep(tmp_path, ("a", 1.0), ("b", 1.0), ("a", 1.5), ("c", 1.0), most_bytes=4 * SECOND)
    assert kept(tmp_path) == {"a.wav", "b.wav", "c.wav"}


def test_what_an_earlier_life_left_half_done_goes(tmp_path: Path) -> None:
    (tmp_path / "a.new").write_bytes(b"half")
    (tmp_path / "b.wav").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("somebody else's")
    keep(tmp_path)
    assert kept(tmp_path) == {"notes.txt"}


def test_names_that_could_lead_elsewhere_are_no_recordings(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    keep(folder, ("../a", 1.0), ("a/b", 1.0), (".a", 1.0), ("", 1.0), ("x" * 65, 1.0), ("good-1", 1.0))
    assert kept(folder) == {"good-1.wav"}
    assert kept(tmp_path) == {"recordings"}


def test_a_silent_call_leaves_no_file(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path, 10, 10 * SECOND)
    recordings.start()
    tape = Tape()
    recordings.keep("a", tape)
    tape.begin(0.0)
    recordings.keep("b", tape)
    recordings.stop()
    assert kept(tmp_path) == set()


def test_a_disk_that_fails_costs_its_recording_alone(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path, 10, 10 * SECOND)
    recordings.start()
    (tmp_path / "a.wav").mkdir()
    (tmp_path / "a.wav" / "in the way").touch()
    recordings.keep("a", spoken(1.0))
    recordings.keep("b", spoken(1.0))
    recordings.stop()
    assert kept(tmp_path) == {"a.wav", "b.wav"}
    assert (tmp_path / "b.wav").is_file()


def test_an_empty_setting_is_no_folder() -> None:
    assert VoiceSettings(recordings_dir="").recordings_dir is None


# --- real calls -------------------------------------------------------------------------------------------------


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[PhoneExchange]:
    async with PhoneExchange(record=tmp_path / "heard", default="listens") as phones:
        await phones.set_behaviour("*", "listens", rings_s=0)
        yield phones


@pytest.fixture
async def telephone(tmp_path: Path, exchange: PhoneExchange) -> AsyncIterator[Telephone]:
    path = tmp_path / "voice.sock"
    async with VoiceClient(path) as client:
        line = Telephone(tmp_path, client, {"GAS_SENTINEL_VOICE_SOCKET": str(path), "GAS_SENTINEL_LOG_LEVEL": "warning"})
        readers = [
            asyncio.ensure_future(line.collect(client.events(), line.events)),
            asyncio.ensure_future(line.collect(exchange.events(), line.phones)),
        ]
        await line.start_worker(sim_sip_proxy=exchange.listen, recordings_dir=str(tmp_path / "said"))
        yield line
        await line.stop_worker()
        for reader in readers:
            reader.cancel()


async def until(true: Callable[[], bool]) -> None:
    """Look again until it is so. The wait is for another process, its end a failure."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.02)


def loud_s(sound: "array[int]") -> float:
    frames = [sound[at : at + 160] for at in range(0, len(sound), 160)]
    return sum(max(frame) > 600 or min(frame) < -600 for frame in frames) * 0.02


async def test_what_the_household_heard_is_what_is_kept(telephone: Telephone, exchange: PhoneExchange, tmp_path: Path) -> None:
    await exchange.set_behaviour("1", "presses_1", rings_s=0, listens_s=3)
    await telephone.client.place(_call("a", "1"))
    end = await telephone.ended("a")
    file = tmp_path / "said" / "a.wav"
    await until(file.is_file)
    said = samples(file)
    await telephone.until(lambda: any(report.event == "heard" for report in telephone.phones))
    (heard,) = (report for report in telephone.phones if report.event == "heard")
    # A telephone on a busy machine may miss some of what was sent; it never hears what was not.
    assert 0.8 * heard.heard_s <= loud_s(said) <= end.spoken_s + 0.1
    # The sentence that the key cut off is there as far as it was heard, the thanks after it whole.
    assert end.spoken_s <= len(said) / 8000
    answered = next(event for event in telephone.of("a") if isinstance(event, Answered))
    thanks = [event for event in telephone.of("a") if isinstance(event, Spoken)][-1]
    before = said[: 8 * (thanks.at_ms - answered.at_ms)]
    assert loud_s(said[len(before) :]) > 2.0


async def test_who_hangs_up_early_is_on_it_as_far_as_he_listened(telephone: Telephone, exchange: PhoneExchange, tmp_path: Path) -> None:
    # Long enough for a first sentence on a busy machine: who heard nothing leaves nothing.
    await exchange.set_behaviour("1", "hangs_up_early", rings_s=0, listens_s=6)
    await telephone.client.place(_call("a", "1", text=ZH * 3))
    end = await telephone.ended("a")
    file = tmp_path / "said" / "a.wav"
    await until(file.is_file)
    answered = next(event for event in telephone.of("a") if isinstance(event, Answered))
    assert 0 < len(samples(file)) / 8000 <= (end.at_ms - answered.at_ms) / 1000 + 0.1


async def test_a_call_that_nobody_took_leaves_none(telephone: Telephone, exchange: PhoneExchange, tmp_path: Path) -> None:
    await exchange.set_behaviour("1", "busy", rings_s=0)
    await exchange.set_behaviour("2", "presses_1", rings_s=0, listens_s=1)
    await telephone.client.place(_call("a", "1"))
    await telephone.ended("a")
    await telephone.client.place(_call("b", "2"))
    await telephone.ended("b")
    await until((tmp_path / "said" / "b.wav").is_file)
    assert kept(tmp_path / "said") == {"b.wav"}


async def test_a_folder_that_cannot_be_made_keeps_no_call_from_being_made(
    telephone: Telephone, exchange: PhoneExchange, tmp_path: Path
) -> None:
    await telephone.stop_worker()
    (tmp_path / "file").touch()
    await telephone.start_worker(recordings_dir=str(tmp_path / "file" / "said"))
    await exchange.set_behaviour("1", "presses_1", rings_s=0, listens_s=1)
    await telephone.client.place(_call("a", "1"))
    assert (await telephone.ended("a")).reason == "confirmed"


async def test_a_stopping_worker_keeps_what_it_said_so_far(telephone: Telephone, tmp_path: Path) -> None:
    await telephone.client.place(_call("a", "1"))
    await telephone.until(lambda: len(telephone.spoken("a")) >= 2)
    assert await telephone.stop_worker() == 0
    assert loud_s(samples(tmp_path / "said" / "a.wav")) > 0.5
