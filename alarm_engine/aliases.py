"""Two ids of one incident: the one that the database has stays, the other becomes its alias, and all that belongs to it follows.

A life of the line that knew nothing of an open incident of a home opened it anew, and what it wrote down still waits. Decides which ids
are one incident and what of both is kept. Refuses to know who waits where.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString
from uuid import UUID

from alarm_engine.judgement.alarm_table import gravity
from alarm_engine.rows import Row, Rows

OPEN_PLACES: Final[LiteralString] = """
SELECT incident_id, place, kind, devices, close_sent_ms, valve_closed_locally_ms, reported_closed_ms, opened_valve_ms, holds_ms,
       clearing_ms, before_meter_first_ms
FROM incidents WHERE state = 'open'
"""
OPEN_ALIASES: Final[LiteralString] = """
SELECT a.alias_id, a.incident_id FROM incident_aliases a JOIN incidents i USING (incident_id) WHERE i.state = 'open'
"""
_FIRST: Final = ("close_sent_ms", "valve_closed_locally_ms", "reported_closed_ms", "holds_ms", "clearing_ms", "before_meter_first_ms")


@dataclass(slots=True)
class Stored:
    """What the database has open: its incidents by id, and the ids that belong to one of them."""

    incidents: Mapping[UUID, Mapping[str, Any]] = field(default_factory=dict)
    aliases: Mapping[UUID, UUID] = field(default_factory=dict)


def settle(waiting: Iterable[Rows], stored: Stored) -> dict[UUID, UUID]:
    """Which ids in the bundles that wait, in order, are another's: alias -> incident. There is one open incident a place.

    What opened and ended among them, in a place that the database holds open, is written as ended at once: it never was the open one.
    """
    bundles = list(waiting)
    last: dict[UUID, Row] = {}
    for rows in bundles:
        last.update(rows.incidents)
    ended = {key for key, row in last.items() if row["state"] != "open"}
    holders = {str(row["place"]): key for key, row in stored.incidents.items() if key not in ended}
    for rows in bundles:
        for key in rows.incidents.keys() & ended:
            if holders.get(str(last[key]["place"]), key) != key:
                rows.incidents[key] = last[key]
    # Also where no row of the incident waits: what belongs to it may.
    found = {alias: key for alias, key in stored.aliases.items() if alias not in ended and key not in ended}
    for key, row in last.items():
        if key not in ended and key not in found and (holder := holders.setdefault(str(row["place"]), key)) != key:
            found[key] = holder
    return found


def rename(rows: Rows, aliases: Mapping[UUID, UUID], stored: Stored) -> None:
    """Let rows that are not written yet belong to the incident whose alias they name."""
    names = {str(alias): str(key) for alias, key in aliases.items()}
    for table in (rows.commands.values(), rows.alarms, rows.events, rows.outbox, rows.holds.values(), rows.aliases):
        for row in table:
            if (name := names.get(str(row["incident_id"]))) is not None:
                row["incident_id"] = name
    for alias in rows.incidents.keys() & aliases.keys():
        key, row = aliases[alias], rows.incidents.pop(alias)
        rows.incidents[key] = {**row, "incident_id": str(key), **kept(row, stored.incidents.get(key, row))}


def kept(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """What of the stored incident (``theirs``) outlives the one that was opened anew: first times, devices, the graver kind."""
    found = {name: theirs[name] for name in _FIRST if theirs[name] is not None}
    found["kind"] = max(theirs["kind"], ours["kind"], key=gravity)
    found["devices"] = [*theirs["devices"], *(device for device in ours["devices"] if device not in theirs["devices"])]
    if ours["opened_valve_ms"] is None:
        found["opened_valve_ms"] = theirs["opened_valve_ms"]
    return found
