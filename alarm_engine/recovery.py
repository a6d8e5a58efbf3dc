"""Starting again: what was open when the line stopped is taken up where it was. Decides nothing new.

From the database (:func:`recover`), or without it from the line's own snapshot and journal (:func:`restore`); when the database comes
back after such a start, what it knows and memory does not is taken in (:func:`reconcile`). A close that was under way is sent again
with its own id; its meter answers again.
"""

from collections.abc import Callable, Iterable
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import structlog
from psycopg.rows import dict_row

from alarm_engine import metrics
from alarm_engine.aliases import OPEN_ALIASES, OPEN_PLACES, Stored, kept
from alarm_engine.device_view import DeviceView
from alarm_engine.engine import Engine
from alarm_engine.incident import CommandRecord, Incident
from alarm_engine.judgement.alarm_table import gravity
from alarm_engine.judgement.command_table import FAILED, UNDER_WAY
from alarm_engine.openings import HELD_KINDS
from alarm_engine.picture import Picture
from alarm_engine.rows import Rows
from alarm_engine.state import HeardAlarm
from core.station import STATION_MESSAGE
from core.store.server_cursor import server_cursor

log = structlog.get_logger()

_REMEMBER_ALARMS_MS = 48 * 3_600_000
_REMEMBER_CLOSES_MS = 31 * 86_400_000
_ROWS_AT_ONCE = 500

OPEN_INCIDENTS: LiteralString = """
SELECT i.*, (SELECT max(a.received_ms) FROM alarms a WHERE a.incident_id = i.incident_id AND a.verdict <> 'noted') AS last_alarm_ms
FROM incidents i WHERE i.state = 'open' ORDER BY i.received_ms
"""
CLOSED_LATELY: LiteralString = """
SELECT incident_id FROM incidents WHERE state = 'closed' AND closed_ms > %(since_ms)s ORDER BY closed_ms
"""
CLOSED_OF_THESE: LiteralString = "SELECT incident_id FROM incidents WHERE state = 'closed' AND incident_id = ANY(%(ids)s)"
OPEN_COMMANDS: LiteralString = """
SELECT c.* FROM commands c JOIN incidents i USING (incident_id) WHERE i.state = 'open' ORDER BY c.attempt, c.issued_ms
"""
LOOSE_CLOSES: LiteralString = """
SELECT DISTINCT ON (device_id) * FROM commands
WHERE incident_id IS NULL AND command = 'close_valve' AND issued_ms > %(since_ms)s ORDER BY device_id, order_no DESC
"""
DEVICES: LiteralString = "SELECT * FROM device_state"
LAST_ORDERS: LiteralString = "SELECT device_id, max(order_no) AS order_no FROM commands GROUP BY device_id"
RECENT_ALARMS: LiteralString = "SELECT device_id, ts, boot, seq, verdict FROM alarms WHERE received_ms > %(since_ms)s ORDER BY received_ms"
HOLDS_IN_FORCE: LiteralString = "SELECT * FROM valve_holds WHERE lifted_ms IS NULL ORDER BY set_ms"

Row = dict[str, Any]
Connection = psycopg.AsyncConnection[Any]


async def recover(engine: Engine, connection: Connection, picture: Picture | None = None) -> int:
    """Load all that the database knows into an engine that knows nothing; returns the open incidents.

    ``picture`` is what the snapshot of the same line adds: what is in no row.
    """
    state = engine.state
    since = {"since_ms": state.clock.now_ms() - _REMEMBER_ALARMS_MS}
    await _each(connection, DEVICES, lambda row: _know_device(engine, row))
    await _each(connection, LAST_ORDERS, lambda row: _ordered(engine, row["device_id"], row["order_no"]))
    await _each(connection, RECENT_ALARMS, lambda row: state.alarms.remember_durable(_heard(row)), since)
    await _each(connection, CLOSED_LATELY, lambda row: state.ended(row["incident_id"]), since)
    state.take_holds(await _all(connection, HOLDS_IN_FORCE))
    await _each(connection, OPEN_INCIDENTS, lambda row: _open(engine, row, picture))
    await _each(connection, OPEN_COMMANDS, lambda row: _command(engine, row))
    await _each(connection, LOOSE_CLOSES, lambda row: _loose(engine, row), {"since_ms": state.clock.now_ms() - _REMEMBER_CLOSES_MS})
    _own_the_holds(engine)
    return len(state.incidents)


def restore(engine: Engine, picture: Picture) -> int:
    """The same from the line's own files, with the database away; returns the open incidents. Dispatch is told again what it had not
    confirmed once :func:`resume` is called."""
    state = engine.state
    for row in picture.devices.values():
        _know_device(engine, row)
    for device_id, number in picture.orders.items():
        _ordered(engine, device_id, number)
    for heard in picture.alarms:
        state.alarms.remember_durable(heard)
    for key in picture.closed:
        state.ended(UUID(key))
    state.take_holds(picture.holds.values())
    for row in sorted(picture.incidents.values(), key=lambda row: int(row["received_ms"])):
        _open(engine, row, picture)
    for row in sorted(picture.commands.values(), key=lambda row: (row["attempt"], row["issued_ms"])):
        if row["incident_id"] is None:
            _loose(engine, row)
        elif UUID(row["incident_id"]) in state.incidents:
            _command(engine, row)
    return len(state.incidents)


