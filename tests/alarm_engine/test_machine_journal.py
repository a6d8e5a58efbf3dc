"""The machine of the engine again, over the real journal, keeper, ledger, snapshot and start of the line: promises outlive everything.

Between its lives the process is killed or the power is lost; the disk fills, fails and tears; the database goes, and comes back, and loses
the answer to a commit. The machine keeps its own account of every bundle that was put and of every alarm that was promised.
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from alarm_engine import ledger
from alarm_engine.picture import Picture
from alarm_engine.record import event
from alarm_engine.reopening import Reopening
from alarm_engine.rows import Rows
from core.items import AckItem, AlarmItem, Identity, Item
from core.station import OrderMessage
from tests.alarm_engine.outside import DETECTORS, HOME_OF, METERS, choice, detectors, is_leak
from tests.alarm_engine.played_database import PlayedDatabase
from tests.alarm_engine.played_disk import Fault, PlayedDisk
from tests.alarm_engine.played_line import MadeUpTime, PlayedLine
from tests.alarm_engine.test_machine import PHASES, AlarmMachine

LASTING = {"last_leak_ms": 0, "watch": {}}
"""A lasting leak is not written with every reading, nor is the room."""
Believed = tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[Any, Any]]


class JournalMachine(AlarmMachine):
    """All rules of the engine's machine, and those of the world underneath it."""

    def __init__(self) -> None:
        super().__init__()
        self.loop.close()
        # Merging begins with a few bundles instead of thousands.
        self._small = patch.multiple(ledger, _MERGE_FROM=12, _MERGE_AT_ONCE=4, _PIECE_ROWS=7)
        self._small.start()
        self.loop: Any = MadeUpTime()
        asyncio.set_event_loop(self.loop)
        self.folder = Path(tempfile.mkdtemp(prefix="gas-sentinel-machine-"))
        self.disk = PlayedDisk(self.folder)
        self.database = PlayedDatabase()
        self.world = self.stage.state.registry
        self.stage.ports.database_up = False
        self.stage.ports.written.clear()
        self.forgotten: set[UUID] = set()
        self.promised: set[Identity] = set()
        self.kept_count = 0
        self.base_taken = 0
        self.poison: set[str] = set()
        self.lists: set[Any] = set()
        self.database_alone_knows = False
        self.saved: dict[int, tuple[set[str], dict[str, set[tuple[str, str]]]]] = {}
        self.begin()
        self.snapshot()
        self.meters_are_heard()

    def meters_are_heard(self) -> None:
        """Their clocks are known to the platform; that of a meter never heard of is a story of its own."""
        for meter in METERS:
            self.deliver(self.report_of(meter, "unknown", None), "telemetry")

    def teardown(self) -> None:
        try:
            self.all_is_well_again()
            self.run(self.line.die())
        finally:
            self._small.stop()
            self.disk.begin_anew()
            self.loop.close()
            shutil.rmtree(self.folder)

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def let_run(self, seconds: float = 0.01) -> None:
        """What can be done now is done; in a little while nothing is waited for that takes time."""
        self.run(asyncio.sleep(seconds))

    # -- the world underneath --------------------------------------------------------------------------------------------------

    @rule()
    def the_database_goes_away(self) -> None:
        self.database.up = False

    @rule()
    def the_database_is_back(self) -> None:
        self.database.up = True
        self.let_run(1.0)
        self.once_each()

    @rule()
    def a_commit_is_not_heard_of(self) -> None:
        self.database.loses_the_next_commit = True

    @rule(fault=st.sampled_from(["full", "error", "sync"]), after=st.integers(0, 6))
    def the_disk_fails(self, fault: Fault, after: int) -> None:
        self.disk.fail(fault, after)

    @rule()
    def the_disk_works_again(self) -> None:
        self.disk.fail(None)
        self.let_run(6.0)

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0]))
    def the_world_goes_on(self, seconds: float) -> None:
        self.let_run(seconds)

    @rule()
    def the_journal_is_written_anew(self) -> None:
        self.line.keeper.renew()
        self.let_run()

    @rule()
    def snapshot(self) -> None:
        assert self.line.snapshots is not None
        self.run(self.line.snapshots.write())
        self.database_alone_knows = self.line.recorder.written_anew = False

    @rule()
    def device_states_are_stored(self) -> None:
        if self.database.up:
            self.database.devices = {name: json.loads(json.dumps(view.row())) for name, view in self.stage.state.devices.views.items()}

    @rule()
    def a_bundle_that_no_database_takes(self) -> None:
        """It holds nobody, and is never seen again."""
        note = Rows(events=[event(UUID(int=len(self.poison) + 1), 1, "opened", note="\0")])
        self.poison.update(str(row["event_id"]) for row in note.events)
        self.line.state.keeper.put(note)

    @rule(device=detectors)
    def a_leak_and_the_line_dies_before_anything_is_kept(self, device: str) -> None:
        """The close is on its way and nothing else; the device repeats its alarm, because nobody has promised anything."""
        self.leak(device)
        item, lane = self.sent[-1]
        self.another_life(power=True, changes=0, torn=0, garbage=b"")
        self.deliver(item, lane)

    @rule(
        power=st.booleans(),
        changes=st.sampled_from([0, 1, 2, 1_000]),
        torn=st.integers(0, 20_000),
        garbage=st.sampled_from([b"", b"\0" * 64, b"\xa7JR\n\x00\x00\xff"]),
        without_database=st.booleans(),
    )
    def the_line_dies(self, power: bool, changes: int, torn: int, garbage: bytes, without_database: bool) -> None:
        if without_database:
            self.database.up = False
        self.another_life(power, changes, torn, garbage)

    @precondition(lambda self: not self.line.keeper.trouble)
    @rule(which=choice)
    def an_unpromised_leak_again(self, which: int) -> None:
        """Whatever nobody has promised is repeated by its device, and judged again."""
        waiting = [(i, lane) for i, lane in self.sent if isinstance(i, AlarmItem) and i.identity not in self.promised]
        if waiting:
            self.deliver(*waiting[which % len(waiting)])

    @precondition(lambda self: self.stage.state.incidents)
    @rule(which=choice, tested=st.booleans())
    def dispatch_ends_an_incident(self, which: int, tested: bool) -> None:
        # No two holds of one home are set in the same millisecond: their ids are made of it.
        self.run(self.stage.clock.advance(0.002))
        self.end_an_incident(which, tested)

    the_line_starts_again = None  # type: ignore[assignment]  # a life ends by the_line_dies here: this rule is taken out

    # -- lives -----------------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        self.line = PlayedLine(self.world, self.database, self.disk, self.folder, self.stage.ports)
        self.stage.state, self.stage.engine = self.line.state, self.line.engine
        self.reopening = Reopening(self.stage.engine)
        self.base_written = len(self.stage.ports.written)
        self.run(self.line.start())

    def another_life(self, power: bool, changes: int, torn: int, garbage: bytes) -> None:
        """Everything in memory is gone, and of the disk what was not synced; what is left is taken up, and it is all that was promised."""
        ports = self.stage.ports
        self.run(self.line.die())
        self.hear_promises()
        self.database_alone_knows |= self.line.recorder.written_anew or bool(self.line.keeper.trouble)
        if self.database_alone_knows:
            # Without a journal the database alone has what was promised, and a log written anew holds only what the database lacks,
            # until the next snapshot, seconds later. Nobody can start from less.
            self.database.up = True
        if power:
            self.disk.lose_power(changes, torn, garbage)
        else:
            self.disk.begin_anew()
        # A start takes its time; ids of messages are made of the millisecond among others.
        self.run(self.stage.clock.advance(1.0))
        written, least = list(ports.written), self.kept_count
        self.begin()
        # Before anything of this life is written, what is left is in the journal or in the database.
        left, tables = self.line.recorder.left, self.database.tables
        found = {identity_of(row) for rows in left for row in rows.alarms} | set(tables["alarms"])
        self.lists = {
            *found,
            *(str(row["message_id"]) for row in (*tables["outbox"].values(), *(row for rows in left for row in rows.outbox))),
            *(str(row["event_id"]) for row in (*tables["incident_events"].values(), *(row for rows in left for row in rows.events))),
        }
        assert self.promised <= found, f"promised, and kept nowhere: {self.promised - found}"
        kept = self.prefix_believed(written, least)
        self.forget_what_was_lost(written, kept, found)
        self.line.resume()
        self.once_each()
        self.meters_are_heard()

    def prefix_believed(self, written: list[Rows], least: int) -> int:
        """How many of the bundles, in their order, make up what this life believes: all that were promised, and no half of any."""
        believed = self.believed()
        pictures = [(count, folded(written[:count])) for count in range(least, len(written) + 1)]
        for count, picture in reversed(pictures):
            if picture == believed:
                return count
        count, picture = min(pictures, key=lambda pair: sum(len(different(*two)) for two in zip(pair[1], believed, strict=True)))
        differences = [found for pair in zip(picture, believed, strict=True) for found in different(*pair)]
        raise AssertionError(f"believed is not what was durable ({count}..{len(written)}, alone: {self.line.alone}): {differences}")

    def believed(self) -> Believed:
        state = self.stage.state
        incidents = {str(key): {**as_json(incident.row()), **LASTING} for key, incident in state.incidents.items()}
        holds = {str(row["hold_id"]): as_json(row) for row in state.holds_in_force()}
        still = {UUID(key) for key in incidents}
        commands = {str(key): as_json(record.row()) for key, record in state.commands.items() if record.incident_id in still}
        return incidents, holds, commands, dict.fromkeys(key for key in self.lists if key not in self.poison)

    def forget_what_was_lost(self, written: list[Rows], kept: int, found: set[Identity]) -> None:
        """The account of the machine is what it was when the last bundle that was kept had been put."""
        ports, state = self.stage.ports, self.stage.state
        ports.written[:] = written[:kept]
        self.kept_count = self.checked = kept
        rows = Rows()
        for bundle in ports.written:
            rows.add(bundle)
        commands = {str(key) for key in rows.commands}
        self.forgotten |= {m.command_id for _, m in ports.commands if str(m.command_id) not in commands}
        pairs = [(c, at) for c, at in zip(ports.commands, ports.sent_at, strict=True) if str(c[1].command_id) in commands]
        ports.commands[:], ports.sent_at[:] = [c for c, _ in pairs], [at for _, at in pairs]
        said = {str(row["message_id"]) for row in rows.outbox}
        ports.told[:] = [message for message in ports.told if str(message.message_id) in said]
        self.ended = {key for key, row in rows.incidents.items() if row["state"] == "closed"}
        self.taken = [i for i in self.taken if i.identity in found or not (isinstance(i, AlarmItem) or is_leak(i))]
        self.durable = set(found)
        self.stage.acknowledged.clear()
        self.base_taken = len(self.taken)
        places = self.open_homes()
        guarded, holds = self.saved.get(kept, (set(), {}))
        self.guarded = guarded & places
        for home in self.holds:
            in_force = {key for key in state.holds.get(home, {}) if key[0] != "safety"}
            assert not holds or holds[home] == in_force
            self.holds[home] = set(in_force)
        self.proven = {place for place, incident in state.open_by_place.items() if incident.is_closed}
        for device, said_of in self.said.items():
            view = state.devices.views.get(device)
            said_of.order, said_of.valve = ((-1, -1), None) if view is None else (view.order, view.valve)
            said_of.normal = None if view is None else view.normal
            self.heard[device] = float("-inf")
        self.looked_old.update(DETECTORS)
        self.saved = {kept: (set(self.guarded), deepcopy(self.holds))}
        self.base_kept = kept

    def once_each(self) -> None:
        """Dispatch acts once on each message."""
        seen: dict[UUID, Any] = {}
        for message in self.stage.ports.told:
            seen.setdefault(message.message_id, message)
        self.stage.ports.told[:] = seen.values()

    def hear_promises(self) -> None:
        """What was told to be durable is a beginning of what was put, without a gap."""
        told = self.line.recorder.told
        self.kept_count = max(self.kept_count, max(told, default=0))
        assert told >= set(range(self.base_written + 1, self.kept_count + 1)), "a bundle is durable and one before it is not"
        for item in self.stage.acknowledged:
            if isinstance(item, AlarmItem) and is_placed(item):
                self.promised.add(item.identity)
                self.durable.add(item.identity)

    def all_is_well_again(self) -> None:
        """Whatever happened: with disk and database well, the database ends with every bundle that was kept, each row at its latest."""
        self.disk.fail(None)
        self.database.up, self.database.loses_the_next_commit = True, False
        self.let_run(20.0)
        self.hear_promises()
        assert self.kept_count == len(self.stage.ports.written)
        assert self.line.ledger.depth == 0
        assert not self.line.keeper.trouble
        rows = Rows()
        for bundle in self.stage.ports.written:
            rows.add(bundle)
        tables = self.database.tables
        same(tables["incidents"].values(), rows.incidents.values(), "incident_id")
        same(tables["commands"].values(), rows.commands.values(), "command_id")
        same(tables["valve_holds"].values(), rows.holds.values(), "hold_id")
        stored = {row["message_id"] for row in tables["outbox"].values()}
        missing = [
            (number, row)
            for number, bundle in enumerate(self.stage.ports.written)
            for row in bundle.outbox
            if row["message_id"] not in stored
        ]
        assert not missing
        assert stored == {row["message_id"] for row in rows.outbox}
        assert set(tables["alarms"]) == {identity_of(row) for row in rows.alarms}
        still = [row["place"] for row in tables["incidents"].values() if row["state"] == "open"]
        assert len(set(still)) == len(still), "two open incidents of one place"

    # -- what is another here --------------------------------------------------------------------------------------------------

    def is_of_a_forgotten_close(self, item: Item) -> bool:
        if isinstance(item, AckItem) and item.command_id in self.forgotten and item.incident_id is not None:
            return item.command == "close_valve"
        return super().is_of_a_forgotten_close(item)

    @invariant()
    def promises_are_kept_in_order(self) -> None:
        self.let_run()
        self.hear_promises()
        self.saved[len(self.stage.ports.written)] = (set(self.guarded), deepcopy(self.holds))

    @invariant()
    def every_item_is_acknowledged_as_often_as_it_was_taken(self) -> None:
        acknowledged, taken = self.stage.acknowledged, self.taken[self.base_taken :]
        assert len(acknowledged) <= len(taken)
        if self.kept_count == len(self.stage.ports.written):
            assert len(acknowledged) == len(taken), "durable, and not acknowledged"

    @invariant()
    def one_order_an_incident(self) -> None:
        orders = {m.message_id: m for m in self.stage.ports.told if isinstance(m, OrderMessage)}
        assert len({order.incident_id for order in orders.values()}) == len(orders)
        assert {order.incident_id for order in orders.values()} >= set(self.stage.state.incidents)


