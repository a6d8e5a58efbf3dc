"""The line without its database, its disk, or both, and after a crash: it decides, promises only what is kept, loses nothing."""

import asyncio
import itertools
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from prometheus_client import REGISTRY

from core import topics
from core.errors import UserError
from core.mqtt.link import RECEIVE_MAX
from deploy.embedded.postgres import PostgresServer
from deploy.embedded.testing import TEMPLATE, TestBroker, reachable_folder, remove_folder
from deploy.migrate import migrate
from gateway.line_lock import LineLock
from gateway.station import Line
from tests.gateway.line_stage import WAIT_S, DeviceClient, Town, forget_sessions, until

LOCK_HELD = """
SELECT pid FROM pg_locks WHERE locktype = 'advisory'
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_numbers = itertools.count(1)


class OwnPostgres:
    """A server of these tests alone, which they may stop."""

    def __init__(self, folder: Path) -> None:
        self.place = reachable_folder(folder) / "postgres"
        self.server = PostgresServer(self.place, settings={"fsync": "off", "shared_buffers": "'32MB'"})
        self.server.start()
        self.port = self.server.port
        migrate(self.server.dsn(TEMPLATE))

    def database(self) -> str:
        return self.server.create_database(f"line_{next(_numbers)}", TEMPLATE)

    async def away(self) -> None:
        await asyncio.to_thread(self.server.stop)

    async def back(self) -> None:
        await asyncio.to_thread(self.server.start, self.port)


@pytest.fixture(scope="module")
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnPostgres]:
    found = OwnPostgres(tmp_path_factory.mktemp("own"))
    yield found
    found.server.stop()
    remove_folder(found.place)


@pytest.fixture
async def town(own_postgres: OwnPostgres, broker: TestBroker, tmp_path: Path) -> AsyncIterator[Town]:
    if not own_postgres.server.running():
        await own_postgres.back()
    await asyncio.to_thread(forget_sessions, broker)
    found = Town(own_postgres.database(), broker, tmp_path, tmp_path / "state")
    yield found
    await found.close()
    await asyncio.to_thread(forget_sessions, broker)


async def handled(town: Town, number: int, detector: DeviceClient, meter: DeviceClient) -> UUID:
    """A leak of this home closes its valve, is told to dispatch and is promised. Returns the incident's id."""
    dispatch = town.dispatch()
    item = await detector.leak()
    command = await meter.command(len(meter.closes) + 1)
    order = await dispatch.order(town.own("H", number))
    await detector.promised(item)
    assert command.incident_id == order.incident_id
    assert order.home is not None
    assert order.home.contacts
    return order.incident_id


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def recorded(town: Town, incident_id: UUID) -> None:
    """Everything of a handled leak is in the database, once."""
    await town.row("SELECT * FROM incidents WHERE incident_id = %s", incident_id)
    await town.row("SELECT * FROM alarms WHERE incident_id = %s", incident_id)
    await town.row("SELECT * FROM commands WHERE incident_id = %s AND command = 'close_valve' AND attempt = 1", incident_id)
    await town.row("SELECT * FROM outbox WHERE incident_id = %s AND payload->>'type' = 'order'", incident_id)


async def test_the_database_goes_in_mid_leak_and_comes_back(town: Town, own_postgres: OwnPostgres) -> None:
    town.enlist(3)
    await town.start()
    first, second = town.home(1), town.home(2)
    before = await handled(town, 1, *first)
    await own_postgres.away()
    during = await handled(town, 2, *second)
    await first[1].answer(first[1].closes[0], "done", "closed")
    await until(lambda: "database_away" in town.line.health().reasons, "health says that the database is away")
    await own_postgres.back()
    await town.healthy()
    for incident_id in (before, during):
        await recorded(town, incident_id)
    await town.incident(1, "reported_closed")


