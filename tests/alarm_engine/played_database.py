"""A stand-in for the database behind the line's own statements: away, there, or there and lost right after a commit.

It reads the ledger's one statement as it stands, table by table, so that a column the statement forgets to update is missed here too.
That PostgreSQL takes the statement is tested elsewhere, on PostgreSQL.
"""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import psycopg

from alarm_engine import aliases, recovery
from alarm_engine.ledger import WRITE
from gateway.knowledge import FORMER_JOURNALS, JOURNAL_POSITION

Row = dict[str, Any]
_PARTS = re.compile(
    r"INSERT INTO (\w+) SELECT .*?%\((\w+)\)s::jsonb\)\s+ON CONFLICT(?: \((\w+)\))? DO (NOTHING|UPDATE SET(.*?)\n\))", re.DOTALL
)
_KEYS = {
    "incidents": ("incident_id",),
    "commands": ("command_id",),
    "alarms": ("device_id", "ts", "boot", "seq"),
    "incident_events": ("event_id",),
    "valve_holds": ("hold_id",),
    "home_conditions": ("condition_id",),
    "incident_aliases": ("alias_id",),
    "outbox": ("message_id",),
}
_IDS = ("incident_id", "command_id", "hold_id", "message_id", "alias_id")


class PlayedDatabase:
    """Tables by name and key. ``refused`` are the bundles that it would not take."""

    def __init__(self) -> None:
        self.up = True
        self.loses_the_next_commit = False
        self.tables: dict[str, dict[tuple[Any, ...], Row]] = {name: {} for name in _KEYS}
        self.journals: dict[UUID, int] = {}
        self.devices: dict[str, Row] = {}
        self._parts = [(table, given, _updated(rule)) for table, given, _, rule, _ in _PARTS.findall(WRITE)] + [("outbox", "outbox", None)]
        assert {table for table, _, _ in self._parts} == set(_KEYS)

    def connect(self) -> "PlayedConnection":
        if not self.up:
            raise psycopg.OperationalError("away")
        return PlayedConnection(self)

    def write(self, given: dict[str, Any]) -> None:
        """The statement, whole or not at all."""
        if "\\u0000" in "".join(given[name] for _, name, _ in self._parts):
            raise psycopg.DataError("unsupported Unicode escape sequence")
        self._one_open_a_place(json.loads(given["incidents"]))
        for table, name, updated in self._parts:
            for row in json.loads(given[name]):
                key = tuple(row[column] for column in _KEYS[table])
                there = self.tables[table].get(key)
                if there is None:
                    self.tables[table][key] = row
                elif updated:
                    there.update({column: row[column] for column in updated})
        if given["journal"] is not None and given["position"] is not None:
            self.journals[given["journal"]] = max(self.journals.get(given["journal"], 0), given["position"])
        if self.loses_the_next_commit:
            self.loses_the_next_commit = False
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    def _one_open_a_place(self, rows: list[Row]) -> None:
        """As the index incidents_one_open, row by row."""
        states = {row["incident_id"]: (row["state"], row["place"]) for row in self.tables["incidents"].values()}
        for row in rows:
            states[row["incident_id"]] = (row["state"], row["place"])
            still = [place for state, place in states.values() if state == "open"]
            if len(set(still)) < len(still):
                raise psycopg.IntegrityError("duplicate key incidents_one_open")

    def rows(self, query: str, given: dict[str, Any]) -> list[Row]:
        """What a query of the line's start finds."""
        incidents, commands = self.tables["incidents"].values(), self.tables["commands"].values()
        alarms, holds = self.tables["alarms"].values(), self.tables["valve_holds"].values()
        since = given.get("since_ms", 0)
        found: list[Row] = []
        if query == recovery.OPEN_INCIDENTS:
            for row in incidents:
                if row["state"] == "open":
                    heard = [a["received_ms"] for a in alarms if a["incident_id"] == row["incident_id"] and a["verdict"] != "noted"]
                    found.append({**row, "last_alarm_ms": max(heard, default=None)})
            found.sort(key=lambda row: row["received_ms"])
        elif query == recovery.CLOSED_LATELY:
            found = sorted((row for row in incidents if (row["closed_ms"] or 0) > since), key=lambda row: row["closed_ms"])
        elif query == recovery.CLOSED_OF_THESE:
            found = [row for row in incidents if row["state"] == "closed" and UUID(row["incident_id"]) in given["ids"]]
        elif query == recovery.OPEN_COMMANDS:
            still = {row["incident_id"] for row in incidents if row["state"] == "open"}
            found = sorted((row for row in commands if row["incident_id"] in still), key=lambda row: (row["attempt"], row["issued_ms"]))
        elif query == recovery.LOOSE_CLOSES:
            newest: dict[str, Row] = {}
            for row in sorted(commands, key=lambda row: row["order_no"]):
                if row["incident_id"] is None and row["command"] == "close_valve" and row["issued_ms"] > since:
                    newest[row["device_id"]] = row
            found = list(newest.values())
        elif query == recovery.DEVICES:
            found = list(self.devices.values())
        elif query == recovery.LAST_ORDERS:
            last: dict[str, int] = {}
            for row in commands:
                last[row["device_id"]] = max(last.get(row["device_id"], 0), row["order_no"])
            found = [{"device_id": device_id, "order_no": number} for device_id, number in last.items()]
        elif query == recovery.RECENT_ALARMS:
            found = sorted((row for row in alarms if row["received_ms"] > since), key=lambda row: row["received_ms"])
        elif query == aliases.OPEN_PLACES:
            found = [row for row in incidents if row["state"] == "open"]
        elif query == aliases.OPEN_ALIASES:
            still = {row["incident_id"] for row in incidents if row["state"] == "open"}
            found = [row for row in self.tables["incident_aliases"].values() if row["incident_id"] in still]
        elif query == recovery.HOLDS_IN_FORCE:
            found = [row for row in holds if row["lifted_ms"] is None]
        return [_typed(row) for row in found]


