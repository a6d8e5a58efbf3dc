"""What the line must know to go on after a crash without the database: rows, as plain values, and how the journal changes them.

Decides what belongs to the picture: open incidents with what is volatile in them, their commands, the last order number of every meter
that was commanded, devices of homes with an open incident, alarms heard lately, holds in force, words that dispatch has not confirmed.
Refuses to know files and the database.

Of the alarms heard lately only those that are durable belong to it. One that is not was never acknowledged: its device repeats it, and
after a crash it is judged again, under the same ids. Remembering it would be remembering a promise that nobody has given.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from uuid import UUID

from pydantic_core import to_json

from alarm_engine.judgement.alarm_table import gravity
from alarm_engine.rows import Rows
from alarm_engine.state import HeardAlarm, LineState

Plain = dict[str, Any]
_T = TypeVar("_T")
_PIECE_S: Final = 0.0005
_TOGETHER: Final = 200
_MOST_ALARMS: Final = 20_000
_VERSION: Final = 2


@dataclass(slots=True)
class Picture:
    """All of it as JSON-able values. ``number`` is the journal record up to which it is complete, of the journal ``identity``."""

    made_ms: int = 0
    identity: str = ""
    number: int = 0
    incidents: dict[str, Plain] = field(default_factory=dict)
    memory: dict[str, Plain] = field(default_factory=dict)
    commands: dict[str, Plain] = field(default_factory=dict)
    orders: dict[str, int] = field(default_factory=dict)
    devices: dict[str, Plain] = field(default_factory=dict)
    alarms: dict[HeardAlarm, None] = field(default_factory=dict)
    holds: dict[str, Plain] = field(default_factory=dict)
    words: dict[str, Plain] = field(default_factory=dict)
    closed: dict[str, None] = field(default_factory=dict)

    def fold(self, rows: Rows) -> None:
        """Take in a later bundle. A suffix of the journal, in order, always ends at the same picture."""
        for key, row in rows.incidents.items():
            if row["state"] == "open":
                self.incidents[str(key)] = row
            else:
                self.incidents.pop(str(key), None)
                self.memory.pop(str(key), None)
                self.closed[str(key)] = None
        for key, row in rows.commands.items():
            self.commands[str(key)] = row
            device_id, number = str(row["device_id"]), row["order_no"]
            self.orders[device_id] = max(self.orders.get(device_id, 0), int(str(number)))
        for row in rows.alarms:
            identity = (str(row["device_id"]), int(str(row["ts"])), int(str(row["boot"])), int(str(row["seq"])))
            self.alarms[identity, gravity(str(row["verdict"]))] = None
        for key, row in rows.holds.items():
            if row["lifted_ms"] is None:
                self.holds[str(key)] = row
            else:
                self.holds.pop(str(key), None)
        for row in rows.aliases:
            self._join(str(row["alias_id"]), str(row["incident_id"]))
        for row in rows.outbox:
            payload = row["payload"]
            if isinstance(payload, dict):
                self.words[str(row["message_id"])] = payload

    def _join(self, alias: str, key: str) -> None:
        """Two ids were one incident: what is known under the alias alone goes on under the other."""
        row, memory = self.incidents.pop(alias, None), self.memory.pop(alias, None)
        if row is not None and key not in self.closed:
            self.incidents.setdefault(key, {**row, "incident_id": key})
            if memory is not None:
                self.memory.setdefault(key, memory)
        for table in (self.commands, self.holds):
            table.update({name: {**found, "incident_id": key} for name, found in table.items() if found["incident_id"] == alias})

    @classmethod
    def read(cls, lines: list[bytes]) -> "Picture":
        """The picture of such lines. Raises ValueError, KeyError, TypeError or IndexError for what is none."""
        head = json.loads(lines[0])
        if head[:2] != ["picture", _VERSION]:
            raise ValueError("another version of the snapshot")
        picture = cls(head[2], head[3], head[4])
        for line in lines[1:]:
            name, *value = json.loads(line)
            if name == "orders":
                picture.orders.update(value[0])
            elif name == "alarms":
                picture.alarms.update({((a[0], a[1], a[2], a[3]), weight): None for a, weight in value[0]})
            elif name == "closed":
                picture.closed.update(dict.fromkeys(value[0]))
            else:
                getattr(picture, name)[value[0]] = value[1]
        return picture


def head(made_ms: int, identity: str, number: int) -> bytes:
    """The first line of a picture."""
    return to_json(["picture", _VERSION, made_ms, identity, number])


async def pieces(state: LineState, words: dict[UUID, bytes]) -> AsyncIterator[list[bytes]]:
    """What the line knows now, as lines of a picture after its first one, in pieces of about half a millisecond each: a leak that comes
    in between waits no longer than that.

    It may change between two pieces: whoever restores replays the journal from the number at which the first piece was made.
    """
    made: list[bytes] = []
    began = time.perf_counter()
    for line in _lines(state, words):
        made.append(line)
        if time.perf_counter() - began > _PIECE_S:
            yield made
            made = []
            await asyncio.sleep(0)
            began = time.perf_counter()
    yield made


def _lines(state: LineState, words: dict[UUID, bytes]) -> Iterator[bytes]:
    """Each line is short work; what is long is told in several."""
    for incident in list(state.incidents.values()):
        if incident.state != "open":
            continue
        key = str(incident.incident_id)
        yield to_json(["incidents", key, incident.row()])
        yield to_json(["memory", key, incident.memory()])
        for device_id in {incident.meter_id, incident.device_id, *(incident.home.detector_ids if incident.home is not None else ())}:
            if (view := state.devices.views.get(device_id or "")) is not None:
                yield to_json(["devices", view.device_id, view.row()])
    orders: dict[str, int] = {}
    for record in list(state.commands.values()):
        orders[record.device_id] = max(orders.get(record.device_id, 0), record.order_no)
        if record.under_way or record.incident_id in state.incidents or state.loose_closes.get(record.device_id) is record:
            yield to_json(["commands", str(record.command_id), record.row()])
    yield from (to_json(["orders", dict(some)]) for some in _parts(list(orders.items())))
    yield from (to_json(["alarms", some]) for some in _parts(state.alarms.durable(_MOST_ALARMS)))
    yield from (to_json(["holds", str(row["hold_id"]), row]) for row in state.holds_in_force())
    yield from (to_json(["closed", some]) for some in _parts([str(key) for key in state.closed_lately]))
    for message_id, payload in list(words.items()):
        yield b'["words","%s",%s]' % (str(message_id).encode(), payload)


def _parts(things: list[_T]) -> Iterator[list[_T]]:
    return (things[start : start + _TOGETHER] for start in range(0, len(things), _TOGETHER))
