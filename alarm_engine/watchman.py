"""The watchman: every few seconds he holds the open incidents against their closes, orders and calls, and has made what is missing.

Trusts nobody: the command table, the outbox and dispatch each have their own repeats, and he looks whether anything came of them. What
he finds is counted, repaired and, where the repair did not help at once, raised to a person, once. Without the database he looks at
closes alone and says nothing of orders and calls; after its return they have their full time again. Real time, whatever the clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, LiteralString, NamedTuple
from uuid import UUID

import psycopg
import structlog
from psycopg.rows import dict_row

from alarm_engine import metrics
from alarm_engine.engine import Engine
from alarm_engine.incident import Incident
from alarm_engine.judgement.alarm_table import ALARM_TABLE
from alarm_engine.record import order_message, outbox_row
from alarm_engine.rows import Rows
from core.clock import Clock, SystemClock
from core.ids import message_id
from core.station import OrderMessage, TaskMessage

log = structlog.get_logger()

Kind = Literal["close_missing", "order_missing", "call_missing", "incident_unwritten", "incident_unknown"]
TaskKind = Literal["close_missing", "order_missing", "call_missing"]


class Finding(NamedTuple):
    """What was missing of which incident."""

    kind: Kind
    incident_id: UUID


WATCHED: Final[LiteralString] = """
SELECT w.incident_id, EXISTS (SELECT FROM incidents i WHERE i.incident_id = w.incident_id) AS stored,
       EXISTS (SELECT FROM work_orders o WHERE o.incident_id = w.incident_id) AS ordered,
       EXISTS (SELECT FROM order_aliases a WHERE a.incident_id = w.incident_id) AS aliased,
       EXISTS (SELECT FROM calls c WHERE c.incident_id = w.incident_id)
           OR EXISTS (SELECT FROM ladders l WHERE l.incident_id = w.incident_id)
           OR EXISTS (SELECT FROM work_orders o WHERE o.incident_id = w.incident_id AND o.made_safe_ms IS NOT NULL) AS called