async def test_the_line_starts_without_its_database_and_works(town: Town, own_postgres: OwnPostgres) -> None:
    town.enlist(4)
    await town.start()
    first, second = town.home(1), town.home(2)
    before = await handled(town, 1, *first)
    await town.stop()
    await own_postgres.away()
    town.begin()
    await town.listening()
    # What was open is open: its close is sent again, under its own id.
    await until(lambda: len(first[1].closes) >= 2, "the open close is sent again")
    assert len({command.command_id for command in first[1].closes}) == 1
    during = await handled(town, 2, *second)
    assert "database_away" in town.line.health().reasons
    assert town.line.health().detail["started_without_database"] is True
    await own_postgres.back()
    await town.healthy()
    for incident_id in (before, during):
        await recorded(town, incident_id)
    assert len(await town.rows("SELECT 1 FROM incidents")) == 2
    # And it is the whole line again: requests are answered.
    third = town.home(3)
    await handled(town, 3, *third)


async def test_the_watchman_walks_without_the_database(town: Town, own_postgres: OwnPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """A close that nobody watches over any more is tried anew, though the line has never met its database."""
    monkeypatch.setenv("GAS_SENTINEL_WATCH_EVERY_S", "0.05")
    town.enlist(1)
    await town.start()
    detector, meter = town.home(1)
    await town.stop()
    await own_postgres.away()
    town.begin()
    await town.listening()
    incident_id = await handled(town, 1, detector, meter)
    first = meter.closes[-1]
    close = town.line.state.incidents[incident_id].close
    assert close is not None
    close.due = None
    await until(lambda: any(command.command_id != first.command_id for command in meter.closes), "the next attempt")
    assert "database_away" in town.line.health().reasons


async def test_an_open_incident_that_the_line_does_not_know_is_red_until_a_start_takes_it_in(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAS_SENTINEL_WATCH_EVERY_S", "0.05")
    monkeypatch.setenv("GAS_SENTINEL_WATCH_GRACE_S", "0.05")
    town.enlist(1)
    await town.start()
    incident_id = await handled(town, 1, *town.home(1))
    await recorded(town, incident_id)
    await town.stop()
    # Over, when the line starts; open again in a database that somebody has put back.
    await town.rows("UPDATE incidents SET state = 'closed', closed_ms = 1 RETURNING 1")
    await town.start()
    assert town.line.state.incidents == {}
    await town.rows("UPDATE incidents SET state = 'open', closed_ms = NULL RETURNING 1")
    await until(lambda: town.line.health().reasons == ("incident_unknown",), "health says that nobody watches over it")
    await town.stop()
    await town.start()
    assert set(town.line.state.incidents) == {incident_id}
    looks = metric("gas_line_watchman_looks_total", result="full")
    await until(lambda: metric("gas_line_watchman_looks_total", result="full") >= looks + 10, "ten looks of the watchman")
    assert "incident_unknown" not in town.line.health().reasons


async def test_line_and_database_both_killed_and_the_line_alone_comes_back(town: Town, own_postgres: OwnPostgres) -> None:
    town.enlist(3)
    await town.start()
    assert town.line.snapshots is not None
    await until(lambda: town.line.snapshots is not None and town.line.snapshots.age_s < 60, "a first snapshot")
    await own_postgres.away()
    first = town.home(1)
    incident_id = await handled(town, 1, *first)
    await town.crash()
    town.begin()
    await town.listening()
    # Only the journal knew of it.
    assert set(town.line.state.incidents) == {incident_id}
    await until(lambda: len(first[1].closes) >= 2, "the open close is sent again")
    assert {command.incident_id for command in first[1].closes} == {incident_id}
    await first[1].answer(first[1].closes[-1], "done", "closed")
    await until(lambda: town.line.state.incidents[incident_id].is_closed, "the answer is understood")
    await own_postgres.back()
    await town.healthy()
    await recorded(town, incident_id)
    await town.incident(1, "reported_closed")


async def test_a_crash_with_the_database_there_replays_the_journal_once(town: Town) -> None:
    town.enlist(2)
    await town.start()
    first = town.home(1)
    incident_id = await handled(town, 1, *first)
    await town.crash()
    await town.start()
    await recorded(town, incident_id)
    # What a start sends again is written behind it.
    await until(lambda: town.line.ledger.depth == 0, "everything is written")
    events = await town.rows("SELECT kind, count(*) AS times FROM incident_events WHERE incident_id = %s GROUP BY kind", incident_id)
    assert {row["kind"]: row["times"] for row in events}["opened"] == 1


async def test_a_torn_journal_costs_nothing_that_was_promised(town: Town, own_postgres: OwnPostgres) -> None:
    town.enlist(3)
    await town.start()
    await until(lambda: town.line.snapshots is not None and town.line.snapshots.age_s < 60, "a first snapshot")
    await own_postgres.away()
    first = town.home(1)
    incident_id = await handled(town, 1, *first)
    await town.crash()
    assert town.state is not None
    newest = max(town.state.glob("decisions-*.log"))
    with newest.open("ab") as file:
        file.write(b"\xa7JR\n\x00\x00\xff")
    town.begin()
    await town.listening()
    assert set(town.line.state.incidents) == {incident_id}
    await own_postgres.back()
    await town.healthy()
    await recorded(town, incident_id)


async def test_a_garbled_record_is_counted_kept_aside_and_hides_nothing_else(town: Town, own_postgres: OwnPostgres) -> None:
    town.enlist(3)
    await town.start()
    await until(lambda: town.line.snapshots is not None and town.line.snapshots.age_s < 60, "a first snapshot")
    await own_postgres.away()
    await handled(town, 1, *town.home(1))
    kept = await handled(town, 2, *town.home(2))
    await town.crash()
    assert town.state is not None
    newest = max(town.state.glob("decisions-*.log"))
    data = bytearray(newest.read_bytes())
    data[100] ^= 0xFF
    newest.write_bytes(bytes(data))
    town.begin()
    await town.listening()
    assert kept in town.line.state.incidents
    assert town.line.health().detail["journal_damage"] == 1
    assert list(town.state.glob("decisions-*.damaged-*"))
    await until(lambda: not town.line.keeper.trouble, "the journal is clean again")
    await own_postgres.back()
    await town.healthy()
    await recorded(town, kept)


async def test_damaged_files_are_put_aside_and_the_line_starts_from_the_database(town: Town, own_postgres: OwnPostgres) -> None:
    town.enlist(2)
    await town.start()
    incident_id = await handled(town, 1, *town.home(1))
    await town.stop()
    assert town.state is not None
    for name in ("snapshot.lines", "registry.lines"):
        path = town.state / name
        path.write_bytes(path.read_bytes()[:-20] + b"x" * 20)
    await own_postgres.away()
    town.begin()
    await until(lambda: town.line.health().detail["state_put_aside"] == ["snapshot.lines", "registry.lines"], "both are put aside")
    assert "starting" in town.line.health().reasons
    await own_postgres.back()
    await town.healthy()
    assert len(list(town.state.glob("*.damaged-*"))) == 2
    assert set(town.line.state.incidents) == {incident_id}


async def test_the_disk_goes_and_the_line_goes_on_with_the_database_alone(town: Town) -> None:
    town.enlist(3)
    await town.start()
    await handled(town, 1, *town.home(1))
    assert town.state is not None
    shutil.rmtree(town.state)
    town.state.write_text("not a folder")
    during = await handled(town, 2, *town.home(2))
    await recorded(town, during)
    await until(lambda: "journal_down" in town.line.health().reasons, "health says that the journal is down")
    town.state.unlink()
    await town.healthy()
    await recorded(town, await handled(town, 3, *town.home(3)))


async def test_both_gone_and_ten_thousand_repeats_then_a_new_home_leaks(town: Town, own_postgres: OwnPostgres) -> None:
    town.enlist(5)
    await town.start()
    loud, _ = town.home(1)
    assert town.state is not None
    await own_postgres.away()
    shutil.rmtree(town.state)
    town.state.write_text("not a folder")
    items = [loud.item(event="leak", ch4_lel=21.5) for _ in range(100)]
    for _ in range(100):
        # What the flood rule lets pass varies; what matters is what it leaves behind.
        await loud.up("alarm", *items[:50])
        await loud.up("alarm", *items[50:])
    detector, quiet_meter = town.home(2)
    dispatch = town.dispatch()
    item = await detector.leak()
    await quiet_meter.command()
    await dispatch.order(town.own("H", 2))
    assert detector.promises == []
    assert town.line.ledger.depth < 5_000
    await until(lambda: town.line.alarm_link.held == 0, "the broker is answered in time, though nothing is durable")
    # What nobody has made durable is not out of sight.
    red_s = town.line.state.settings.unprocessed_alarm_red_s
    await until(lambda: metric("gas_line_oldest_unprocessed_alarm_seconds") > red_s, "the age of the oldest alarm is a figure")
    health = town.line.health()
    assert "alarms_waiting" in health.reasons
    oldest = health.detail["oldest_unprocessed_alarm_s"]
    assert isinstance(oldest, float)
    assert oldest >= red_s
    await own_postgres.back()
    # Durable at last, so it is promised at last: by the database alone.
    await detector.promised(item)
    town.state.unlink()
    await town.healthy()
    await until(lambda: metric("gas_line_oldest_unprocessed_alarm_seconds") == 0, "no alarm waits any more")
    await town.incident(1)
    await town.incident(2)


async def test_with_both_gone_half_of_the_window_is_released_and_further_homes_are_heard(
    town: Town, own_postgres: OwnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Time releases nothing here, and no flood is kept away: what is left is the half of the window.
    settings = town.settings().model_copy(update={"release_after_s": 3_600.0, "flood_items_per_s": 1e9})
    monkeypatch.setattr(town, "settings", lambda: settings)
    town.enlist(3)
    await town.start()
    loud, _ = town.home(1)
    assert town.state is not None
    await own_postgres.away()
    shutil.rmtree(town.state)
    town.state.write_text("not a folder")
    before = metric("gas_line_released_total", lane="line", why="window")
    # More than the broker sends ahead of our acknowledgements.
    for _ in range(RECEIVE_MAX):
        loud._paho.publish(topics.up(loud.account, "alarm"), json.dumps(loud.item(event="leak", ch4_lel=21.5)), qos=1)
    await loud.leak()
    last = []
    for number in (2, 3):
        detector, meter = town.home(number)
        last.append((detector, await detector.leak()))
        await meter.command()
        assert detector.promises == []
    sent = RECEIVE_MAX + 3
    await until(
        lambda: metric("gas_line_released_total", lane="line", why="window") - before >= sent - RECEIVE_MAX // 2,
        "all beyond half of the window are released",
    )
    await until(lambda: town.line.alarm_link.held <= RECEIVE_MAX // 2, "the broker has heard of it")
    assert loud.promises == []
    await own_postgres.back()
    for detector, item in last:
        await detector.promised(item)
    town.state.unlink()
    await town.healthy()
    for number in (1, 2, 3):
        await town.incident(number)


async def test_poison_under_held_acknowledgements_holds_nobody(town: Town, own_postgres: OwnPostgres) -> None:
    town.enlist(3)
    await town.start()
    await own_postgres.away()
    assert town.state is not None
    shutil.rmtree(town.state)
    town.state.write_text("not a folder")
    loud, loud_meter = town.home(1)
    quiet, quiet_meter = town.home(2)
    first = await loud.leak()
    for number in range(20):
        await loud.publish(f"gas/v1/{loud.account}/up/alarm", b"\xff{not json %d" % number)
    second = await quiet.leak()
    for meter in (loud_meter, quiet_meter):
        await meter.command()
    await until(lambda: town.line.alarm_link.held == 0, "everything is acknowledged to the broker in time")
    assert (loud.promises, quiet.promises) == ([], [])
    await own_postgres.back()
    town.state.unlink()
    await town.healthy()
    # Of what was readable nothing is lost, and nothing is doubled by what was not.
    await loud.promised(first)
    await quiet.promised(second)
    await until(lambda: town.line.ledger.depth == 0, "everything is written")
    for number, meter in ((1, loud_meter), (2, quiet_meter)):
        incident = await town.incident(number)
        assert incident["kind"] == "leak"
        assert meter.closes[0].incident_id == incident["incident_id"]
        await recorded(town, incident["incident_id"])
    kinds = [row["kind"] for row in await town.rows("SELECT kind FROM incidents")]
    assert kinds.count("leak") == 2
    assert set(kinds) == {"leak", "garbled_alarm"}


async def test_an_incident_that_the_database_has_keeps_its_id(town: Town, own_postgres: OwnPostgres) -> None:
    town.enlist(2)
    await town.start()
    detector, meter = town.home(1)
    stored = await handled(town, 1, detector, meter)
    await town.stop()
    assert town.state is not None
    # The snapshot of another day: the registry is there, what is open is not.
    (town.state / "snapshot.lines").unlink()
    for path in town.state.glob("decisions-*.log"):
        path.unlink()
    await own_postgres.away()
    town.begin()
    await town.listening()
    assert town.line.state.incidents == {}
    item = await detector.leak()
    await until(lambda: len({command.incident_id for command in meter.closes}) == 2, "it is closed again, under a new id")
    await detector.promised(item)
    await own_postgres.back()
    await town.healthy()
    await until(lambda: set(town.line.state.incidents) == {stored}, "the database's id is the incident's")
    alias = await town.row("SELECT * FROM incident_aliases")
    assert alias["incident_id"] == stored
    assert {command.incident_id for command in meter.closes} == {stored, alias["alias_id"]}
    assert len(await town.rows("SELECT 1 FROM incidents")) == 1
    assert {row["incident_id"] for row in await town.rows("SELECT incident_id FROM commands WHERE command = 'close_valve'")} == {stored}
    assert {row["incident_id"] for row in await town.rows("SELECT incident_id FROM alarms")} == {stored}
    # The close in force is the younger one, and its answers are understood.
    close = town.line.state.incidents[stored].close
    assert close is not None
    assert close.order_no == max(command.order_no for command in meter.closes)
    await meter.answer(meter.closes[-1], "done", "closed")
    await town.incident(1, "reported_closed")


async def test_an_incident_opened_anew_by_a_life_that_never_met_the_database_joins_the_stored_one(
    town: Town, own_postgres: OwnPostgres
) -> None:
    """What that life wrote down waits in the journal when the next one finds the database there, and its own incident of the home in it."""
    town.enlist(2)
    await town.start()
    detector, meter = town.home(1)
    stored = await handled(town, 1, detector, meter)
    await until(lambda: town.line.ledger.depth == 0, "everything is written")
    (before,) = await town.rows("SELECT * FROM incidents")
    await town.stop()
    assert town.state is not None
    (town.state / "snapshot.lines").unlink()
    for path in town.state.glob("decisions-*.log"):
        path.unlink()
    await own_postgres.away()
    town.begin()
    await town.listening()
    item = await detector.leak()
    await until(lambda: len({command.incident_id for command in meter.closes}) == 2, "it is closed again, under a new id")
    await detector.promised(item)
    await town.crash()
    await own_postgres.back()
    await town.start()
    assert set(town.line.state.incidents) == {stored}
    await until(lambda: town.line.ledger.depth == 0, "everything is written")
    alias = await town.row("SELECT * FROM incident_aliases")
    assert alias["incident_id"] == stored
    assert {command.incident_id for command in meter.closes} >= {stored, alias["alias_id"]}
    (after,) = await town.rows("SELECT * FROM incidents")
    assert {name: after[name] for name in ("received_ms", "close_sent_ms", "state")} == {
        name: before[name] for name in ("received_ms", "close_sent_ms", "state")
    }
    assert after["last_leak_ms"] >= item["ts"]
    assert len(await town.rows("SELECT 1 FROM alarms WHERE incident_id = %s", stored)) == 2
    closes = await town.rows("SELECT * FROM commands WHERE command = 'close_valve' ORDER BY order_no")
    assert {row["incident_id"] for row in closes} == {stored}
    assert len(await town.rows("SELECT 1 FROM outbox WHERE payload->>'type' = 'order' AND incident_id = %s", stored)) == 2
    assert not await town.rows("SELECT 1 FROM incident_events WHERE incident_id = %s", alias["alias_id"])
    assert {row["incident_id"] for row in await town.rows("SELECT incident_id FROM valve_holds")} == {stored}
    # The close in force is the newest, and its answer is understood.
    close = town.line.state.incidents[stored].close
    assert close is not None
    assert close.command_id == closes[-1]["command_id"]
    await until(lambda: meter.closes[-1].command_id == close.command_id, "the close in force is sent again")
    await meter.answer(meter.closes[-1], "done", "closed")
    await town.incident(1, "reported_closed")


async def test_a_registry_change_that_came_while_the_database_was_away_is_taken_in(town: Town, own_postgres: OwnPostgres) -> None:
    town.enlist(1)
    await town.start()
    await town.stop()
    town.enlist(2)
    await own_postgres.away()
    town.begin()
    await town.listening()
    assert len(town.line.state.registry.homes) == 1
    await own_postgres.back()
    await town.healthy()
    await until(lambda: len(town.line.state.registry.homes) == 2, "the new home is known")


async def test_a_second_line_ends_with_one_line_in_both_languages(town: Town, tmp_path: Path) -> None:
    town.enlist(1)
    await town.start()
    second = Line(town.settings(), town.line.state.clock)
    with pytest.raises(UserError, match="there can be only one") as refused:
        await asyncio.wait_for(second.run(asyncio.Event()), WAIT_S)
    assert "不能同时运行两条" in str(refused.value)
    # Another folder, the same database.
    third = Line(town.settings().model_copy(update={"state_dir": str(tmp_path / "other")}), town.line.state.clock)
    with pytest.raises(UserError, match="another line holds this database"):
        await asyncio.wait_for(third.run(asyncio.Event()), WAIT_S)
    assert town.line.health().ok


async def test_the_lock_in_another_hand_after_the_database_came_back_ends_the_line(town: Town, own_postgres: OwnPostgres) -> None:
    town.enlist(1)
    await town.start()
    rival = LineLock(town.dsn, None)
    async with await psycopg.AsyncConnection.connect(town.dsn, autocommit=True) as connection:
        row = await (await connection.execute(LOCK_HELD)).fetchone()
        assert row is not None
        taken = asyncio.create_task(rival.take_database())
        await connection.execute("SELECT pg_terminate_backend(%s)", (row[0],))
        await taken
    task = town._task
    assert task is not None
    await until(task.done, "the line ends")
    town._task = None
    with pytest.raises(UserError, match="another line holds this database"):
        task.result()
    await rival.release()


async def test_a_lock_left_by_our_own_lost_connection_is_taken_back(town: Town) -> None:
    town.enlist(1)
    await town.start()
    lock = town.line.lock
    # The connection is lost on our side only; at the database its session lives on, as behind a network that went away.
    ghost, lock._connection = lock._connection, None
    assert ghost is not None
    await until(lambda: lock._connection is not None, "the lock is held again")
    assert town.line.health().ok
    with pytest.raises(psycopg.OperationalError):
        await ghost.execute("SELECT 1")
    await ghost.close()
