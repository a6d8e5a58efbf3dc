"""An open incident and a command under way, as the line holds them in memory, and their rows. Decides nothing.

``watch`` is what the watch over valve and room remembers (:mod:`alarm_engine.valve_watch`); it is stored with the incident.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from uuid import UUID

from alarm_engine.judgement.command_table import FAILED, UNDER_WAY, CommandState
from alarm_engine.rows import Row
from core.messages import Command, CommandName
from core.station import ClearingKnowledge, HomeFacts, IncidentKind, ProofKnowledge, ValveKnowledge
from core.units import METHANE_LEL_VOL_PERCENT


@dataclass(slots=True)
class CommandRecord:
    """One attempt at a command. ``*_ms`` are Unix ms; ``due`` is monotonic seconds of the platform's clock, None when nothing is due."""

    command_id: UUID
    device_id: str
    account: str
    command: CommandName
    incident_id: UUID | None
    attempt: int
    order_no: int
    reason: str
    issued_ms: int
    expires_ms: int
    requested_by: str
    state: CommandState = "requested"
    sends: int = 0
    sent_ms: int | None = None
    accepted_ms: int | None = None
    done_ms: int | None = None
    result: str | None = None
    detail: str | None = None
    due: float | None = None
    sent_at: float | None = None
    """Monotonic seconds of the first sending; None when that was before this process started."""

    @property
    def under_way(self) -> bool:
        """Whether the meter's answer is still awaited."""
        return self.state in UNDER_WAY

    def message(self) -> Command:
        """What goes to the device."""
        return Command(
            device_id=self.device_id,
            command_id=self.command_id,
            order_no=self.order_no,
            command=self.command,
            incident_id=self.incident_id,
            reason=self.reason,
            issued_at=self.issued_ms,
            expires_at=self.expires_ms,
        )

    def row(self) -> Row:
        """The row of ``commands``."""
        return {
            "command_id": str(self.command_id),
            "device_id": self.device_id,
            "account": self.account,
            "command": self.command,
            "incident_id": None if self.incident_id is None else str(self.incident_id),
            "attempt": self.attempt,
            "order_no": self.order_no,
            "reason": self.reason,
            "state": self.state,
            "sends": self.sends,
            "issued_ms": self.issued_ms,
            "expires_ms": self.expires_ms,
            "sent_ms": self.sent_ms,
            "accepted_ms": self.accepted_ms,
            "done_ms": self.done_ms,
            "result": self.result,
            "detail": self.detail,
            "requested_by": self.requested_by,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "CommandRecord":
        """The record of a row of ``commands``, from the database or from a file of ours; nothing is due yet."""
        known = {name: row[name] for name in _COMMAND_COLUMNS if name in row}
        known["command_id"] = _uuid(known["command_id"])
        known["incident_id"] = None if known["incident_id"] is None else _uuid(known["incident_id"])
        return cls(**known)


_COMMAND_COLUMNS = tuple(name.name for name in fields(CommandRecord) if name.name not in ("due", "sent_at"))


ValveFacts = tuple[ValveKnowledge, int | None, ProofKnowledge, int | None, ClearingKnowledge, bool]
HOTLINE_PLACE = "hotline:"
"""A place that is no home of the registry begins with this."""


@dataclass(slots=True)
class Incident:
    """An incident. ``place`` is the home id or ``account:<id>``; there is one open incident a place."""

    incident_id: UUID
    kind: IncidentKind
    place: str
    account: str
    device_id: str | None
    home: HomeFacts | None
    simulated: bool
    lane: str
    reason: str
    ch4_lel: float | None
    alarm_lel: float | None
    boot: int
    seq: int
    alarmed_ms: int
    received_ms: int
    last_leak_ms: int
    meter_id: str | None = None
    meter_account: str | None = None
    valve: ValveKnowledge = "none"
    valve_cause: str | None = None
    valve_closed_locally_ms: int | None = None
    close_sent_ms: int | None = None
    reported_closed_ms: int | None = None
    opened_valve_ms: int | None = None
    closed_ms: int | None = None
    state: str = "open"
    proof: ProofKnowledge = "none"
    proof_due_ms: int | None = None
    holds_ms: int | None = None
    clearing: ClearingKnowledge = "unknown"
    clearing_ms: int | None = None
    before_meter_ms: int | None = None
    before_meter_first_ms: int | None = None
    """When it was first suspected; stays when the valve is opened and nothing is suspected any more."""
    answer_due_ms: int | None = None
    watch: dict[str, Any] = field(default_factory=dict)
    devices: list[str] = field(default_factory=list)
    close: CommandRecord | None = None
    opening: CommandRecord | None = None
    attempts: int = 0
    valve_messages: int = 0
    cleared: bool = False
    clear: set[str] = field(default_factory=set)
    """Detectors whose room was clear since they last reported a leak: the next one of theirs is a new one."""
    said_again: float = float("-inf")
    told: ValveFacts | None = None
    """What dispatch was told last; None when that was before this process started."""
    ask_due: float | None = None
    room_due: float | None = None
    outcome: str | None = None
    """How it ended, once it has; its record says so too."""

    def __post_init__(self) -> None:
        self.told = self.facts

    @property
    def facts(self) -> ValveFacts:
        """The four answers, and what they make us suspect."""
        return (self.valve, self.answer_due_ms, self.proof, self.proof_due_ms, self.clearing, self.before_meter_ms is not None)

    @property
    def is_closed(self) -> bool:
        """Whether the meter has reported its valve closed since it was last open. ``reported_closed_ms`` keeps the first time."""
        return self.valve == "reported_closed"

    @property
    def close_owed(self) -> bool:
        """Whether its close was sent and has not been seen carried out."""
        return self.close is not None and self.close.state in UNDER_WAY | FAILED

    @property
    def detectors(self) -> set[str]:
        """The detectors of its home as they were when it began, and whatever device has reported since that it leaks."""
        return {*self.devices, *(self.home.detector_ids if self.home is not None else ())}

    def row(self) -> Row:
        """The row of ``incidents``."""
        return {
            "incident_id": str(self.incident_id),
            "kind": self.kind,
            "state": self.state,
            "home_id": None if self.home is None or self.home.home_id.startswith(HOTLINE_PLACE) else self.home.home_id,
            "account": self.account,
            "place": self.place,
            "device_id": self.device_id,
            "meter_id": self.meter_id,
            "meter_account": self.meter_account,
            "simulated": self.simulated,
            "lane": self.lane,
            "reason": self.reason,
            "ch4_lel": self.ch4_lel,
            "alarm_lel": self.alarm_lel,
            "lel_vol_percent": METHANE_LEL_VOL_PERCENT,
            "boot": self.boot,
            "seq": self.seq,
            "valve": self.valve,
            "valve_cause": self.valve_cause,
            "alarmed_ms": self.alarmed_ms,
            "valve_closed_locally_ms": self.valve_closed_locally_ms,
            "received_ms": self.received_ms,
            "close_sent_ms": self.close_sent_ms,
            "reported_closed_ms": self.reported_closed_ms,
            "last_leak_ms": self.last_leak_ms,
            "opened_valve_ms": self.opened_valve_ms,
            "closed_ms": self.closed_ms,
            "proof": self.proof,
            "proof_due_ms": self.proof_due_ms,
            "holds_ms": self.holds_ms,
            "clearing": self.clearing,
            "clearing_ms": self.clearing_ms,
            "before_meter_ms": self.before_meter_ms,
            "before_meter_first_ms": self.before_meter_first_ms,
            "answer_due_ms": self.answer_due_ms,
            "watch": dict(self.watch),
            "devices": list(self.devices),
            "home": {} if self.home is None else self.home.model_dump(mode="json"),
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Incident":
        """The incident of a row of ``incidents``, from the database or from a file of ours. Its commands come separately."""
        known = {name: row[name] for name in _INCIDENT_COLUMNS if name in row}
        known["incident_id"] = _uuid(known["incident_id"])
        known["home"] = HomeFacts.model_validate(row["home"]) if row["home"] else None
        known["devices"] = list(row["devices"])
        known["watch"] = dict(known.get("watch") or {})
        return cls(**known)

    def memory(self) -> dict[str, Any]:
        """What is in no row and shall be known after a restart; JSON."""
        kept = {name: getattr(self, name) for name in ("attempts", "valve_messages", "cleared", "last_leak_ms")}
        return {**kept, "clear": sorted(self.clear)}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Take up what :meth:`memory` gave in an earlier life; a row that is younger is not set back."""
        self.attempts = max(self.attempts, int(memory.get("attempts", 0)))
        self.valve_messages = max(self.valve_messages, int(memory.get("valve_messages", 0)))
        self.cleared = bool(memory.get("cleared", self.cleared))
        self.clear = set(memory.get("clear", self.clear))
        self.last_leak_ms = max(self.last_leak_ms, int(memory.get("last_leak_ms", 0)))


_NOT_STORED = frozenset(
    {"close", "opening", "attempts", "valve_messages", "cleared", "clear", "said_again", "told", "ask_due", "room_due", "outcome"}
)
_INCIDENT_COLUMNS = tuple(name.name for name in fields(Incident) if name.name not in _NOT_STORED)


def _uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)
