"""Numbers of the journal's records, between two lives and two logs: nothing promised is taken for committed, nothing committed is set back.

Each of these was found by the machine over the real journal; told here in a few steps.
"""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from alarm_engine.record import event
from alarm_engine.rows import Rows
from tests.alarm_engine.played_database import PlayedDatabase
from tests.alarm_engine.played_disk import PlayedDisk
from tests.alarm_engine.played_line import MadeUpTime, PlayedLine
from tests.alarm_engine.stage import Stage

_A_MOMENT_S = 0.05
"""Longer than the ledger gathers; of made-up time, as all time here: nobody waits for it."""
_A_WHILE_S = 1.0
"""Enough for whatever the line does without being asked."""


def note(number: int, **detail: Any) -> Rows:
    return Rows(events=[event(UUID(int=number), number, "opened", **detail)])


class World:
    """One disk and one database, and the lives of a line on them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.stage = folder, Stage()
        self.world = self.stage.state.registry
        self.disk, self.database = PlayedDisk(folder), PlayedDatabase()
        self.line: PlayedLine

    async def life(self) -> None:
        self.line = PlayedLine(self.world, self.database, self.disk, self.folder, self.stage.ports)
        await self.line.start()

    async def crash(self) -> None:
        await self.line.die()
        self.disk.begin_anew()

    async def put(self, rows: Rows) -> bool:
        """Whether it was promised."""
        told: list[bool] = []
        self.line.keeper.put(rows, lambda: told.append(True))
        await asyncio.sleep(_A_MOMENT_S)
        return bool(told)

    async def snapshot(self) -> None:
        assert self.line.snapshots is not None
        await self.line.snapshots.write()

    def stored(self) -> set[int]:
        return {row["at_ms"] for row in self.database.tables["incident_events"].values()}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def run(world: World, story: Coroutine[Any, Any, None]) -> None:
    loop = MadeUpTime()
    try:
        loop.run_until_complete(story)
    finally:
        loop.run_until_complete(world.line.die())
        loop.close()


def test_a_number_that_never_reached_the_disk_is_not_given_again(world: World) -> None:
    async def story() -> None:
        await world.life()
        await world.snapshot()
        assert await world.put(note(1))
        # The disk is full: the database alone takes these, the first of them with a number that the log never gets.
        world.disk.fail("full")
        assert all([await world.put(note(number)) for number in (2, 3)])
        await world.crash()
        await world.life()
        # The next life promises by the journal alone.
        world.database.up = False
        assert all([await world.put(note(number)) for number in (4, 5, 6)])
        await world.crash()
        world.database.up = True
        await world.life()
        await asyncio.sleep(_A_WHILE_S)
        assert world.stored() == {1, 2, 3, 4, 5, 6}

    run(world, story())


def command(number: int, state: str) -> Rows:
    row: dict[str, object] = dict.fromkeys(("sends", "sent_ms", "accepted_ms", "done_ms", "result", "detail", "incident_id"))
    row |= {"command_id": str(UUID(int=number)), "device_id": "M1", "order_no": number, "state": state, "command": "report"}
    return Rows(commands={UUID(int=number): row})


def test_nor_in_the_life_after_one_whose_first_record_was_lost(world: World) -> None:
    async def story() -> None:
        await world.life()
        assert await world.put(note(1))
        await world.crash()
        await world.life()
        world.disk.fail("full")
        assert all([await world.put(note(number)) for number in (2, 3)])
        await world.crash()
        await world.life()
        world.database.up = False
        assert await world.put(note(4))
        await world.crash()
        world.database.up = True
        await world.life()
        await asyncio.sleep(_A_WHILE_S)
        assert world.stored() == {1, 2, 3, 4}

    run(world, story())


def test_a_log_written_anew_in_mid_commit_sets_nothing_back(world: World) -> None:
    async def story() -> None:
        await world.life()
        world.database.up = False
        assert await world.put(command(1, "sent"))
        # On its way under its first number; the log is written anew and gives it another.
        world.line.keeper.renew()
        await asyncio.sleep(_A_MOMENT_S)
        world.database.up = True
        await asyncio.sleep(_A_WHILE_S)
        # Now the database alone hears what is later.
        world.disk.fail("full")
        world.line.keeper.renew()
        await asyncio.sleep(_A_MOMENT_S)
        assert await world.put(command(1, "reported_closed"))
        await world.crash()
        await world.life()
        await asyncio.sleep(_A_WHILE_S)
        (row,) = world.database.tables["commands"].values()
        assert row["state"] == "reported_closed"

    run(world, story())


def test_the_journal_keeps_what_the_snapshot_does_not_hold_yet(world: World) -> None:
    async def story() -> None:
        await world.life()
        await world.snapshot()
        for number in range(1, 40):
            assert await world.put(note(number, text="x" * 1_000))
        # All of it is committed, and more than one segment is full; a start without the database has the journal alone.
        assert world.stored() == set(range(1, 40))
        world.database.up = False
        await world.crash()
        await world.life()
        assert world.line.alone
        assert {row["at_ms"] for rows in world.line.recorder.left for row in rows.events} == set(range(1, 40))
        world.database.up = True
        await asyncio.sleep(_A_WHILE_S)
        await world.snapshot()
        await world.put(note(99))
        await asyncio.sleep(_A_WHILE_S)
        assert world.line.keeper.size < 20_000, "what both have is forgotten"

    run(world, story())


def test_what_was_merged_with_a_refused_row_outlives_another_life(world: World) -> None:
    async def story() -> None:
        await world.life()
        world.database.up = False
        for number in range(1, 150):
            await world.put(note(number, note="\0" if number == 7 else "x"))
        # Merged, and written anew as what it became.
        world.line.keeper.renew()
        await asyncio.sleep(_A_MOMENT_S)
        await world.crash()
        world.database.up = True
        await world.life()
        await asyncio.sleep(_A_WHILE_S)
        # The refused one without the text that nobody can store, the others as they are.
        assert world.stored() == set(range(1, 150))

    run(world, story())
