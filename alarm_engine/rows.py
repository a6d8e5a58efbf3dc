"""What one decision writes: a bundle of rows that become durable together, in one statement with the bundles of others."""

from dataclasses import dataclass, field, fields
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

    def __bool__(self) -> bool:
        return any(getattr(self, table) for table in TABLES)


TABLES = tuple(each.name for each in fields(Rows))
"""The tables of a bundle, in the order in which they are written."""
