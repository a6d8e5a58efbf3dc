"""The journal keeps what it called durable, through torn ends, garbled places, full and vanished disks."""

import asyncio
import errno
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.journal import SEGMENT_BYTES, Disk, Journal, JournalError, Replay

PLENTY = 10_000_000


def reopen(folder: Path, segment_bytes: int = SEGMENT_BYTES) -> tuple[Journal, Replay]:
    journal = Journal(folder, "log", PLENTY, segment_bytes=segment_bytes)
    return journal, journal.open()


def _again(payloads: list[bytes]) -> list[Callable[[], bytes]]:
    """How each of these is made anew."""
    return [partial(bytes, payload) for payload in payloads]


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.log"))


async def written(folder: Path, payloads: list[bytes], segment_bytes: int = SEGMENT_BYTES) -> Journal:
    journal, _ = reopen(folder, segment_bytes)
    for payload in payloads:
        journal.append(payload)
        await journal.sync()
    return journal


class FailingDisk(Disk):
    """A disk that refuses when told to."""

    def __init__(self) -> None:
        self.write_error = 0
        self.sync_error = 0
        self.syncs = 0
        self.torn_after: int | None = None

    def write(self, descriptor: int, data: bytes) -> None:
        if self.write_error:
            if self.torn_after is not None:
                super().write(descriptor, data[: self.torn_after])
            raise OSError(self.write_error, "as told")
        super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self.syncs += 1
        if self.sync_error:
            raise OSError(self.sync_error, "as told")
        super().sync(descriptor)


async def test_what_was_synced_is_there_in_order_after_a_restart(tmp_path: Path) -> None:
    journal = await written(tmp_path / "state", [b"one", b"", b"three" * 1000])
    again, replay = reopen(tmp_path / "state")
    assert [r.payload for r in replay.records] == [b"one", b"", b"three" * 1000]
    assert (replay.torn, replay.garbled) == (0, 0)
    assert again.identity == journal.identity
    assert again.append(b"four") == journal.last_number + 1
    await again.sync()
    assert [r.payload for r in reopen(tmp_path / "state")[1].records] == [b"one", b"", b"three" * 1000, b"four"]
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


async def test_many_who_sync_at_once_share_one_write(tmp_path: Path) -> None:
    disk = FailingDisk()
    journal = Journal(tmp_path, "log", PLENTY, disk=disk)
    journal.open()

    async def one(number: int) -> None:
        await journal.sync(journal.append(b"%d" % number))

    await asyncio.gather(*(one(number) for number in range(500)))
    assert disk.syncs <= 2
    assert len(reopen(tmp_path)[1].records) == 500


async def test_a_log_cut_off_at_any_byte_keeps_every_record_before_the_cut(tmp_path: Path) -> None:
    payloads = [b"first", b"second record", b"\xa7JR\n not a record", b"last"]
    await written(tmp_path / "whole", payloads)
    (path,) = files(tmp_path / "whole")
    data = path.read_bytes()
    seen = set()
    for cut in range(len(data)):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / path.name).write_bytes(data[:cut])
        journal, replay = reopen(folder)
        found = [r.payload for r in replay.records]
        assert found == payloads[: len(found)]
        assert not replay.damaged
        seen.add(len(found))
        # And the log goes on behind the torn end.
        journal.append(b"after")
        await journal.sync()
        assert [r.payload for r in reopen(folder)[1].records] == [*found, b"after"]
        shutil.rmtree(folder)
    assert seen == {0, 1, 2, 3}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=8), st.data())
def test_any_damage_costs_only_what_it_touches(tmp_path: Path, payloads: list[bytes], data: st.DataObject) -> None:
    folder = tmp_path / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    asyncio.run(written(folder, payloads))
    (path,) = files(folder)
    whole = path.read_bytes()
    start = data.draw(st.integers(0, len(whole) - 1))
    garbage = data.draw(st.binary(min_size=1, max_size=30))
    end = min(len(whole), start + len(garbage))
    path.write_bytes(whole[:start] + garbage[: end - start] + whole[end:])
    _, replay = reopen(folder)
    # Which records lie outside the damage?
    at, untouched = 44, []
    for payload in payloads:
        length = 20 + len(payload)
        if at + length <= start or at >= end:
            untouched.append(payload)
        at += length
    found = [r.payload for r in replay.records]
    if whole[start:end] == garbage[: end - start]:
        assert found == payloads
    else:
        position = 0
        for payload in untouched:
            position = found.index(payload, position) + 1
        assert len(found) <= len(payloads)
        if len(found) < len(payloads):
            assert replay.torn + replay.garbled >= 1
            assert replay.reasons


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.sampled_from(["append", "sync", "replace", "forget", "restart", "full"]), max_size=25))
def test_no_sequence_loses_a_durable_record_or_invents_one(tmp_path: Path, steps: list[str]) -> None:
    """The owner holds a list of what it still needs; the disk must give back a log whose end state is that list."""
    folder = tmp_path / "machine"
    shutil.rmtree(folder, ignore_errors=True)

    async def play() -> None:
        disk = FailingDisk()
        journal = Journal(folder, "log", PLENTY, segment_bytes=200, disk=disk)
        journal.open()
        durable: list[tuple[int, bytes]] = []
        waiting: list[tuple[int, bytes]] = []
        forgotten = 0
        for count, step in enumerate(steps):
            if step == "append":
                payload = b"record %d" % count
                waiting.append((journal.append(payload), payload))
            elif step == "sync":
                if waiting:
                    await journal.sync(waiting[-1][0])
                durable += waiting
                waiting = []
            elif step == "full":
                disk.write_error, disk.torn_after = errno.ENOSPC, 7
                if waiting:
                    with pytest.raises(JournalError):
                        await journal.sync()
                waiting = []
                disk.write_error = 0
            elif step == "replace":
                kept = [payload for _, payload in durable[-2:]]
                numbers = await journal.replace(partial(_again, kept))
                durable, waiting = list(zip(numbers, kept, strict=True)), []
            elif step == "forget" and durable:
                forgotten = durable[0][0]
                await journal.forget(forgotten)
                durable = durable[1:]
            elif step == "restart":
                await journal.close()
                journal = Journal(folder, "log", PLENTY, segment_bytes=200, disk=disk)
                replay = journal.open()
                waiting = []
                assert not replay.damaged
                assert [(r.number, r.payload) for r in replay.records if r.number > forgotten] == durable
        await journal.close()

    asyncio.run(play())