def resume(engine: Engine, words: Iterable[dict[str, Any]] = ()) -> None:
    """After the lanes are connected: look at once at every command whose answer was awaited, and repeat ``words`` to dispatch."""
    for payload in words:
        try:
            engine.state.down.station(STATION_MESSAGE.validate_python(payload))
        except ValueError as error:
            log.error("a word to dispatch cannot be understood", error=str(error))
    for incident in engine.state.incidents.values():
        _look_at_once(engine, incident)


async def reconcile(engine: Engine, connection: Connection, ours: Callable[[], list[Rows]]) -> list[tuple[UUID, UUID]]:
    """The database is back after a start without it: take in what it knows and memory does not. Where both know a thing, memory is
    younger. Returns (alias, incident_id) of incidents that were opened anew in a place where the database has one: that one's id stays.

    ``ours`` gives what waits to be written, in order.
    """
    state = engine.state
    since = {"since_ms": state.clock.now_ms() - _REMEMBER_ALARMS_MS}
    await _each(connection, DEVICES, lambda row: _merge_device(engine, row))
    await _each(connection, LAST_ORDERS, lambda row: _ordered(engine, row["device_id"], row["order_no"]))
    await _each(connection, RECENT_ALARMS, lambda row: state.alarms.remember_unless_known(_heard(row)), since)
    holds = await _all(connection, HOLDS_IN_FORCE)
    lifted = {key for rows in ours() for key in rows.holds}
    known = {(home_id, key) for home_id, holds in state.holds.items() for key in holds}
    holds = [row for row in holds if row["hold_id"] not in lifted]
    state.take_holds(row for row in holds if (row["home_id"], (row["hold"], row["cause"])) not in known)
    # What ended in an earlier life, as the database knows and a stale file did not, unless it leaked again since.
    closed = [row["incident_id"] for row in await _all(connection, CLOSED_OF_THESE, {"ids": list(state.incidents)})]
    found = await _all(connection, OPEN_INCIDENTS)
    commands = await _all(connection, OPEN_COMMANDS)
    loose = await _all(connection, LOOSE_CLOSES, {"since_ms": state.clock.now_ms() - _REMEMBER_CLOSES_MS})
    # Nothing is awaited from here on: what is decided meanwhile cannot come in between.
    touched = {key for rows in ours() for key in rows.incidents}
    renamed = []
    for key in closed:
        if key not in touched:
            _forget(engine, key)
    for row in found:
        key = row["incident_id"]
        if key in state.incidents or key in touched:
            continue
        again = state.open_by_place.get(row["place"])
        if again is not None:
            renamed.append((again.incident_id, key))
            _rename(engine, again, key, row)
        else:
            _open(engine, row, None)
    taken = {row["incident_id"] for row in found} - touched
    for row in commands:
        if row["incident_id"] in taken and row["command_id"] not in state.commands:
            _command(engine, row)
    for row in loose:
        if row["command_id"] not in state.commands:
            _loose(engine, row)
    for key in taken:
        if (incident := state.incidents.get(key)) is not None:
            _look_at_once(engine, incident)
    return renamed


async def stored(connection: Connection) -> Stored:
    """What the database has open, so that nothing is written under two ids. Raises psycopg errors."""
    incidents = {row["incident_id"]: row for row in await _all(connection, OPEN_PLACES)}
    return Stored(incidents, {row["alias_id"]: row["incident_id"] for row in await _all(connection, OPEN_ALIASES)})


async def _each(connection: Connection, query: LiteralString, take: Callable[[Row], object], given: dict[str, Any] | None = None) -> None:
    """Take every row, in pieces, so that a city's devices do not hold up the loop."""
    async with connection.transaction(), server_cursor(connection, "recovery", row_factory=dict_row) as cursor:
        await cursor.execute(query, given)
        while found := await cursor.fetchmany(_ROWS_AT_ONCE):
            for row in found:
                take(row)


async def _all(connection: Connection, query: LiteralString, given: dict[str, Any] | None = None) -> list[Row]:
    found: list[Row] = []
    await _each(connection, query, found.append, given)
    return found


def _own_the_holds(engine: Engine) -> None:
    """A safety hold that names an incident which is not there belongs to the one that is open in its home: its test lifts it."""
    for incident in engine.state.incidents.values():
        hold = engine.state.holds.get(incident.place, {}).get(("safety", ""))
        if hold is not None and hold.incident_id not in engine.state.incidents and incident.kind in HELD_KINDS:
            hold.incident_id = incident.incident_id