class PlayedConnection:
    """As much of a psycopg connection as the line's ledger and its start ask for."""

    closed = False

    def __init__(self, database: PlayedDatabase) -> None:
        self._database = database
        self._found: list[Row] = []

    async def execute(self, query: str, given: dict[str, Any] | None = None, **_: object) -> "PlayedConnection":
        if not self._database.up:
            raise psycopg.OperationalError("away")
        given = given or {}
        self._position: tuple[int] | None = None
        if query is WRITE:
            self._database.write(given)
        elif query == JOURNAL_POSITION:
            position = self._database.journals.get(given["journal"])
            self._position = None if position is None else (position,)
        elif query == FORMER_JOURNALS:
            self._database.journals = {key: at for key, at in self._database.journals.items() if key == given["journal"]}
        else:
            self._found = self._database.rows(query, given)
        return self

    async def fetchone(self) -> tuple[int] | None:
        return self._position

    async def fetchmany(self, most: int) -> list[Row]:
        found, self._found = self._found[:most], self._found[most:]
        return found

    async def fetchall(self) -> list[Row]:
        return await self.fetchmany(len(self._found))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield

    @asynccontextmanager
    async def cursor(self, *_: object, **__: object) -> AsyncIterator["PlayedConnection"]:
        yield PlayedConnection(self._database)

    async def close(self) -> None:
        return

    async def __aenter__(self) -> "PlayedConnection":
        return self

    async def __aexit__(self, *_: object) -> None:
        return


def _updated(rule: str) -> list[str] | None:
    return re.findall(r"(\w+) = excluded\.", rule) or None


def _typed(row: Row) -> Row:
    """Columns as psycopg gives them: ids are UUIDs."""
    return {name: UUID(value) if name in _IDS and isinstance(value, str) else value for name, value in row.items()}
