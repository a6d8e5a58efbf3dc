"""The snapshot and the journal bring back, without the database, exactly the line that was there."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from alarm_engine.keeper import decode, encode
from alarm_engine.local_file import LocalFileError, Writing, read_lines
from alarm_engine.picture import Picture
from alarm_engine.recovery import restore, resume
from alarm_engine.registry_view import RegistryView
from alarm_engine.snapshot import REGISTRY_FILE, SNAPSHOT_FILE, Snapshots
from tests.alarm_engine.stage import HOME, Stage

JOURNAL = UUID(int=7)


class Files:
    """A stage whose line keeps a snapshot and a journal in a folder."""

    def __init__(self, folder: Path, stage: Stage) -> None:
        self.stage = stage
        self.words: dict[UUID, bytes] = {}
        self.snapshots = Snapshots(folder, stage.state, lambda: (JOURNAL, len(stage.ports.written)), lambda: self.words)

    async def next_life(self, after_s: float = 5.0) -> Stage:
        """Everything in memory is gone; the clock went on, the database is away."""
        registry, picture = self.snapshots.read_registry(), self.snapshots.read_picture()
        assert registry is not None
        assert picture is not None
        assert picture.identity == str(JOURNAL)
        for rows in self.stage.ports.written[picture.number :]:
            picture.fold(decode(encode(rows)))
        after = Stage()
        after.clock.step(self.stage.clock.now_ms() - after.clock.now_ms() + int(after_s * 1000))
        after.state.registry.take_over(RegistryView())
        after.state.registry.take_over(registry)
        after._seq = self.stage._seq
        restore(after.engine, picture)
        resume(after.engine, picture.words.values())
        return after


def known(stage: Stage) -> dict[str, Any]:
    """What a decision may look at, of all that is open. ``valve_messages`` only tells the ids of messages apart."""
    return {
        str(key): {
            **incident.row(),
            **incident.memory(),
            "valve_messages": None,
            "close": None if incident.close is None else incident.close.row(),
        }
        for key, incident in stage.state.incidents.items()
    }


def aside(folder: Path) -> list[Path]:
    return list(folder.glob("*.damaged-*"))


@pytest.mark.parametrize("when", ["before", "between", "after"], ids=["journal alone", "both", "snapshot alone"])
async def test_a_start_from_snapshot_and_journal_knows_what_was_known(tmp_path: Path, when: str) -> None:
    stage = Stage()
    files = Files(tmp_path, stage)
    if when == "before":
        await files.snapshots.write()
    stage.meter("open")
    stage.alarm()
    stage.alarm("D1B")
    if when == "between":
        await files.snapshots.write()
    stage.ack("rejected")
    await stage.pass_time(1.5)
    stage.ack("accepted")
    if when == "after":
        await files.snapshots.write()
    before = known(stage)
    after = await files.next_life()
    assert known(after) == before
    assert set(after.state.open_by_place) == set(stage.state.open_by_place)
    assert after.state.registry.homes == stage.state.registry.homes
    assert after.state.registry.devices == stage.state.registry.devices
    assert after.state.registry.detectors == stage.state.registry.detectors
    # The close that was under way is looked at at once, under its own id and with order numbers that still grow.
    view, former = after.state.devices.of("M1"), stage.state.devices.of("M1")
    assert view.last_order_no == former.last_order_no


async def test_an_incident_that_ended_after_the_snapshot_does_not_come_back(tmp_path: Path) -> None:
    stage = Stage()
    files = Files(tmp_path, stage)
    stage.alarm()
    await files.snapshots.write()
    incident = stage.state.open_by_place[HOME]
    stage.engine.close(incident, stage.clock.now_ms(), "line", "archived")
    after = await files.next_life()
    assert after.state.incidents == {}
    assert incident.incident_id in after.state.closed_lately


async def test_an_alarm_that_was_durable_is_promised_again_and_opens_nothing(tmp_path: Path) -> None:
    stage = Stage()
    files = Files(tmp_path, stage)
    item = stage.alarm()
    await files.snapshots.write()
    after = await files.next_life()
    promised: list[str] = []
    after.engine.take(item, "alarm", lambda: promised.append("again"))
    assert promised == ["again"]
    assert len(after.state.incidents) == 1


async def test_what_dispatch_had_not_confirmed_is_said_again(tmp_path: Path) -> None:
    stage = Stage()
    files = Files(tmp_path, stage)
    stage.alarm()
    files.words = {message.message_id: message.model_dump_json().encode() for message in stage.ports.told}
    await files.snapshots.write()
    after = await files.next_life()
    assert {m.message_id for m in after.ports.told} >= {m.message_id for m in stage.ports.told}


async def test_holds_in_force_are_known_again(tmp_path: Path) -> None:
    stage = Stage()
    files = Files(tmp_path, stage)
    stage.alarm()
    await files.snapshots.write()
    after = await files.next_life()
    assert list(after.state.holds_in_force()) == list(stage.state.holds_in_force()) != []


async def test_the_registry_is_written_only_when_it_changed(tmp_path: Path) -> None:
    stage = Stage()
    files = Files(tmp_path, stage)
    await files.snapshots.write()
    first = (tmp_path / REGISTRY_FILE).stat().st_mtime_ns
    stage.alarm()
    await files.snapshots.write()
    assert (tmp_path / REGISTRY_FILE).stat().st_mtime_ns == first
    # Nor by the next process.
    await Files(tmp_path, stage).snapshots.write()
    assert (tmp_path / REGISTRY_FILE).stat().st_mtime_ns == first
    stage.state.registry.apply((), (), stage.state.registry.version + 1)
    await files.snapshots.write()
    assert (tmp_path / REGISTRY_FILE).stat().st_mtime_ns > first


async def test_a_damaged_file_is_put_aside_counted_and_never_believed(tmp_path: Path) -> None:
    stage = Stage()
    files = Files(tmp_path, stage)
    stage.alarm()
    await files.snapshots.write()
    path = tmp_path / SNAPSHOT_FILE
    whole = path.read_bytes()
    for place in range(0, len(whole), 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert files.snapshots.read_picture() is None
        assert not path.exists()
    for cut in range(0, len(whole) - 1, 97):
        path.write_bytes(whole[:cut])
        assert files.snapshots.read_picture() is None
    assert len(files.snapshots.put_aside) > 20
    assert 1 <= len(aside(tmp_path)) <= 5


async def test_a_whole_file_of_another_kind_is_not_believed(tmp_path: Path) -> None:
    files = Files(tmp_path, Stage())
    for line in (b"[]", b"{}", b'["picture",99,0,"",0]', b"not json", b'["picture",1]'):
        writing = Writing(tmp_path / SNAPSHOT_FILE)
        writing.add([line])
        writing.finish()
        assert files.snapshots.read_picture() is None


async def test_a_disk_that_refuses_keeps_the_old_file_and_is_told(tmp_path: Path) -> None:
    stage = Stage()
    files = Files(tmp_path / "state", stage)
    await files.snapshots.write()
    assert files.snapshots.trouble == ""
    (tmp_path / "state" / f"{SNAPSHOT_FILE}.part").mkdir()
    stage.alarm()
    await files.snapshots.write()
    assert files.snapshots.trouble
    picture = files.snapshots.read_picture()
    assert picture is not None
    assert picture.incidents == {}
    (tmp_path / "state" / f"{SNAPSHOT_FILE}.part").rmdir()
    await files.snapshots.write()
    assert files.snapshots.trouble == ""
    assert len(Picture.read(read_lines(tmp_path / "state" / SNAPSHOT_FILE) or []).incidents) == 1


async def test_the_snapshot_of_a_line_that_decides_meanwhile_is_made_whole_by_the_journal(tmp_path: Path) -> None:
    """Pieces are made while incidents open and close; the journal from the first piece on ends at the same picture."""
    stage = Stage()
    files = Files(tmp_path, stage)
    stage.alarm()
    writing = asyncio.create_task(files.snapshots.write())
    for _ in range(3):
        await asyncio.sleep(0)  # so many turns, so many pieces
    assert not writing.done()
    stage.alarm("D2", account="HUB")
    await writing
    stage.ack("done", "closed")
    after = await files.next_life()
    assert known(after) == known(stage)


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "none") is None
    writing = Writing(tmp_path / "file")
    writing.add([b"one"])
    assert read_lines(tmp_path / "file") is None
    writing.finish()
    assert read_lines(tmp_path / "file") == [b"one"]
    with pytest.raises(LocalFileError):
        read_lines(tmp_path)