def as_json(row: Any) -> Any:
    return json.loads(json.dumps(row))


def folded(written: Iterable[Rows]) -> Believed:
    """What bundles make of an empty world."""
    picture = Picture()
    rows = Rows()
    for bundle in written:
        picture.fold(deepcopy(bundle))
        rows.add(bundle)
    commands = {key: row for key, row in picture.commands.items() if row["incident_id"] in picture.incidents}
    lists: list[Any] = [identity_of(row) for row in rows.alarms]
    lists += [str(row["message_id"]) for row in rows.outbox]
    lists += [str(row["event_id"]) for row in rows.events if as_json(row["detail"]).get("note") != "\0"]
    return {key: {**row, **LASTING} for key, row in picture.incidents.items()}, picture.holds, commands, dict.fromkeys(lists)


def different(put: dict[str, Any], believed: dict[str, Any]) -> list[object]:
    """Where two sets of rows are not the same: (row, column, what was put, what is believed)."""
    found: list[object] = [(key, "only put" if key in put else "only believed") for key in put.keys() ^ believed.keys()]
    for key in put.keys() & believed.keys():
        if put[key] is None:
            continue
        found += [(key, name, put[key][name], believed[key][name]) for name in put[key] if put[key][name] != believed[key][name]]
    return found


def identity_of(row: Any) -> Identity:
    return (row["device_id"], row["ts"], row["boot"], row["seq"])


def is_placed(item: Item) -> bool:
    return item.device_id in HOME_OF and item.account == ("HUB" if item.device_id in ("D2", "M2") else item.device_id)


def same(stored: Iterable[Any], put: Iterable[Any], key: str) -> None:
    """Rows of a table against the latest of each that was put."""
    found, wanted = ({str(row[key]): row for row in rows} for rows in (stored, put))
    assert set(found) == set(wanted)
    for name, row in wanted.items():
        assert found[name] == row, (found[name], row)


TestJournal = JournalMachine.TestCase
TestJournal.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
    phases=PHASES,
)
