"""A building that goes dark at once is one power cut, not a hundred faults: one task, and none while it lasts.

Hears which homes lost and regained their mains; decides by the building when that is a power cut. Knows nothing of devices.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from alarm_engine import metrics
from alarm_engine.judgement.conditions import building_dark
from alarm_engine.record import outbox_row
from alarm_engine.rows import Rows
from alarm_engine.state import LineState
from core.ids import incident_id, message_id
from core.registry.model import Home
from core.station import TaskMessage

_HOUR_MS = 3_600_000
Building = tuple[str, str, str, str]


def building_of(home: Home) -> Building:
    """District code, community, estate and building: what tells one building from another."""
    return (home.district_code, home.community, home.estate, home.building)


@dataclass(slots=True)
class _Cut:
    now_dark: set[str] = field(default_factory=set)
    lately: deque[tuple[float, str]] = field(default_factory=deque)
    told: bool = False


class DarkBuildings:
    """The buildings with homes that have no mains. ``sizes`` gives homes by building once they are counted."""

    def __init__(self, state: LineState, sizes: Callable[[], Mapping[Building, int] | None]) -> None:
        self._state = state
        self._sizes = sizes
        self._cuts: dict[Building, _Cut] = {}
        self._suspected: dict[Building, Home] = {}

    def lost(self, home: Home) -> None:
        """A home lost its mains now."""
        building = building_of(home)
        cut = self._cuts.setdefault(building, _Cut())
        cut.now_dark.add(home.home_id)
        cut.lately.append((self._state.clock.monotonic(), home.home_id))
        self._suspected[building] = home

    def was_lost(self, home: Home) -> None:
        """A home had lost its mains before this process started; its building's task, if there was one, was made then."""
        cut = self._cuts.setdefault(building_of(home), _Cut())
        cut.now_dark.add(home.home_id)
        cut.told = cut.told or len(cut.now_dark) >= self._state.settings.building_dark_homes

    def restored(self, home: Home) -> None:
        """A home has its mains again, or is no home of ours any more."""
        building = building_of(home)
        cut = self._cuts.get(building)
        if cut is None:
            return
        cut.now_dark.discard(home.home_id)
        if not cut.now_dark:
            del self._cuts[building]
            self._suspected.pop(building, None)

    def tick(self) -> None:
        """Judge the buildings of which something was heard."""
        sizes = self._sizes()
        if not self._suspected or sizes is None:
            return
        since = self._state.clock.monotonic() - self._state.settings.building_dark_within_s
        for building, home in list(self._suspected.items()):
            cut = self._cuts[building]
            while cut.lately and cut.lately[0][0] < since:
                cut.lately.popleft()
            at_once = len({home_id for _, home_id in cut.lately} & cut.now_dark)
            if not cut.told and building_dark(at_once, sizes.get(building, 0), at_least=self._state.settings.building_dark_homes):
                cut.told = True
                self._tell(building, home, at_once, sizes.get(building, 0))
            if cut.told or not cut.lately:
                cut.lately.clear()
                del self._suspected[building]

    def _tell(self, building: Building, home: Home, dark: int, homes: int) -> None:
        at_ms = self._state.clock.now_ms()
        # Judged again after a crash within the hour it is the same task.
        key = incident_id("building_dark", "/".join(building), 0, 0, at_ms // _HOUR_MS)
        district_code, community, estate, number = building
        message = TaskMessage(
            message_id=message_id(key, "task"),
            incident_id=key,
            at_ms=at_ms,
            kind="building_dark",
            home_id=None,
            simulated=home.simulated,
            detail={
                "district_code": district_code,
                "community": community,
                "estate": estate,
                "building": number,
                "homes_dark": dark,
                "homes": homes,
            },
        )
        metrics.dark_buildings.inc()
        self._state.down.station(message)
        self._state.keeper.put(Rows(outbox=[outbox_row(message)]))
