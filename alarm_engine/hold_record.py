"""One hold on one home's valve, in memory and as a row of ``valve_holds``. Decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from alarm_engine.judgement.holds import Hold
from alarm_engine.rows import Row

_NAMESPACE = UUID("0f6f2c0e-3c36-5a0f-9f3e-5f1d9d0c7b44")
HoldKey = tuple[Hold, str]


@dataclass(slots=True)
class HoldRecord:
    """``cause`` tells holds of one kind apart; ``*_ms`` are Unix ms; ``lifted_ms`` None = in force."""

    hold_id: UUID
    home_id: str
    hold: Hold
    cause: str
    incident_id: UUID | None
    set_ms: int
    set_by: str
    lifted_ms: int | None = None
    lifted_by: str | None = None
    lifted_why: str | None = None
    told_open: int | None = None
    """The meter's newest order when a person was told that the valve stands open; in no row."""

    @property
    def key(self) -> HoldKey:
        """What there is one of in a home."""
        return (self.hold, self.cause)

    def row(self) -> Row:
        """The row of ``valve_holds``."""
        return {
            "hold_id": str(self.hold_id),
            "home_id": self.home_id,
            "hold": self.hold,
            "cause": self.cause,
            "incident_id": None if self.incident_id is None else str(self.incident_id),
            "set_ms": self.set_ms,
            "set_by": self.set_by,
            "lifted_ms": self.lifted_ms,
            "lifted_by": self.lifted_by,
            "lifted_why": self.lifted_why,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "HoldRecord":
        """The hold of a row of ``valve_holds``, from the database or from a file of ours."""
        known = dict(row)
        known["hold_id"] = known["hold_id"] if isinstance(known["hold_id"], UUID) else UUID(known["hold_id"])
        if known["incident_id"] is not None and not isinstance(known["incident_id"], UUID):
            known["incident_id"] = UUID(known["incident_id"])
        return cls(**known)


def hold_id(home_id: str, key: HoldKey, set_ms: int) -> UUID:
    """The id of a hold: the same when the same message is judged twice."""
    return uuid5(_NAMESPACE, f"{home_id}/{key[0]}/{key[1]}/{set_ms}")
