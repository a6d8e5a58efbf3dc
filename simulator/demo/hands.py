"""What hands do in a home whose order is worked: a crew's own, and those that a person lacks who plays the crew from a page.

Decides what the simulated room undergoes in each state of an order. Refuses to take a step of the order: that is the crew's, or the
person's.
"""

from collections.abc import Mapping
from typing import Final

from core.clock import Clock
from simulator.world.home import SimulatedHome
from simulator.world.town import Town

SAFE_LEL: Final = 2.0
LOOK_S: Final = 0.5
KEY_AFTER_S: Final = 4.0
"""He who asks for the valve sees first that he is waited for at the meter."""
_STALLED_LOOKS: Final = 8
_FALLEN_LEL: Final = 0.02
_MENDED: Final = frozenset({"cause_recorded", "tightness_passed", "restored"})


class Room:
    """Whether a room clears. :meth:`look` every :data:`LOOK_S`."""

    def __init__(self, town: Town, home_id: str) -> None:
        self._town = town
        self._home_id = home_id
        self._last_lel = float("inf")
        self._stalled = 0

    def clear(self) -> bool:
        """Nothing is left in it, and its detector says so too."""
        return self._town.reading_lel(self._home_id) <= SAFE_LEL and not self._town.households[self._home_id].home.alarmed

    def look(self) -> None:
        """Where the reading does not fall behind a closed valve, shut the riser: more gas than the meter's comes in."""
        town, home_id = self._town, self._home_id
        lel = town.reading_lel(home_id)
        self._stalled = self._stalled + 1 if lel > max(SAFE_LEL, self._last_lel - _FALLEN_LEL) else 0
        self._last_lel = lel
        if self._stalled >= _STALLED_LOOKS and not town.households[home_id].home.riser_closed:
            town.households[home_id].tell(
                f"表阀已关，读数停在 {lel:.1f} %LEL 不降：疑表前泄漏，关闭户外立管阀",
                f"with the meter's valve closed the reading stays at {lel:.1f} %LEL: from before the meter, then: the riser is shut",
            )
            town.close_riser(home_id)
            self._stalled = 0


class Hands:
    """The hands at one home, for an order that a person works. :meth:`follow` every :data:`LOOK_S` with the order as it stands."""

    def __init__(self, town: Town, clock: Clock, home_id: str, *, air_s: float) -> None:
        """``air_s``: in so many clock seconds the clearing of the room is shown."""
        self._town = town
        self._clock = clock
        self._home_id = home_id
        self._air_s = air_s
        self._room = Room(town, home_id)
        self._state = ""
        self._since_s = 0.0

    def follow(self, order: Mapping[str, object]) -> None:
        """The room follows what he has told: on site, the cause found, at the meter."""
        state, now_s = str(order["state"]), self._clock.monotonic()
        if state != self._state:
            self._state, self._since_s = state, now_s
            self._begin(state)
        if state == "on_site" and not self._room.clear():
            self._room.look()
        if state in _MENDED and self._home.leaks and self._room.clear():
            # Mending shuts the windows again: whoever is quicker than the air waits for it.
            self._town.repair(self._home_id)
            self._tell("原因已查明：泄漏点修复", "the cause is found: the leak is mended")
        if state == "tightness_passed" and now_s - self._since_s >= KEY_AFTER_S and self._home.valve not in ("open", "opening"):
            if self._town.press_key(self._home_id):
                return
            # One that sleeps hears the order to open only when it is touched.
            self._since_s = now_s
            self._town.wake_meter(self._home_id)

    def _begin(self, state: str) -> None:
        town, home_id = self._town, self._home_id
        if state == "on_site":
            if town.close_by_hand(home_id) or self._home.valve == "closing":
                self._tell("演示者到场：阀门由在场的人手动关闭", "whoever plays the crew is on site: the valve is closed by hand")
            if town.reading_lel(home_id) > SAFE_LEL:
                town.air(home_id, shown_s=self._air_s)
                self._tell("演示者到场：门窗打开通风", "whoever plays the crew is on site: windows and doors are opened")
        if state == "tightness_passed":
            # He is at the meter: it is heard before he asks for anything.
            town.wake_meter(home_id)

    @property
    def _home(self) -> SimulatedHome:
        return self._town.households[self._home_id].home

    def _tell(self, zh: str, en: str) -> None:
        self._town.households[self._home_id].tell(zh, en)
