"""Starting again: what was open when the line stopped is taken up where it was. Reads only; decides nothing new.

A close that was under way is sent again with its own id; its meter answers again.
"""

from typing import Any

import psycopg
from psycopg.rows import dict_row

from alarm_engine import metrics
from alarm_engine.device_view import DeviceView
from alarm_engine.engine import Engine
from alarm_engine.incident import CommandRecord, Incident

_REMEMBER_ALARMS_MS = 48 * 3_600_000

OPEN_INCIDENTS = "SELECT * FROM incidents WHERE state = 'open' ORDER BY received_ms"
OPEN_COMMANDS = """
SELECT c.* FROM commands c JOIN incidents i USING (incident_id) WHERE i.state = 'open' ORDER BY c.attempt, c.issued_ms
"""
DEVICES = "SELECT * FROM device_state"
LAST_ORDERS = "SELECT device_id, max(order_no) AS order_no FROM commands GROUP BY device_id"
RECENT_ALARMS = "SELECT device_id, ts, boot, seq FROM alarms WHERE received_ms > %(since_ms)s"

Row = dict[str, Any]


async def recover(engine: Engine, connection: psycopg.AsyncConnection[Any]) -> int:
    """Load devices, open incidents with their commands, and lately stored alarms into the engine; returns the open incidents."""
    state = engine.state
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(DEVICES)
        async for row in cursor:
            state.devices.views[row["device_id"]] = DeviceView.from_row(row)
        await cursor.execute(LAST_ORDERS)
        async for row in cursor:
            view = state.devices.of(row["device_id"])
            view.last_order_no = max(view.last_order_no, row["order_no"])
        await cursor.execute(RECENT_ALARMS, {"since_ms": state.clock.now_ms() - _REMEMBER_ALARMS_MS})
        async for row in cursor:
            state.alarms.remember_durable((row["device_id"], row["ts"], row["boot"], row["seq"]))
        await cursor.execute(OPEN_INCIDENTS)
        async for row in cursor:
            incident = Incident.from_row(row)
            state.incidents[incident.incident_id] = incident
            state.open_by_place[incident.place] = incident
            metrics.open_incidents.labels(incident.kind).inc()
        await cursor.execute(OPEN_COMMANDS)
        async for row in cursor:
            _command(engine, row)
    return len(state.incidents)


def resume(engine: Engine) -> None:
    """After the lanes are connected: look at once at every command whose answer was awaited."""
    for incident in engine.state.incidents.values():
        record = incident.close
        if record is None or incident.is_closed:
            continue
        engine.valves.due_in(record, 0.0)


def _command(engine: Engine, row: Row) -> None:
    record = CommandRecord.from_row(row)
    engine.state.remember(record)
    incident = engine.state.incidents.get(record.incident_id) if record.incident_id else None
    if incident is None:
        return
    if record.command == "close_valve":
        incident.close = record
        incident.attempts = max(incident.attempts, record.attempt)
    elif record.under_way:
        if record.command == "open_valve":
            incident.opening = record
        engine.valves.due_in(record, (record.expires_ms - engine.state.clock.now_ms()) / 1000)
