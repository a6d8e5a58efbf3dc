"""What the call ladder remembers, what happens to it, and what it wants done: plain data, no rule.

The rules are in ``judgement.ladder``. The state is kept as JSON between two lives of a process.
"""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from core.station import ContactFacts
from dispatch.judgement.call_outcome import CallOutcome, End

LadderOutcome = Literal["calling", "confirmed", "help_needed", "nobody_to_call", "work_done", "given_up"]
TaskKind = Literal["nobody_confirmed", "help_needed", "registry_error", "nobody_to_call"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderPoints:
    """Set-points: gaps in ms, ``an_hour`` calls to one number, ``heard_s`` of speech before a hang-up counts as heard.

    ``confirmed_holds_ms``: who confirmed is not rung for another leak within this, unless the place was made safe in between.
    """

    again_after_ms: int = 65_000
    an_hour: int = 5
    breath_ms: int = 10_000
    heard_s: float = 3.0
    retry_ms: int = 2_000
    human_after_ms: int = 90_000
    over_after_ms: int = 7_200_000
    confirmed_holds_ms: int = 600_000


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Person(_Data):
    """A contact in calling order: when it was tried (Unix ms), when its last call ended, and whether it is out of the ladder."""

    contact: ContactFacts
    tried_ms: tuple[int, ...] = ()
    ended_ms: int | None = None
    struck: bool = False


class CallUnderWay(_Data):
    """A call that was asked for and has not ended."""

    call_id: UUID
    attempt: int
    person: int
    placed: bool = False
    answered: bool = False
    key: str | None = None


class LadderState(_Data):
    """Everything that the ladder remembers. ``lines`` is how many people are rung at a time."""

    incident_id: UUID
    started_ms: int
    people: tuple[Person, ...]
    lines: int = 1
    calls: tuple[CallUnderWay, ...] = ()
    attempt: int = 0
    turn: int = -1
    call_back: int | None = None
    not_before_ms: int = 0
    losses: int = 0
    human_due_ms: int | None = None
    outcome: LadderOutcome = "calling"
    over_ms: int | None = None

    @property
    def over(self) -> bool:
        """Whether nobody is rung any more."""
        return self.outcome != "calling"


# -- events ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _OfCall:
    """Something about one call."""

    call_id: UUID


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Look whether something is due."""


class CallSent(_OfCall):
    """A telephone line came free for the call, later than it was asked for."""


class CallPlaced(_OfCall):
    """The network has the call."""


class CallAnswered(_OfCall):
    """Somebody, or something, picked up."""


@dataclass(frozen=True, slots=True)
class KeyPressed(_OfCall):
    """A key on the phone."""

    digit: str


@dataclass(frozen=True, slots=True)
class CallEnded(_OfCall):
    """A call is over."""

    end: End


@dataclass(frozen=True, slots=True)
class LineBack:
    """Calls can be made again."""


@dataclass(frozen=True, slots=True)
class LeakAgain:
    """Gas leaks anew: whoever confirmed before has to hear of it."""


@dataclass(frozen=True, slots=True)
class WorkDone:
    """The place is made safe, or the order archived: nobody needs to be rung."""


LadderEvent = TimePassed | CallSent | CallPlaced | CallAnswered | KeyPressed | CallEnded | LineBack | LeakAgain | WorkDone


# -- actions -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ring(_OfCall):
    """Call this contact now."""

    attempt: int
    contact: ContactFacts


class HangUp(_OfCall):
    """End this call: it is not needed any more."""


@dataclass(frozen=True, slots=True)
class Close(_OfCall):
    """The call is over with this outcome."""

    outcome: CallOutcome


@dataclass(frozen=True, slots=True)
class RaiseTask:
    """Work for a person at the desk. ``subject`` keeps two tasks of one kind apart."""

    kind: TaskKind
    subject: str
    contact: ContactFacts | None = None


@dataclass(frozen=True, slots=True)
class NeedsHelp:
    """Somebody in the home asked for help: the order is worked first."""


LadderAction = Ring | HangUp | Close | RaiseTask | NeedsHelp
Step = tuple[LadderState, list[LadderAction]]
