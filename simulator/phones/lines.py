"""What goes in and out of the telephones' process: JSON lines, orders on stdin and reports on stdout."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from simulator.phones.behaviour import Behaviour


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True)

    def line(self) -> bytes:
        """The message as it travels."""
        return self.model_dump_json().encode() + b"\n"


class SetBehaviour(_Line):
    """From now on ``number`` behaves so; ``*`` stands for every number that is not named."""

    number: str
    behaviour: Behaviour


class Ready(_Line):
    """The exchange listens at ``listen`` (host:port)."""

    event: Literal["ready"] = "ready"
    listen: str
    at_ms: int


class BehaviourSet(_Line):
    """An order was taken."""

    event: Literal["behaviour_set"] = "behaviour_set"
    number: str
    at_ms: int


class PhoneReport(_Line):
    """Something happened at a phone. ``call`` is the SIP Call-ID."""

    event: Literal["ringing", "answered", "pressed", "heard", "refused", "hung_up"]
    number: str
    call: str
    at_ms: int
    digit: str = ""
    sip_code: int | None = None
    by: Literal["phone", "caller", ""] = ""
    heard_s: float = 0.0
    audio_s: float = 0.0
    recording: str = ""


Report = Ready | BehaviourSet | PhoneReport

REPORT: Final[TypeAdapter[Report]] = TypeAdapter(Annotated[Report, Field(discriminator="event")])
