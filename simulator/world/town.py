"""All simulated homes of a platform and the time that passes in them.

Decides when each home is stepped, how fast its world runs against the clock (faster only while gas gathers before an alarm, and
while a room is aired), and which home a message from the platform belongs to. Refuses to know the broker: ``send`` is given, and
:mod:`simulator.world.radio` brings what arrives.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import ValidationError

from core.clock import Clock
from core.messages import Command, DownAck
from simulator.narration import Narrate, compressed
from simulator.world.home import SimulatedHome
from simulator.world.household import Household
from simulator.world.record import Leak, WorldRecord
from simulator.world.transmitter import Send

TICK_S = 0.1
INTRODUCTION_S = 10.0
"""Two hundred homes introduce themselves within this time, fewer in less."""
_SAFE_LEL = 1.0
_MOST_STEPS_A_TICK = 2_000


@dataclass(slots=True)
class _Watched:
    """A home that is stepped at every tick; ``rate`` is how many of its seconds one clock second stands for.

    ``until_rest``: nothing happens in it but its valve moving, so that it needs no steps once that is at rest.
    """

    household: Household
    stepped_s: float
    rate: float = 1.0
    debt_s: float = 0.0
    gathering: bool = False
    until_rest: bool = False


class Town:
    """The homes, their record and their agenda. :meth:`begin`, then :meth:`run` (or :meth:`tick` by a clock of your own)."""

    def __init__(self, homes: Iterable[SimulatedHome], *, seed: int, boot: int, clock: Clock, send: Send, narrate: Narrate) -> None:
        self.record = WorldRecord()
        self.clock = clock
        self._seed = seed
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._watched: dict[str, _Watched] = {}
        self._stepped_s: dict[str, float] = {}
        self.households = {
            home.plan.home_id: Household(home, boot=boot, clock=clock, send=send, after=self.after, record=self.record, narrate=narrate)
            for home in homes
        }
        self._by_device = {d: household for household in self.households.values() for d in household.places}

    # --- time -----------------------------------------------------------------------------------------------

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Do ``what`` at the first tick ``seconds`` clock seconds from now."""
        heapq.heappush(self._agenda, (self.clock.monotonic() + seconds, next(self._order), what))

    def begin(self) -> None:
        """Every device introduces itself and reports, spread over the first seconds, then at its interval."""
        spread_s = len(self.households) * INTRODUCTION_S / 200
        for home_id, household in self.households.items():
            self._stepped_s[home_id] = self.clock.monotonic()
            dice = random.Random(f"{self._seed}/{home_id}/spread")
            first_s = dice.uniform(0.0, min(INTRODUCTION_S, spread_s, household.home.traits.telemetry_s))
            self.after(first_s, lambda household=household: self._introduce(household))  # type: ignore[misc]

    def _introduce(self, household: Household) -> None:
        household.introduce()
        self._report(household)

    def _report(self, household: Household) -> None:
        self._catch_up(household)
        household.report()
        self.after(household.home.traits.telemetry_s, lambda: self._report(household))

    def _catch_up(self, household: Household) -> None:
        home_id, now_s = household.home.plan.home_id, self.clock.monotonic()
        if home_id not in self._watched:
            household.pass_time(now_s - self._stepped_s[home_id])
            self._stepped_s[home_id] = now_s

    async def run(self) -> None:
        """Let time pass until cancelled."""
        while True:
            self.tick()
            await self.clock.sleep(TICK_S)

    def tick(self) -> None:
        """Do what is due now, and step every watched home up to now."""
        now_s = self.clock.monotonic()
        while self._agenda and self._agenda[0][0] <= now_s:
            heapq.heappop(self._agenda)[2]()
        for watched in list(self._watched.values()):
            self._step_watched(watched, now_s)
            if watched.until_rest and watched.household.at_rest:
                self.unwatch(watched.household.home.plan.home_id)
        for household in self.households.values():
            household.keep_up()

    def _step_watched(self, watched: _Watched, now_s: float) -> None:
        """Steps of one tick's length, so that the same home takes the same steps however late a tick comes."""
        watched.debt_s += (now_s - watched.stepped_s) * watched.rate
        watched.stepped_s = now_s
        for _ in range(_MOST_STEPS_A_TICK):
            if watched.debt_s < TICK_S:
                break
            watched.debt_s -= TICK_S
            if watched.household.pass_time(TICK_S) and watched.gathering:
                watched.gathering, watched.rate, watched.debt_s = False, 1.0, 0.0
        self._stepped_s[watched.household.home.plan.home_id] = now_s

    def watch(self, home_id: str) -> None:
        """Step this home finely from now on."""
        if home_id not in self._watched:
            self._catch_up(self.households[home_id])
            self._watched[home_id] = _Watched(self.households[home_id], self.clock.monotonic())
        self._watched[home_id].until_rest = False

    def unwatch(self, home_id: str) -> None:
        """Step this home only when it reports."""
        self._watched.pop(home_id, None)

    # --- what is done to a home -----------------------------------------------------------------------------

    def start_leak(self, home_id: str, leak_m3h: float, *, shown_s: float, rate: float | None = None) -> Leak:
        """Gas begins to escape; the time until the detector alarms is compressed to about ``shown_s`` and said so.

        ``rate`` compresses by this factor instead.
        """
        household = self.households[home_id]
        self.watch(home_id)
        household.home.leak_m3h = leak_m3h
        household.incident_id = None
        leak = household.leak = Leak(home_id, self.clock.now_ms())
        self.record.leaks.append(leak)
        gathers_s = household.home.seconds_to_alarm()
        watched = self._watched[home_id]
        watched.gathering = True
        if gathers_s is None:
            household.tell("少量燃气逸出，达不到报警值", "a little gas escapes, too little for the set-point")
            return leak
        watched.rate = max(1.0, gathers_s / shown_s) if rate is None else rate
        zh, en = compressed(gathers_s, gathers_s / watched.rate)
        household.tell(
            f"{household.home.plan.address_zh}：燃气泄漏 {leak_m3h:g} 立方米/小时，积聚约 {zh}",
            f"{household.home.plan.address_en}: gas escapes at {leak_m3h:g} m3/h and gathers for about {en}",
        )
        return leak

    def air(self, home_id: str, *, shown_s: float) -> float:
        """Windows and door wide open; the clearing is compressed to about ``shown_s``. Returns the seconds that it stands for."""
        household = self.households[home_id]
        self.watch(home_id)
        household.home.open_windows()
        clears_s = household.home.seconds_to_clear(_SAFE_LEL)
        self._watched[home_id].rate = max(1.0, clears_s / shown_s)
        return clears_s

    def repair(self, home_id: str) -> None:
        """The leak is mended and the windows are shut; the home's time runs as the clock again."""
        self.households[home_id].home.repair()
        if home_id in self._watched:
            self._watched[home_id].rate = 1.0

    def close_by_hand(self, home_id: str) -> bool:
        """A person turns the meter's valve shut. Returns whether it was open."""
        self.watch(home_id)
        return self.households[home_id].close_by_hand()

    def wake_meter(self, home_id: str) -> None:
        """A touch at the meter lights its display, and it reports."""
        self._catch_up(self.households[home_id])
        self.households[home_id].report_meter()

    def press_key(self, home_id: str) -> bool:
        """A person presses the key at the meter. Returns whether an order to open waited for it."""
        self.watch(home_id)
        return self.households[home_id].press_key()

    def reading_lel(self, home_id: str) -> float:
        """What a hand-held instrument shows in the room, %LEL."""
        return self.households[home_id].home.air.ch4_lel

    # --- what the platform says -----------------------------------------------------------------------------

    def receive(self, topic: str, payload: bytes) -> None:
        """A message on ``gas/v1/{account}/down/{command|ack}``. Misdelivered ones are recorded."""
        parts = topic.split("/")
        if len(parts) != 5 or parts[3] != "down" or parts[4] not in ("command", "ack"):
            return
        try:
            message: Command | DownAck = (Command if parts[4] == "command" else DownAck).model_validate_json(payload)
        except ValidationError as error:
            self.record.misdelivered.append(f"{topic}: {error.errors()[0]['msg']}")
            return
        household = self._by_device.get(message.device_id)
        if household is None:
            return
        if household.places[message.device_id].account != parts[2]:
            self.record.misdelivered.append(f"{topic}: {message.device_id}")
            return
        if isinstance(message, Command):
            self._obey(household, parts[2], message)
        else:
            household.promised(message)

    def _obey(self, household: Household, account: str, command: Command) -> None:
        home_id = household.home.plan.home_id
        self._catch_up(household)
        household.obey(account, command)
        if not household.at_rest and home_id not in self._watched:
            self.watch(home_id)
            self._watched[home_id].until_rest = True

    def fall_silent(self) -> None:
        """Every device loses its connection."""
        for household in self.households.values():
            household.fall_silent()

    @property
    def unacknowledged(self) -> int:
        """Alarms of all homes that the platform has not promised yet."""
        return sum(radio.unacknowledged for household in self.households.values() for radio in household.radios.values())
