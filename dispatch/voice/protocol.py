"""What dispatch and the voice worker say to each other: JSON lines over a unix socket, one model a line.

Dispatch asks with ``call``, ``wording`` and ``hangup``; the worker reports everything else. Durations asked for are seconds,
all stamps Unix milliseconds of the platform's clock. ``call_id`` is chosen by dispatch and names one attempt: a ``call`` repeated
while it is under way changes nothing, and one repeated after its end is answered by the same ``ended`` again, so a repeat never
rings twice. One that is said to be ``known`` is never made anew.

On connecting the worker says ``hello`` with the calls under way, then whatever it could not report while nobody was connected.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Language = Literal["zh", "en"]
CauseSource = Literal["header", "mapped", "none"]
EndedBy = Literal["us", "far", "never_connected"]

Reason = Literal[
    "confirmed",
    "help_asked",
    "wrong_home",
    "time_over",
    "far_hung_up",
    "hangup_asked",
    "busy",
    "declined",
    "no_answer",
    "no_ringing",
    "wrong_number",
    "unreachable",
    "network_failed",
    "trunk_refused",
    "no_trunk",
    "no_sim_proxy",
    "bad_address",
    "simulated_mismatch",
    "all_lines_busy",
    "bad_request",
    "stack_failed",
    "worker_stopping",
    "worker_lost",
]

MAX_LINE: Final = 64 * 1024
"""Bytes of one line in either direction; a longer one is refused."""

CANARY_ADDRESS: Final = "sip:canary@sim.invalid"
"""The telephone that the worker keeps for itself on loopback, for the platform's own round. It is always busy."""

LONGEST_CALL_S: Final = 90.0
"""Nobody is kept on the phone in the gas longer than this."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    def line(self) -> bytes:
        """The message as it travels."""
        return self.model_dump_json().encode() + b"\n"


class CallRequest(_Message):
    """Ring ``address`` and speak ``text``, over and over until a key is pressed or ``max_s`` after the answer."""

    type: Literal["call"] = "call"
    call_id: str = Field(min_length=1, max_length=64)
    address: str = Field(max_length=128, description="E.164 or landline number; sip:...@sim.invalid in a simulated home")
    simulated: bool
    language: Language
    ring_s: float = Field(30.0, gt=0, le=120)
    max_s: float = Field(LONGEST_CALL_S, gt=0, le=LONGEST_CALL_S)
    text: str = Field(min_length=1, max_length=4000)
    known: bool = Field(
        False, description="an earlier life of dispatch made it: a worker that does not know it says worker_lost, and rings nobody"
    )


class WordingRequest(_Message):
    """Speak ``text`` from the next sentence on, instead of what was asked before."""

    type: Literal["wording"] = "wording"
    call_id: str = Field(min_length=1, max_length=64)
    text: str = Field(min_length=1, max_length=4000)


class HangupRequest(_Message):
    """End the call now."""

    type: Literal["hangup"] = "hangup"
    call_id: str = Field(min_length=1, max_length=64)


class _Event(_Message):
    call_id: str
    at_ms: int


class Placed(_Event):
    """The INVITE is out."""

    type: Literal["placed"] = "placed"


class Ringing(_Event):
    """The far end says that it rings."""

    type: Literal["ringing"] = "ringing"


class Answered(_Event):
    """Somebody, or something, picked up. Not yet a confirmation of anything."""

    type: Literal["answered"] = "answered"


class Spoken(_Event):
    """A sentence began to play, exactly these words."""

    type: Literal["spoken"] = "spoken"
    text: str


class Key(_Event):
    """A key was pressed: ``0``-``9``, ``*``, ``#``, ``A``-``D``."""

    type: Literal["key"] = "key"
    digit: str


class Ended(_Event):
    """The call is over, or never came to be. ``spoken_s`` is how much speech went out after the answer.

    ``q850_cause`` comes from the network's Reason header, else from the SIP code (``cause_source`` says which). ``sip_code`` is
    None where no final answer was received.
    """

    type: Literal["ended"] = "ended"
    answered: bool
    ended_by: EndedBy
    reason: Reason
    sip_code: int | None = None
    q850_cause: int | None = None
    cause_source: CauseSource = "none"
    spoken_s: float = 0.0


class Hello(_Message):
    """First line on a new connection: the calls that the worker has under way."""

    type: Literal["hello"] = "hello"
    calls: tuple[str, ...] = ()


VoiceRequest = CallRequest | WordingRequest | HangupRequest
VoiceEvent = Placed | Ringing | Answered | Spoken | Key | Ended

REQUEST: Final[TypeAdapter[VoiceRequest]] = TypeAdapter(Annotated[VoiceRequest, Field(discriminator="type")])
REPORT: Final[TypeAdapter[VoiceEvent | Hello]] = TypeAdapter(Annotated[VoiceEvent | Hello, Field(discriminator="type")])
