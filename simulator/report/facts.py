"""Everything that a report is judged from: the world's own truth, and what the platform says of it. Decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from simulator.phones.lines import PhoneReport
from simulator.scenarios import Scenario
from simulator.world.home import HomePlan
from simulator.world.record import WorldRecord

Verdict = Literal["held", "broken", "not_observed"]

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

    def of_home(self, home_id: str) -> list[Incident]:
        """The incidents of a home, oldest first."""
        found = [incident for incident in self.incidents if incident.home_id == home_id]
        return sorted(found, key=lambda incident: int(incident.detail["received_ms"]))
