"""What one decision writes: a bundle of rows that become durable together, in one statement with the bundles of others."""

import math
import re
from dataclasses import dataclass, field, fields
from typing import Any, Final
from uuid import UUID

Row = dict[str, object]


@dataclass(slots=True)
class Rows:
    """Rows of the line's tables. Incidents, commands, holds and conditions are whole rows by id: the latest wins. The others are
    append-only.
    """

    incidents: dict[UUID, Row] = field(default_factory=dict)
    commands: dict[UUID, Row] = field(default_factory=dict)
    alarms: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    outbox: list[Row] = field(default_factory=list)
    holds: dict[UUID, Row] = field(default_factory=dict)
    conditions: dict[UUID, Row] = field(default_factory=dict)
    aliases: list[Row] = field(default_factory=list)

    def add(self, other: "Rows") -> None:
        """Take in a later bundle."""
        self.incidents.update(other.incidents)
        self.commands.update(other.commands)
        self.alarms.extend(other.alarms)
        self.events.extend(other.events)
        self.outbox.extend(other.outbox)
        self.holds.update(other.holds)
        self.conditions.update(other.conditions)
        self.aliases.extend(other.aliases)

    def apart(self) -> "Rows":
        """The same bundle, whose whole rows can be replaced without changing this one."""
        whole = (dict(self.incidents), dict(self.commands), dict(self.holds), dict(self.conditions))
        return Rows(whole[0], whole[1], self.alarms, self.events, self.outbox, whole[2], whole[3], self.aliases)

    def __bool__(self) -> bool:
        return any(getattr(self, table) for table in TABLES)


TABLES = tuple(each.name for each in fields(Rows))
"""The tables of a bundle, in the order in which they are written."""


def lists(rows: Rows) -> dict[str, list[Row]]:
    """The rows of a bundle, as one list a table."""
    found = ((table, getattr(rows, table)) for table in TABLES)
    return {name: list(value.values()) if isinstance(value, dict) else value for name, value in found}


def pieces(rows: Rows, most: int) -> list[Rows]:
    """A bundle cut into bundles of at most ``most`` rows, in the order of the tables."""
    found: list[Rows] = []
    piece, left = Rows(), most
    for table in TABLES:
        value = getattr(rows, table)
        start, each = 0, list(value.items()) if isinstance(value, dict) else value
        while start < len(each):
            some = each[start : start + left]
            setattr(piece, table, dict(some) if isinstance(value, dict) else some)
            start, left = start + len(some), left - len(some)
            if left == 0:
                found.append(piece)
                piece, left = Rows(), most
    if piece:
        found.append(piece)
    return found


def count(rows: Rows) -> int:
    """How many rows there are in a bundle."""
    return sum(len(getattr(rows, table)) for table in TABLES)


_NO_TEXT: Final = re.compile("[\0\ud800-\udfff]")


def storable(rows: Rows) -> Rows:
    """The same rows without what no column of text or JSON can hold: U+FFFD for NUL and half of a surrogate pair, null for no number."""
    mended = Rows()
    for table in TABLES:
        value = getattr(rows, table)
        setattr(mended, table, {key: _storable(row) for key, row in value.items()} if isinstance(value, dict) else _storable(value))
    return mended


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return _NO_TEXT.sub("\ufffd", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {_storable(key): _storable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(each) for each in value]
    return value