async def test_a_full_disk_is_told_and_the_log_goes_on_when_there_is_room(tmp_path: Path) -> None:
    disk = FailingDisk()
    journal = Journal(tmp_path, "log", PLENTY, disk=disk)
    journal.open()
    journal.append(b"before")
    await journal.sync()
    disk.write_error, disk.torn_after = errno.ENOSPC, 11
    lost = journal.append(b"lost")
    results = await asyncio.gather(journal.sync(lost), journal.sync(lost), return_exceptions=True)
    assert all(isinstance(r, JournalError) for r in results)
    assert "cannot be written" in str(results[0])
    disk.write_error = 0
    kept = journal.append(b"after")
    await journal.sync(kept)
    with pytest.raises(JournalError):
        await journal.sync(lost)
    assert [r.payload for r in reopen(tmp_path)[1].records] == [b"before", b"after"]


async def test_an_fsync_that_failed_promises_nothing(tmp_path: Path) -> None:
    disk = FailingDisk()
    journal = Journal(tmp_path, "log", PLENTY, disk=disk)
    journal.open()
    disk.sync_error = errno.EIO
    journal.append(b"perhaps")
    with pytest.raises(JournalError):
        await journal.sync()
    disk.sync_error = 0
    journal.append(b"perhaps")
    await journal.sync()
    # Once or twice, but never not at all, and in a segment of its own.
    assert {r.payload for r in reopen(tmp_path)[1].records} == {b"perhaps"}
    assert len(files(tmp_path)) == 2


async def test_a_folder_that_vanished_is_told_and_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    journal = await written(folder, [b"one"])
    shutil.rmtree(folder)
    journal.append(b"two")
    with pytest.raises(JournalError):
        await journal.sync()
    journal.append(b"two")
    await journal.sync()
    assert [r.payload for r in reopen(folder)[1].records] == [b"two"]


async def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("not a folder")
    with pytest.raises(JournalError, match="cannot be read"):
        Journal(tmp_path / "state", "log", PLENTY).open()


async def test_the_bound_is_kept_and_room_comes_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "log", 1_000, segment_bytes=200)
    journal.open()

    async def fill() -> None:
        while True:
            journal.append(b"x" * 50)
            await journal.sync()

    with pytest.raises(JournalError, match="bound of 1000 bytes"):
        await fill()
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 1_000
    await journal.replace(lambda: [lambda: b"all that is needed"])
    assert journal.append(b"room again") == journal.last_number
    await journal.sync()
    assert [r.payload for r in reopen(tmp_path)[1].records] == [b"all that is needed", b"room again"]


async def test_segments_that_nobody_needs_are_removed(tmp_path: Path) -> None:
    journal = await written(tmp_path, [b"x" * 100] * 9, segment_bytes=300)
    assert len(files(tmp_path)) > 2
    await journal.forget(journal.last_number - 1)
    assert reopen(tmp_path)[1].records[-1].number == journal.last_number
    assert len(files(tmp_path)) == 1


async def test_a_replacement_that_crashed_before_its_name_leaves_the_old_log(tmp_path: Path) -> None:
    await written(tmp_path, [b"one", b"two"])
    (tmp_path / "log-00000000000000000009.part").write_bytes(b"half written")
    assert [r.payload for r in reopen(tmp_path)[1].records] == [b"one", b"two"]
    assert [path.suffix for path in files(tmp_path)] == [".log"]
    assert not (tmp_path / "log-00000000000000000009.part").exists()


async def test_a_replacement_that_crashed_before_the_old_log_was_removed_counts_alone(tmp_path: Path) -> None:
    class Crashing(Disk):
        def remove(self, path: Path) -> None:
            raise OSError(errno.EIO, "as told")

    journal = Journal(tmp_path, "log", PLENTY, disk=Crashing())
    journal.open()
    journal.append(b"one")
    journal.append(b"two")
    await journal.sync()
    await journal.replace(lambda: [lambda: b"both"])
    journal.append(b"three")
    await journal.sync()
    assert len(files(tmp_path)) >= 2
    assert [r.payload for r in reopen(tmp_path)[1].records] == [b"both", b"three"]


async def test_a_log_put_aside_is_kept_and_not_read_again(tmp_path: Path) -> None:
    journal = await written(tmp_path, [b"one"])
    (aside,) = journal.put_aside("damaged")
    assert aside.exists()
    again, replay = reopen(tmp_path)
    assert replay.records == []
    assert again.identity != journal.identity
