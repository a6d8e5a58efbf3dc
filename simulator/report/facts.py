"""Everything that a report is judged from: the world's own truth, and what the platform says of it. Decides nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from simulator.phones.lines import PhoneReport
from simulator.scenarios import Scenario
from simulator.world.home import HomePlan
from simulator.world.record import Leak, WorldRecord

Verdict = Literal["held", "broken", "late", "not_observed"]
"""``late``: it happened, and after the time that was promised for it. That is broken too, though it may be the machine's doing."""

CLOCKS = ("T0", "T1", "T2", "T3", "T4", "T5", "T5c", "T6a", "T6b", "T7", "T8", "T9", "T10", "T11", "T12", "T13", "T14")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``number`` is the invariant's in the design, None for promises and expectations."""

    key: str
    number: int | None
    verdict: Verdict
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as the API gives it, and its timeline."""

    detail: Mapping[str, Any]
    timeline: tuple[Mapping[str, Any], ...]

    @property
    def home_id(self) -> str | None:
        """The home, where one is known."""
        home_id: str | None = self.detail["home_id"]
        return home_id

    @property
    def clocks(self) -> Mapping[str, int | None]:
        """T0 to T14, Unix ms."""
        clocks: Mapping[str, int | None] = self.detail["clocks"]
        return clocks


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Something of one of our accounts that the platform could not use."""

    account: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What the platform stored of the readings of the story's detector: how many, and the highest in %LEL."""

    count: int = 0
    highest_lel: float = 0.0


@dataclass(frozen=True, slots=True)
class Span:
    """A hold of a home's valve, or a condition of a device in it: what, and from when to when (Unix ms; None: still)."""

    home_id: str
    what: str
    since_ms: int
    ended_ms: int | None
    device_id: str = ""

    def covers(self, at_ms: int) -> bool:
        """Whether it was so at that moment."""
        return self.since_ms <= at_ms and (self.ended_ms is None or at_ms < self.ended_ms)


@dataclass(slots=True)
class Watched:
    """What was seen of the story's incident while it ran, by incident or order id: values in the order of their change."""

    proofs: list[str] = field(default_factory=list)
    clearings: list[str] = field(default_factory=list)
    minutes_left: bool = False
    answer_due: bool = False
    before_meter: bool = False
    priorities: dict[str, list[int]] = field(default_factory=dict)
    canary_age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Canary:
    """The rounds of the canary home since the start: their received and closed times, Unix ms."""

    rounds: tuple[tuple[int, int | None], ...] = ()

    @property
    def whole(self) -> int:
        """How many rounds came to their end."""
        return sum(closed is not None for _, closed in self.rounds)


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted once all was over.

    ``aliases`` are further ids of one incident or order; ``resends`` closes that were sent again under their own id; ``alarm_repeats``
    alarms that a device sent again because the promise was late.
    """

    incidents: int = 0
    orders: int = 0
    calls: int = 0
    aliases: int = 0
    attempts: int = 0
    resends: int = 0
    alarm_repeats: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts of one scenario. Stamps are Unix ms of the platform's clock, which runs ``clock_rate`` times real time."""

    scenario: Scenario
    seed: int
    clock_rate: float
    started_ms: int
    ended_ms: int
    story_home: str
    plans: Mapping[str, HomePlan]
    record: WorldRecord
    unacknowledged: int
    incidents: tuple[Incident, ...]
    phones: tuple[PhoneReport, ...] = ()
    crews: Mapping[str, bool] = field(default_factory=dict)
    quarantined: tuple[Quarantined, ...] = ()
    stored: Stored = Stored()
    timed_out: bool = False
    sleeping: frozenset[str] = frozenset()
    strangers: frozenset[str] = frozenset()
    steps_done_ms: int | None = None
    watched: Watched = field(default_factory=Watched)
    holds: tuple[Span, ...] = ()
    conditions: tuple[Span, ...] = ()
    tasks: Mapping[str, int] = field(default_factory=dict)
    canary: Canary = Canary()
    open_answers: tuple[str, ...] = ()
    counts: Counts = Counts()
    kills: Mapping[str, int] = field(default_factory=dict)
    deaths: Mapping[str, int] = field(default_factory=dict)

    def of_home(self, home_id: str) -> list[Incident]:
        """The incidents of a home, oldest first."""
        found = [incident for incident in self.incidents if incident.home_id == home_id]
        return sorted(found, key=lambda incident: int(incident.detail["received_ms"]))

    @property
    def of_story(self) -> list[Incident]:
        """The incidents of the story's home; those of no home where it has none."""
        return self.of_home(self.story_home) or [incident for incident in self.incidents if incident.home_id is None]

    @property
    def leaking(self) -> tuple[str, ...]:
        """The homes that leaked so that a detector showed it, each once, in their order."""
        return tuple(dict.fromkeys(leak.home_id for leak in self.record.leaks if leak.alarmed_ms is not None))

    @property
    def under_fire(self) -> bool:
        """Whether parts of the platform were killed while it worked: then no promise in time is judged."""
        return bool(self.kills)

    def was_spared_the_close(self, leak: Leak) -> bool:
        """Whether no close had to arrive: parts were killed, and the valve closed by itself.

        A close may die with the broker that had it. It is sent again until its meter answers or says that the valve is closed, and a valve
        that a detector has closed is not told again.
        """
        closed = [move for move in self.record.moves_to(leak.home_id, "closed") if move.at_ms >= leak.started_ms]
        return self.under_fire and bool(closed) and closed[0].cause != "command"


def most_at_once(spans: Iterable[Span]) -> dict[str, int]:
    """By what it is: in how many homes it was so at one time, at the most."""
    known = list(spans)
    most: dict[str, int] = {}
    for moment in known:
        homes = {span.home_id for span in known if span.what == moment.what and span.covers(moment.since_ms)}
        most[moment.what] = max(most.get(moment.what, 0), len(homes))
    return most


def now(spans: Iterable[Span], at_ms: int) -> dict[str, set[str]]:
    """By what it is: the homes in which it is so at that moment."""
    found: dict[str, set[str]] = {}
    for span in spans:
        if span.covers(at_ms):
            found.setdefault(span.what, set()).add(span.home_id)
    return found