FROM unnest(%(ids)s::uuid[]) AS w(incident_id)
"""
UNKNOWN: Final[LiteralString] = "SELECT incident_id FROM incidents WHERE state = 'open' AND incident_id <> ALL(%(ids)s::uuid[])"
TOLD: Final[LiteralString] = "SELECT payload FROM outbox WHERE message_id = %(message_id)s"

_AGAIN_S: Final = 30.0
_STORED_AFTER: Final = 6
_LOOKS_UNKNOWN: Final = 3
_TIMEOUT: Final = "-c statement_timeout=5000"


@dataclass(slots=True)
class _Missing:
    """One thing that is missing: since when (real seconds), and what was done about it."""

    since: float
    looks: int = 0
    repaired: float | None = None
    repairs: int = 0


class Watchman:
    """Watches over one engine. Owns nothing: what he has made goes the ways of the engine."""

    def __init__(self, engine: Engine, dsn: str, pace: Clock | None = None) -> None:
        self._engine = engine
        self._state = engine.state
        self._dsn = dsn
        self._pace = pace or SystemClock()
        self._missing: dict[Finding, _Missing] = {}
        self._told: set[Finding] = set()
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        try:
            while True:
                await self._pace.sleep(self._state.settings.watch_every_s)
                try:
                    await self.look()
                except Exception:
                    # A watchman who stumbles gets up again.
                    log.exception("watchman failed")
                    metrics.watchman_looks.labels("failed").inc()
        finally:
            await self._drop()

    async def look(self) -> list[Finding]:
        """One look; what was found and repaired in it. Never raises because the database is away."""
        found = self._closes()
        try:
            found += await self._orders_and_calls(await self._connected())
            metrics.watchman_looks.labels("full").inc()
        except psycopg.Error:
            await self._drop()
            # What is missing in a database that was away may be on its way: the time begins anew.
            self._forget(finding for finding in self._missing if finding.kind != "close_missing")
            metrics.watchman_looks.labels("database_away").inc()
        self._told = {finding for finding in self._told if finding.incident_id in self._state.incidents}
        return found

    @property
    def unknown(self) -> int:
        """Incidents that are open in the database and that the line does not know: nobody watches over them until it is started again."""
        return sum(finding.kind == "incident_unknown" and entry.repairs > 0 for finding, entry in self._missing.items())

    # -- closes, by memory alone -----------------------------------------------------------------------------------------------

    def _closes(self) -> list[Finding]:
        found = []
        missing = set()
        for incident in list(self._state.incidents.values()):
            late = self._close_late(incident)
            finding = Finding("close_missing", incident.incident_id)
            if late is None:
                continue
            missing.add(finding)
            # What is due and not done is looked at twice: the timer may be just about to.
            if self._is_due(finding, 0.0 if late == "lost" else self._state.settings.watch_every_s / 2):
                found.append(finding)
                self._engine.valves.next_attempt(incident, "watchman")
                self._raise(finding, incident)
        self._forget(finding for finding in self._missing if finding.kind == "close_missing" and finding not in missing)
        return found

    def _close_late(self, incident: Incident) -> Literal["lost", "overdue"] | None:
        """Whether nobody watches over a close that this incident wants: none under way, or one whose time has passed."""
        if incident.kind == "canary":
            # A round that he helped along would say that the line is whole.
            return None
        if not ALARM_TABLE[incident.kind].close or incident.is_closed or incident.valve == "opened":
            return None
        meter = self._state.registry.devices.get(incident.meter_id or "")
        if meter is None or meter.retired or (incident.opening is not None and incident.opening.under_way):
            return None
        record = incident.close
        if record is None:
            # An operator may have said that a reported home is not to be closed.
            return None if incident.kind == "hotline_report" else "lost"
        if record.due is None:
            return "lost"
        return "overdue" if record.due < self._state.clock.monotonic() else None

    # -- orders and calls, by the database ---------------------------------------------------------------------------------------

    async def _orders_and_calls(self, connection: psycopg.AsyncConnection[Any]) -> list[Finding]:
        incidents = {key: incident for key, incident in self._state.incidents.items() if incident.kind != "canary"}
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(WATCHED, {"ids": list(incidents)})
            rows = await cursor.fetchall()
            await cursor.execute(UNKNOWN, {"ids": list(self._state.incidents)})
            # What was closed a moment ago may stand open in the database a little longer.
            unknown = [row["incident_id"] for row in await cursor.fetchall() if row["incident_id"] not in self._state.closed_lately]
        grace = self._state.settings.watch_grace_s
        missing: dict[Finding, float] = {}
        for row in rows:
            incident = incidents[row["incident_id"]]
            if not row["stored"]:
                # It may wait its turn behind a storm; dispatch heard of it over the broker.
                missing[Finding("incident_unwritten", incident.incident_id)] = grace * _STORED_AFTER
            if not row["ordered"] and not row["aliased"]:
                missing[Finding("order_missing", incident.incident_id)] = grace
            elif row["ordered"] and not row["called"] and self._wants_call(incident):
                missing[Finding("call_missing", incident.incident_id)] = grace
        for key in unknown:
            missing[Finding("incident_unknown", key)] = grace * _LOOKS_UNKNOWN
        self._forget(finding for finding in self._missing if finding.kind != "close_missing" and finding not in missing)
        found = [finding for finding, after in missing.items() if self._is_due(finding, after)]
        for finding in found:
            await self._repair(connection, finding)
        return found

    def _wants_call(self, incident: Incident) -> bool:
        if not ALARM_TABLE[incident.kind].call or incident.home is None:
            return False
        # The one person whom we know may be the one who reported it: he is not rung.
        return len(incident.home.contacts) > (1 if incident.kind == "hotline_report" else 0)

    async def _repair(self, connection: psycopg.AsyncConnection[Any], finding: Finding) -> None:
        incident = self._state.incidents.get(finding.incident_id)
        if incident is None:
            # Closed since, or never ours: a start takes up what the database holds, and until then health is red.
            return
        if finding.kind == "incident_unwritten":
            rows = Rows(incidents={incident.incident_id: incident.row()})
            if incident.close is not None:
                rows.commands[incident.close.command_id] = incident.close.row()
            self._state.keeper.put(rows)
            return
        entry = self._missing[finding]
        message = await self._order(connection, incident)
        if entry.repairs > 1:
            # Dispatch says that it has this message, and nothing came of it; by its incident it still acts once.
            message = message.model_copy(update={"message_id": message_id(incident.incident_id, f"order/again/{entry.repairs}")})
            self._raise(finding, incident)
        self._state.down.station(message)
        self._state.keeper.put(Rows(outbox=[outbox_row(message)]))

    async def _order(self, connection: psycopg.AsyncConnection[Any], incident: Incident) -> OrderMessage:
        """The order message as it was told, with what is known of the valve now; a new one where the outbox never had it."""
        fresh = order_message(incident, self._state.clock.now_ms())
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(TOLD, {"message_id": fresh.message_id})
            told = await cursor.fetchone()
        if told is None:
            return fresh
        return fresh.model_copy(update={"exclude_phone": OrderMessage.model_validate(told["payload"]).exclude_phone})

    # -- what is missing since when ------------------------------------------------------------------------------------------------

    def _is_due(self, finding: Finding, after_s: float) -> bool:
        """Whether this has been missing for so long, and its last repair had time to help. Counts it when it is."""
        now = self._pace.monotonic()
        entry = self._missing.setdefault(finding, _Missing(now))
        entry.looks += 1
        if now - entry.since < after_s or (entry.repaired is not None and now - entry.repaired < _AGAIN_S):
            return False
        entry.repaired = now
        entry.repairs += 1
        if entry.repairs == 1:
            metrics.watchman_findings.labels(finding.kind).inc()
            log.error("watchman found something missing", what=finding.kind, incident=str(finding.incident_id))
        return True

    def _forget(self, findings: Iterable[Finding]) -> None:
        for finding in list(findings):
            self._missing.pop(finding, None)

    def _raise(self, finding: Finding, incident: Incident) -> None:
        """Tell a person, once an incident and kind."""
        if finding in self._told or finding.kind not in ("close_missing", "order_missing", "call_missing"):
            return
        self._told.add(finding)
        kind: TaskKind = finding.kind
        message = TaskMessage(
            message_id=message_id(incident.incident_id, f"task/{kind}"),
            incident_id=incident.incident_id,
            at_ms=self._state.clock.now_ms(),
            kind=kind,
            home_id=None if incident.home is None else incident.home.home_id,
            simulated=incident.simulated,
            detail={"device_id": incident.meter_id if kind == "close_missing" else incident.device_id},
        )
        self._state.down.station(message)
        self._state.keeper.put(Rows(outbox=[outbox_row(message)]))

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=5, options=_TIMEOUT)
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
