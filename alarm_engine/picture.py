"""What the line must know to go on after a crash without the database: rows, as plain values, and how the journal changes them.

Decides what belongs to the picture: open incidents with what is volatile in them, their commands, the last order number of every meter
that was commanded, devices of homes with an open incident, alarms heard lately, holds in force, words that dispatch has not confirmed.
Refuses to know files and the database.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from alarm_engine.rows import Rows
from alarm_engine.state import LineState
from core.items import Identity

Plain = dict[str, Any]
_PIECE: Final = 50
_MOST_ALARMS: Final = 20_000


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
    alarms: dict[Identity, None] = field(default_factory=dict)
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
            self.alarms[identity] = None
        for key, row in rows.holds.items():
            if row["lifted_ms"] is None:
                self.holds[str(key)] = row
            else:
                self.holds.pop(str(key), None)
        for row in rows.outbox:
            payload = row["payload"]
            if isinstance(payload, dict):
                self.words[str(row["message_id"])] = payload

    @classmethod
    def read(cls, lines: list[bytes]) -> "Picture":
        """The picture of such lines. Raises ValueError, KeyError, TypeError or IndexError for what is none."""
        head = json.loads(lines[0])
        if head[:2] != ["picture", 1]:
            raise ValueError("another version of the snapshot")
        picture = cls(head[2], head[3], head[4])
        for line in lines[1:]:
            name, *value = json.loads(line)
            if name == "orders":
                picture.orders = value[0]
            elif name == "alarms":
                picture.alarms = {(a[0], a[1], a[2], a[3]): None for a in value[0]}
            elif name == "closed":
                picture.closed = dict.fromkeys(value[0])
            else:
                getattr(picture, name)[value[0]] = value[1]
        return picture


def head(made_ms: int, identity: str, number: int) -> bytes:
    """The first line of a picture."""
    return _dump(["picture", 1, made_ms, identity, number])


async def pieces(state: LineState, words: dict[UUID, bytes]) -> AsyncIterator[list[bytes]]:
    """What the line knows now, as lines of a picture after its first one, in pieces of about a millisecond each.

    It may change between two pieces: whoever restores replays the journal from the number at which the first piece was made.
    """
    incidents = list(state.incidents.values())
    for start in range(0, len(incidents), _PIECE):
        made = []
        for incident in incidents[start : start + _PIECE]:
            if incident.state != "open":
                continue
            key = str(incident.incident_id)
            made += [_dump(["incidents", key, incident.row()]), _dump(["memory", key, incident.memory()])]
            watched = {incident.meter_id, incident.device_id, *(incident.home.detector_ids if incident.home is not None else ())}
            views = (state.devices.views.get(device_id or "") for device_id in watched)
            made += [_dump(["devices", view.device_id, view.row()]) for view in views if view is not None]
        yield made
        await asyncio.sleep(0)
    commands = list(state.commands.values())
    orders: dict[str, int] = {}
    for start in range(0, len(commands), 10 * _PIECE):
        made = []
        for record in commands[start : start + 10 * _PIECE]:
            orders[record.device_id] = max(orders.get(record.device_id, 0), record.order_no)
            if record.under_way or record.incident_id in state.incidents or state.loose_closes.get(record.device_id) is record:
                made.append(_dump(["commands", str(record.command_id), record.row()]))
        yield made
        await asyncio.sleep(0)
    yield [_dump(["orders", orders]), _dump(["alarms", state.alarms.durable(_MOST_ALARMS)])]
    yield [_dump(["holds", str(row["hold_id"]), row]) for row in state.holds_in_force()]
    yield [_dump(["closed", [str(key) for key in state.closed_lately]])]
    yield [b'["words","%s",%s]' % (str(key).encode(), payload) for key, payload in list(words.items())]


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
