"""The book of conditions: which device is blind, silent or powerless since when, how many homes that makes, and the rows that say so.

Knows what is in force and what was not written yet. Refuses to know why a condition begins or ends.
"""

from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple
from uuid import UUID

from alarm_engine import metrics
from alarm_engine.dark_buildings import Building, DarkBuildings
from alarm_engine.judgement.conditions import CONDITIONS, Condition
from alarm_engine.rows import Row, Rows
from alarm_engine.state import LineState
from core.ids import condition_id

_MOST_ROWS: Final = 500
_BUNDLES_A_TICK: Final = 4


class Held(NamedTuple):
    """A condition in force. ``since_ms`` is Unix ms."""

    condition_id: UUID
    cause: str
    since_ms: int


# Most devices are well: they share this one, which nobody writes to.
_NOTHING: Final[dict[Condition, Held]] = {}


@dataclass(slots=True)
class Watch:
    """One device of a home. ``heard`` is seconds of listening; ``slot`` is its place in the wheel, None when in none.

    ``spoke``, ``sees`` and ``mains`` are what it said since this process started; None where it has not said.
    """

    device_id: str
    home_id: str
    detector: bool
    heard: float
    spoke: bool = False
    slot: int | None = None
    heats_since: float | None = None
    sees: bool | None = None
    mains: bool | None = None
    held: dict[Condition, Held] = field(default_factory=lambda: _NOTHING)


class ConditionBook:
    """Counts homes and writes rows, in bounded pieces, in the order in which things began and ended."""

    def __init__(self, state: LineState) -> None:
        self._state = state
        self._homes: dict[Condition, dict[str, int]] = {condition: {} for condition in CONDITIONS}
        self._unwritten: dict[UUID, Row] = {}
        self.sizes: dict[Building, int] | None = None
        """Homes by building, once they are counted."""
        self.dark = DarkBuildings(state, lambda: self.sizes)

    def homes(self, condition: Condition) -> int:
        """How many homes are in this condition now."""
        return len(self._homes[condition])

    def begin(self, watch: Watch, condition: Condition, cause: str, at_ms: int) -> None:
        """A device is in this condition. It is so since the first time that this is said."""
        before = watch.held.get(condition)
        if before is not None:
            if before.cause != cause and condition == "blind":
                # Blind as before, for another reason.
                watch.held[condition] = changed = before._replace(cause=cause)
                self.note(watch.home_id, watch.device_id, condition, changed, None)
            return
        held = Held(condition_id(watch.device_id, condition, at_ms), cause, at_ms)
        self.note(watch.home_id, watch.device_id, condition, held, None)
        first = self.hold(watch, condition, held)
        if condition == "powerless" and first:
            self.dark.lost(self._state.registry.homes[watch.home_id])

    def hold(self, watch: Watch, condition: Condition, held: Held) -> bool:
        """Count what is in force, without a row. True for the first device of its home."""
        watch.held = {**watch.held, condition: held}
        homes = self._homes[condition]
        homes[watch.home_id] = homes.get(watch.home_id, 0) + 1
        return homes[watch.home_id] == 1

    def end(self, watch: Watch, condition: Condition, at_ms: int) -> None:
        """A device is in this condition no more."""
        held = watch.held.pop(condition, None)
        if held is None:
            return
        self.note(watch.home_id, watch.device_id, condition, held, max(at_ms, held.since_ms))
        homes = self._homes[condition]
        homes[watch.home_id] -= 1
        if not homes[watch.home_id]:
            del homes[watch.home_id]
            if condition == "powerless" and (home := self._state.registry.homes.get(watch.home_id)) is not None:
                self.dark.restored(home)

    def note(self, home_id: str, device_id: str, condition: Condition, held: Held, ended_ms: int | None) -> None:
        """Have a row written with the next :meth:`tick`; the latest of a condition wins."""
        self._unwritten[held.condition_id] = row(home_id, device_id, condition, held, ended_ms)

    def tick(self) -> None:
        """Judge dark buildings, write what began and ended, show the counts."""
        self.dark.tick()
        for _ in range(_BUNDLES_A_TICK):
            if not self._unwritten:
                break
            keys = list(islice(self._unwritten, _MOST_ROWS))
            self._state.keeper.put(Rows(conditions={key: self._unwritten.pop(key) for key in keys}))
        for condition, homes in self._homes.items():
            metrics.homes_in_condition.labels(condition).set(len(homes))


def row(home_id: str, device_id: str, condition: Condition, held: Held, ended_ms: int | None) -> Row:
    """The row of ``home_conditions``."""
    return {
        "condition_id": str(held.condition_id),
        "home_id": home_id,
        "device_id": device_id,
        "condition": condition,
        "cause": held.cause,
        "since_ms": held.since_ms,
        "ended_ms": ended_ms,
    }
