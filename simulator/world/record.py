"""What really happened in the simulated world: the truth that a report holds the platform's account against.

Decides nothing; append-only. ``at_ms`` are Unix ms of the platform's clock, ``at_s`` seconds of its monotonic clock.
"""

from dataclasses import dataclass, field

from core.messages import Command, ValveCause, ValveState


@dataclass(slots=True)
class Leak:
    """A leak that the world caused. Stamps are None until they happen; ``lane`` is the topic that told of it first."""

    home_id: str
    started_ms: int
    device_id: str | None = None
    alarmed_ms: int | None = None
    published_ms: int | None = None
    published_s: float | None = None
    lane: str | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """A command as it arrived at a device; ``repeated``: the same command_id had arrived before."""

    at_ms: int
    at_s: float
    account: str
    home_id: str
    command: Command
    repeated: bool


@dataclass(frozen=True, slots=True)
class ValveMove:
    """The valve of a home came to another state; ``by_key``: it moved because somebody pressed the key at the meter."""

    at_ms: int
    at_s: float
    home_id: str
    was: ValveState
    now: ValveState
    cause: ValveCause | None
    by_key: bool = False


@dataclass(slots=True)
class WorldRecord:
    """Everything that a report may ask of the world.

    ``late_alarms`` are (home, Unix ms when it was measured); ``strangers`` accounts that no registry knows; ``dark`` homes whose mains
    failed; ``steps`` what a scenario did and when (Unix ms).
    """

    leaks: list[Leak] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    misdelivered: list[str] = field(default_factory=list)
    moves: list[ValveMove] = field(default_factory=list)
    late_alarms: list[tuple[str, int]] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    dark: list[str] = field(default_factory=list)
    steps: list[tuple[str, int]] = field(default_factory=list)
    promised: int = 0
    alarm_repeats: int = 0

    def closes_heard(self, home_id: str) -> list[Heard]:
        """The close commands that arrived at the home's meter."""
        return [h for h in self.heard if h.home_id == home_id and h.command.command == "close_valve"]

    def attempts(self, home_id: str, since_ms: int = 0) -> int:
        """How many different close commands arrived at the home's meter."""
        return len({h.command.command_id for h in self.closes_heard(home_id) if h.at_ms >= since_ms})

    def moves_to(self, home_id: str, valve: ValveState) -> list[ValveMove]:
        """When the home's valve came to this state."""
        return [m for m in self.moves if m.home_id == home_id and m.now == valve]
