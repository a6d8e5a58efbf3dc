"""An import in the middle of a leak: what the incident froze stays, a meter that is exchanged is closed too, and nothing ever opens.

Real PostgreSQL, a real broker, the line; the file comes in as it does in service.
"""

import asyncio
import csv
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.registry.homes import import_homes
from deploy.embedded.testing import TestBroker
from simulator.city.registry_file import COLUMNS, city_rows
from tests.gateway.line_stage import Town, forget_sessions, until

CITY = 4_000


@pytest.fixture
async def town(database: str, broker: TestBroker, tmp_path: Path) -> AsyncIterator[Town]:
    await asyncio.to_thread(forget_sessions, broker)
    found = Town(database, broker, tmp_path, tmp_path / "state")
    yield found
    await found.close()
    await asyncio.to_thread(forget_sessions, broker)


class File:
    """The registry of this town as a file that is changed and imported again."""

    def __init__(self, town: Town, homes: int, path: Path) -> None:
        self._town, self._path = town, path
        self.rows = []
        made = (dict(zip(COLUMNS, cells, strict=True)) for cells in city_rows(homes, 5))
        seen: set[str] = set()
        for row in made:
            # A second detector of a home is not needed here.
            if row["home_id"] not in seen:
                seen.add(row["home_id"])
                number = len(seen)
                row |= {"home_id": town.own("H", number), "household_no": f"43{number:08d}", "alarm_lel": "", "hub_id": ""}
                row |= {"meter_id": town.own("M", number), "detector_id": town.own("D", number)}
                self.rows.append(row)

    async def comes_in(self, homes: int | None = None, *, retire_missing: bool = False) -> None:
        """Import it (its first homes), without the line's loop waiting; returns when it is committed."""
        with self._path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows[:homes])
        await asyncio.to_thread(import_homes, self._town.dsn, self._path, retire_missing=retire_missing)

    async def is_known(self) -> None:
        """The line has taken over what was imported last."""
        (row,) = await self._town.rows("SELECT max(version) AS version FROM registry_changes")
        await until(lambda: self._town.line.state.registry.version >= row["version"], "the line knows the new registry")


async def nothing_opens(town: Town) -> None:
    assert await town.rows("SELECT 1 FROM commands WHERE command = 'open_valve'") == []


async def test_a_meter_exchanged_during_the_leak_is_closed_too_and_nothing_opens(town: Town, tmp_path: Path) -> None:
    file = File(town, 3, tmp_path / "homes.csv")
    await file.comes_in()
    await town.start()
    detector, old = town.home(1)
    new = town.device(town.own("M", 91))
    item = await detector.leak()
    first = await old.command()
    assert first.incident_id is not None
    await detector.promised(item)
    before = await town.incident(1)
    file.rows[0]["meter_id"] = new.account
    await file.comes_in()
    second = await new.command()
    assert (second.command, second.incident_id) == ("close_valve", first.incident_id)
    assert second.command_id != first.command_id
    # The old one answers from the van: its close is carried out, and that says nothing of the valve on the wall.
    await old.answer(first, "done", "closed")
    done = await town.row("SELECT * FROM commands WHERE command_id = %s AND result = 'done'", first.command_id)
    assert done["device_id"] == old.account
    assert town.line.state.incidents[first.incident_id].valve == "commanded"
    await new.answer(second, "done", "closed")
    after = await town.incident(1, "reported_closed")
    assert after["meter_id"] == new.account
    assert after["home"] == before["home"], "what was known when it leaked is frozen"
    assert after["home"]["meter_id"] == old.account
    kinds = {row["kind"] for row in await town.rows("SELECT kind FROM incident_events WHERE incident_id = %s", first.incident_id)}
    assert "meter_exchanged" in kinds
    assert len(await town.rows("SELECT 1 FROM incidents")) == 1
    await nothing_opens(town)


async def test_a_home_retired_during_the_leak_keeps_its_incident_and_its_close(town: Town, tmp_path: Path) -> None:
    file = File(town, 3, tmp_path / "homes.csv")
    await file.comes_in()
    await town.start()
    detector, meter = town.home(3)
    item = await detector.leak()
    first = await meter.command()
    await detector.promised(item)
    before = await town.incident(3)
    await file.comes_in(2, retire_missing=True)
    await file.is_known()
    # Its close goes on being said, and its answer is understood.
    await meter.command(2)
    assert {command.command_id for command in meter.closes} == {first.command_id}
    await meter.answer(first, "done", "closed")
    after = await town.incident(3, "reported_closed")
    assert (after["state"], after["home"], after["devices"]) == ("open", before["home"], before["devices"])
    await nothing_opens(town)


async def test_a_detector_moved_during_the_leak_leaves_the_incident_where_it_leaked(town: Town, tmp_path: Path) -> None:
    file = File(town, 3, tmp_path / "homes.csv")
    await file.comes_in()
    await town.start()
    detector, meter = town.home(1)
    other = town.device(town.own("M", 2))
    item = await detector.leak()
    first = await meter.command()
    await detector.promised(item)
    before = await town.incident(1)
    file.rows[0]["detector_id"], file.rows[1]["detector_id"] = town.own("D", 2), town.own("D", 1)
    await file.comes_in()
    await file.is_known()
    # It leaks on, in another kitchen now: that one is closed, as one more incident.
    again = await detector.leak()
    second = await other.command()
    await detector.promised(again)
    assert second.incident_id != first.incident_id
    await meter.answer(first, "done", "closed")
    await other.answer(second, "done", "closed")
    after = await town.incident(1, "reported_closed")
    assert (after["incident_id"], after["home"], after["devices"]) == (first.incident_id, before["home"], before["devices"])
    assert (await town.incident(2, "reported_closed"))["incident_id"] == second.incident_id
    # A repeat of the first alarm belongs to the first incident still.
    await detector.up("alarm", item)
    await detector.promised(item, 2)
    assert len(await town.rows("SELECT 1 FROM incidents")) == 2
    await nothing_opens(town)


async def test_an_import_of_thousands_of_homes_during_leaks_closes_every_one(town: Town, tmp_path: Path) -> None:
    file = File(town, CITY, tmp_path / "homes.csv")
    await file.comes_in(12)
    await town.start()
    homes = {number: town.home(number) for number in range(1, 13)}
    hub_of_all = itertools.count(1)
    importing = asyncio.create_task(file.comes_in())
    items: dict[int, dict[str, object]] = {}
    while not (importing.done() and len(items) == len(homes)):
        number = next(hub_of_all)
        if number in homes:
            items[number] = await homes[number][0].leak()
        await asyncio.sleep(0.05)  # all through the import, not all before it
    await importing
    await file.is_known()
    assert len(town.line.state.registry.homes) >= len(file.rows)
    for number, (detector, meter) in homes.items():
        command = await meter.command()
        await detector.promised(items[number])
        await meter.answer(command, "done", "closed")
    for number in homes:
        await town.incident(number, "reported_closed")
    assert len(await town.rows("SELECT 1 FROM incidents")) == len(homes)
    # And a home that came with the import is as safe as the others.
    detector, meter = town.home(len(file.rows))
    await detector.leak()
    assert (await meter.command()).command == "close_valve"
    await nothing_opens(town)
