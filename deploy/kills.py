"""kill -9 of a platform's parts at random, by seed: who is killed when, and how often it was.

Decides the order and the moments: every round kills each named part once, in an order of its own, so that nobody is spared however
short the storm. Refuses to know who starts the dead again, and what is judged in the end.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from core.errors import UserError
from deploy.embedded.account import Say, silence

KILLABLE = ("line", "dispatch", "voice", "console", "broker", "postgres")


def killable(names: str) -> tuple[str, ...]:
    """The parts of ``line,dispatch,...``. Raises UserError for a name that no part has."""
    found = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    wrong = [name for name in found if name not in KILLABLE]
    if wrong or not found:
        known, said = ", ".join(KILLABLE), ", ".join(wrong) or "—"
        raise UserError(f"--kill 不认识 {said}；可选：{known}", f"--kill does not know {said}; there are: {known}")
    return found


def moments(names: Sequence[str], seed: int, every_s: float) -> Iterator[tuple[float, str]]:
    """(seconds since the kill before, part), without end. The pauses are ``every_s`` on average, between a half and one and a half."""
    dice = random.Random(f"{seed}/kills")
    while True:
        for name in dice.sample(list(names), len(names)):
            yield dice.uniform(0.5, 1.5) * every_s, name


@dataclass(frozen=True, slots=True)
class Killed:
    """One kill -9: seconds after the storm began, and who."""

    at_s: float
    name: str


@dataclass(slots=True)
class Killer:
    """Kills from :meth:`begin` to :meth:`end`, which the storm calls; :meth:`look` does it and belongs to the main thread."""

    names: tuple[str, ...]
    seed: int
    every_s: float
    pid_of: Callable[[str], int | None]
    say: Say = silence
    rounds: int = 2
    done: list[Killed] = field(default_factory=list)
    _moments: Iterator[tuple[float, str]] = field(init=False)
    _due: tuple[float, str] | None = None
    _began_s: float | None = None

    def __post_init__(self) -> None:
        self._moments = moments(self.names, self.seed, self.every_s)

    def begin(self) -> None:
        """The storm begins."""
        self._began_s = time.monotonic()
        self._plan(self._began_s)

    def end(self) -> None:
        """Nobody is killed any more."""
        self._began_s = self._due = None

    @property
    def enough(self) -> bool:
        """Whether each of them was killed as often as wanted."""
        return min(self.counts().values()) >= self.rounds

    def counts(self) -> dict[str, int]:
        """Kills by part."""
        return {name: sum(killed.name == name for killed in self.done) for name in self.names}

    def look(self) -> None:
        """Kill who is due. One who is down already is waited for, so that every kill hits somebody."""
        now_s, due, began_s = time.monotonic(), self._due, self._began_s
        if due is None or began_s is None or now_s < due[0]:
            return
        pid = self.pid_of(due[1])
        if pid is None:
            return
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.done.append(Killed(round(now_s - began_s, 2), due[1]))
        self.say(f"kill -9 {due[1]}（第 {len(self.done)} 次）", f"kill -9 {due[1]} (number {len(self.done)})")
        self._plan(now_s)

    def _plan(self, now_s: float) -> None:
        pause_s, name = next(self._moments)
        self._due = (now_s + pause_s, name)
