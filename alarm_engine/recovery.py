"""Starting again: what was open when the line stopped is taken up where it was. Reads only; decides nothing new.

A close that was under way is sent again with its own id; its meter answers again.
"""

from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from alarm_engine import metrics
from alarm_engine.engine import Engine
from alarm_engine.incident import CommandRecord, Incident
from core.station import HomeFacts

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
            _device(engine, row)
        await cursor.execute(LAST_ORDERS)
        async for row in cursor:
            state.devices.of(row["device_id"]).last_order_no = row["order_no"]
        await cursor.execute(RECENT_ALARMS, {"since_ms": state.clock.now_ms() - _REMEMBER_ALARMS_MS})
        async for row in cursor:
            state.alarms.remember_durable((row["device_id"], row["ts"], row["boot"], row["seq"]))
        await cursor.execute(OPEN_INCIDENTS)
        async for row in cursor:
            incident = _incident(row)
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


def _device(engine: Engine, row: Row) -> None:
    view = engine.state.devices.of(row["device_id"])
    for name in (
        "heard_ms",
        "lane",
        "state",
        "ch4_lel",
        "valve",
        "cause",
        "volume_m3",
        "flow_m3h",
        "power",
        "battery_v",
        "credit_cny",
        "rssi_dbm",
        "online",
        "model",
        "firmware",
        "connectivity",
        "report_interval_s",
        "register_step_m3",
        "clock_offset_ms",
    ):
        setattr(view, name, row[name])
    view.order = (row["last_boot"], row["last_seq"])
    view.ts = row["last_ts"]
    view.flags = tuple(row["flags"])
    if row["normal_ts"] is not None:
        view.normal = ((row["normal_boot"], row["normal_seq"]), row["normal_ts"])


def _incident(row: Row) -> Incident:
    return Incident(
        incident_id=row["incident_id"],
        kind=row["kind"],
        place=row["place"],
        account=row["account"],
        device_id=row["device_id"],
        home=HomeFacts.model_validate(row["home"]) if row["home"] else None,
        simulated=row["simulated"],
        lane=row["lane"],
        reason=row["reason"],
        ch4_lel=row["ch4_lel"],
        alarm_lel=row["alarm_lel"],
        boot=row["boot"],
        seq=row["seq"],
        alarmed_ms=row["alarmed_ms"],
        received_ms=row["received_ms"],
        last_leak_ms=row["last_leak_ms"],
        meter_id=row["meter_id"],
        meter_account=row["meter_account"],
        valve=row["valve"],
        valve_cause=row["valve_cause"],
        valve_closed_locally_ms=row["valve_closed_locally_ms"],
        close_sent_ms=row["close_sent_ms"],
        reported_closed_ms=row["reported_closed_ms"],
        opened_valve_ms=row["opened_valve_ms"],
        devices=list(row["devices"]),
    )


def _command(engine: Engine, row: Row) -> None:
    record = CommandRecord(
        command_id=row["command_id"],
        device_id=row["device_id"],
        account=row["account"],
        command=row["command"],
        incident_id=row["incident_id"],
        attempt=row["attempt"],
        order_no=row["order_no"],
        reason=row["reason"],
        issued_ms=row["issued_ms"],
        expires_ms=row["expires_ms"],
        requested_by=row["requested_by"],
        state=row["state"],
        sends=row["sends"],
        sent_ms=row["sent_ms"],
        accepted_ms=row["accepted_ms"],
        done_ms=row["done_ms"],
        result=row["result"],
        detail=row["detail"],
    )
    engine.state.remember(record)
    incident = engine.state.incidents.get(UUID(str(row["incident_id"])))
    if incident is None:
        return
    if record.command == "close_valve":
        incident.close = record
        incident.attempts = max(incident.attempts, record.attempt)
    elif record.under_way:
        if record.command == "open_valve":
            incident.opening = record
        engine.valves.due_in(record, (record.expires_ms - engine.state.clock.now_ms()) / 1000)