def _heard(row: Row) -> HeardAlarm:
    return (row["device_id"], row["ts"], row["boot"], row["seq"]), gravity(row["verdict"])


def _know_device(engine: Engine, row: Row) -> None:
    engine.state.devices.views[row["device_id"]] = DeviceView.from_row(row)


def _ordered(engine: Engine, device_id: str, number: int) -> None:
    view = engine.state.devices.of(device_id)
    view.last_order_no = max(view.last_order_no, number)


def _open(engine: Engine, row: Row, picture: Picture | None) -> None:
    state = engine.state
    incident = Incident.from_row(row)
    # A row of the incident may be older than its last alarm, and both than what a detector said last: a test passed in between is void.
    incident.last_leak_ms = max(incident.last_leak_ms, row.get("last_alarm_ms") or 0)
    for device_id in incident.devices:
        view = state.devices.views.get(device_id)
        if view is None or incident.alarm_lel is None:
            continue
        if view.state == "alarm" or (view.ch4_lel or 0.0) >= incident.alarm_lel:
            incident.last_leak_ms = max(incident.last_leak_ms, view.heard_ms)
    if picture is not None and (memory := picture.memory.get(str(incident.incident_id))) is not None:
        incident.recall(memory)
    state.take_open(incident)
    metrics.open_incidents.labels(incident.kind).inc()


def _command(engine: Engine, row: Row) -> None:
    record = CommandRecord.from_row(row)
    engine.state.remember(record)
    incident = engine.state.incidents.get(record.incident_id) if record.incident_id else None
    if incident is None:
        return
    if record.command == "close_valve":
        if incident.close is None or _follows(record, incident.close):
            incident.close = record
        incident.attempts = max(incident.attempts, record.attempt)
    elif record.under_way:
        if record.command == "open_valve":
            incident.opening = record
        engine.valves.due_in(record, (record.expires_ms - engine.state.clock.now_ms()) / 1000)


def _follows(record: CommandRecord, before: CommandRecord) -> bool:
    """Whether this close was sent after that one. Each id of an incident has counted its own attempts; a meter's orders are one count."""
    if record.device_id == before.device_id:
        return record.order_no >= before.order_no
    return record.attempt >= before.attempt


def _loose(engine: Engine, row: Row) -> None:
    """A close that a person asked for in a home without an incident, and that its meter has not carried out."""
    record = CommandRecord.from_row(row)
    if record.command == "close_valve" and record.state in UNDER_WAY | FAILED:
        engine.valves.take_loose(record)


def _look_at_once(engine: Engine, incident: Incident) -> None:
    record = incident.close
    if record is not None and not incident.is_closed:
        engine.valves.due_in(record, 0.0)


def _merge_device(engine: Engine, row: Row) -> None:
    """What the database knows of a device that memory does not."""
    stored = DeviceView.from_row(row)
    view = engine.state.devices.views.get(stored.device_id)
    if view is None:
        engine.state.devices.views[stored.device_id] = stored
        return
    view.last_order_no = max(view.last_order_no, stored.last_order_no)
    for name in ("state", "ch4_lel", "valve", "cause", "volume_m3", "flow_m3h", "power", "battery_v", "credit_cny", "rssi_dbm"):
        if getattr(view, name) is None:
            setattr(view, name, getattr(stored, name))
    for name in ("online", "model", "firmware", "connectivity", "report_interval_s", "register_step_m3", "clock_offset_ms", "normal"):
        if getattr(view, name) is None:
            setattr(view, name, getattr(stored, name))
    view.counter_resets = max(view.counter_resets, stored.counter_resets)
    view.retained_items = max(view.retained_items, stored.retained_items)
    if view.order < stored.order and view.ts <= stored.ts:
        view.order, view.ts, view.lane = stored.order, stored.ts, stored.lane


def _forget(engine: Engine, key: UUID) -> None:
    state = engine.state
    incident = state.incidents.get(key)
    if incident is None:
        return
    incident.state = "closed"
    if incident.close is not None:
        incident.close.due = None
    state.drop(incident)
    metrics.open_incidents.labels(incident.kind).dec()


def _rename(engine: Engine, incident: Incident, key: UUID, row: Row) -> None:
    """The place has an incident already: what was opened anew is that one. Its figures of the opening stay as they were stored."""
    state = engine.state
    del state.incidents[incident.incident_id]
    for record in state.commands.values():
        if record.incident_id == incident.incident_id:
            record.incident_id = key
    for holds in state.holds.values():
        for hold in holds.values():
            if hold.incident_id == incident.incident_id:
                hold.incident_id = key
    incident.incident_id = key
    incident.received_ms, incident.alarmed_ms = row["received_ms"], row["alarmed_ms"]
    for name, value in kept(incident.row(), row).items():
        setattr(incident, name, value)
    incident.last_leak_ms = max(incident.last_leak_ms, row["last_leak_ms"])
    state.take_open(incident)
