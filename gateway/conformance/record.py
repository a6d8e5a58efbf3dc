"""What came up from the device, in order, and what was read in it. Remembers; judges nothing."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from core.messages import CONTRACT

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Heard:
    """One item. ``at`` is monotonic seconds, ``received_ms`` Unix ms of this machine."""

    lane: str
    body: Body
    qos: int
    retain: bool
    at: float
    received_ms: int
    items: int
    size: int

    @property
    def identity(self) -> tuple[object, ...]:
        """(device, ts, boot, seq) as it was sent."""
        return (self.body.get("device_id"), self.body.get("ts"), self.body.get("boot"), self.body.get("seq"))

    @property
    def will(self) -> bool:
        """A status that says *offline*: the last will, or a goodbye."""
        return self.lane == "status" and self.body.get("online") is False


@dataclass(slots=True)
class Record:
    """Everything that an account published; ``device`` is the one that is looked at."""

    account: str
    device: str
    heard: list[Heard] = field(default_factory=list)
    messages: list[tuple[str, int, bool, int]] = field(default_factory=list)
    """(topic below ``up/``, QoS, retained, bytes) of every message."""
    unreadable: list[str] = field(default_factory=list)
    nameless: int = 0
    arrays: list[list[Body]] = field(default_factory=list)

    def take(self, lane: str, payload: bytes, qos: int, retain: bool, at: float, received_ms: int) -> None:
        """Remember one message. Items of other devices behind the same hub are only counted."""
        self.messages.append((lane, qos, retain, len(payload)))
        try:
            parsed = json.loads(payload.decode(), parse_constant=_no_number)
        except ValueError as error:
            self.unreadable.append(f"{lane}: {error}")
            return
        bodies = parsed if isinstance(parsed, list) else [parsed]
        if isinstance(parsed, list):
            self.arrays.append([body for body in parsed if isinstance(body, dict)])
        for body in bodies:
            if not isinstance(body, dict):
                self.unreadable.append(f"{lane}: {str(body)[:40]}")
                continue
            if body.get("device_id") is None and lane != "status":
                self.nameless += 1
            if body.get("device_id") in (None, self.device) or (lane == "status" and body.get("device_id") == self.account):
                self.heard.append(Heard(lane, body, qos, retain, at, received_ms, len(bodies), len(payload)))

    def of(self, lane: str, since: float = float("-inf")) -> list[Heard]:
        """Items of one topic, oldest first."""
        return [each for each in self.heard if each.lane == lane and each.at >= since]

    def answers(self, command_id: object) -> list[Heard]:
        """Every answer to one command, repeats too."""
        return [each for each in self.of("ack") if each.body.get("command_id") == str(command_id)]

    @property
    def kind(self) -> str | None:
        """``meter`` or ``detector``, by its telemetry; None as long as there is none."""
        for each in self.of("telemetry"):
            if each.body.keys() & {"volume_m3", "flow_m3h"}:
                return "meter"
            if each.body.keys() & {"ch4_lel", "state"}:
                return "detector"
        return None

    @property
    def behind_hub(self) -> bool:
        """Whether the account speaks for others."""
        return self.account != self.device

    def status(self) -> Body:
        """The last status that said *online*; empty when there was none."""
        return next((each.body for each in reversed(self.of("status")) if each.body.get("online") is True), {})

    def valve(self) -> str | None:
        """The last position that the valve was said to be in."""
        return next((str(each.body["valve"]) for each in reversed(self.heard) if each.body.get("valve") is not None), None)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def faults(model: type[BaseModel], body: Body) -> dict[str, str]:
    """Field -> what is wrong with it, by the contract's own model."""
    try:
        model.model_validate_json(json.dumps(body), strict=True)
    except ValidationError as error:
        return {str(found["loc"][0]) if found["loc"] else "": found["msg"] for found in error.errors(include_url=False)}
    return {}


def model_of(lane: str, kind: str | None) -> type[BaseModel]:
    """The contract's model of a topic."""
    return CONTRACT[f"up.telemetry.{kind or 'detector'}" if lane == "telemetry" else f"up.{lane}"]


def fields_of(model: type[BaseModel]) -> Iterator[tuple[str, bool]]:
    """(field, required) of a message beside those that every item carries."""
    for name, info in model.model_fields.items():
        if name not in ("ts", "boot", "seq", "device_id"):
            yield name, info.is_required()
