"""All simulated homes of a platform and the time that passes in them.

Decides when each home reports, how fast its world runs against the clock (faster only while gas gathers before an alarm, and while a
room is aired), and which home a message from the platform belongs to. Refuses to know the broker: ``send`` is given, and
:mod:`simulator.world.radio` brings what arrives.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Iterable
from functools import partial

from pydantic import ValidationError

from core.clock import Clock
from core.messages import Command, DownAck
from simulator.narration import Narrate, compressed
from simulator.world.home import SimulatedHome
from simulator.world.household import Household
from simulator.world.hub import Hub
from simulator.world.record import Leak, WorldRecord
from simulator.world.stranger import Stranger
from simulator.world.transmitter import Send
from simulator.world.watch import TICK_S, Watch

__all__ = ["INTRODUCTION_S", "TICK_S", "Town"]

INTRODUCTION_S = 10.0
"""Two hundred homes introduce themselves within this time, fewer in less."""
_SAFE_LEL = 1.0


class Town:
    """The homes, their record and their agenda. :meth:`begin`, then :meth:`run` (or :meth:`tick` by a clock of your own)."""

    def __init__(self, homes: Iterable[SimulatedHome], *, seed: int, boot: int, clock: Clock, send: Send, narrate: Narrate) -> None:
        self.record = WorldRecord()
        self.clock = clock
        self.strangers: dict[str, Stranger] = {}
        self._seed, self._boot, self._send = seed, boot, send
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._onlookers: list[Callable[[], None]] = []
        self._watch = Watch(clock)
        self.households = {
            home.plan.home_id: Household(home, boot=boot, clock=clock, send=send, after=self.after, record=self.record, narrate=narrate)
            for home in homes
        }
        self._by_device = {d: household for household in self.households.values() for d in household.places}
        self.hubs = self._hubs()

    def _hubs(self) -> dict[str, Hub]:
        hubs: dict[str, Hub] = {}
        for household in self.households.values():
            for account in {place.hub for place in household.places.values()} - {None}:
                hub = hubs.setdefault(str(account), Hub(str(account), self._boot, self.clock, self._send))
                hub.households.append(household)
        return hubs

    # --- time -----------------------------------------------------------------------------------------------

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Do ``what`` at the first tick ``seconds`` clock seconds from now."""
        heapq.heappush(self._agenda, (self.clock.monotonic() + seconds, next(self._order), what))

    def attend(self, onlooker: Callable[[], None]) -> None:
        """Call ``onlooker`` at the end of every tick from now on."""
        self._onlookers.append(onlooker)

    def begin(self) -> None:
        """Every hub and device introduces itself and reports, spread over the first seconds, then at its interval."""
        spread_s = len(self.households) * INTRODUCTION_S / 200
        for hub in self.hubs.values():
            hub.introduce()
        for home_id, household in self.households.items():
            self._watch.begin(home_id)
            dice = random.Random(f"{self._seed}/{home_id}/spread")
            first_s = dice.uniform(0.0, min(INTRODUCTION_S, spread_s, household.home.traits.telemetry_s))
            self.after(first_s, partial(self._introduce, household))

    def _introduce(self, household: Household) -> None:
        household.introduce()
        if household.home.traits.meter_telemetry_s is None:
            self._report(household, household.report, household.home.traits.telemetry_s)
        else:
            self._report(household, household.report_detectors, household.home.traits.telemetry_s)
            self._report(household, household.report_meter, household.home.traits.meter_interval_s)

    def _report(self, household: Household, report: Callable[[], None], every_s: float) -> None:
        self._watch.catch_up(household)
        report()
        self.after(every_s, lambda: self._report(household, report, every_s))

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
        self._watch.tick()
        for household in self.households.values():
            household.keep_up()
        for stranger in self.strangers.values():
            stranger.keep_up()
        for onlooker in self._onlookers:
            onlooker()

    def watch(self, home_id: str) -> None:
        """Step this home finely from now on."""
        self._watch.watch(self.households[home_id])

    def unwatch(self, home_id: str) -> None:
        """Step this home only when it reports."""
        self._watch.unwatch(home_id)

    # --- what is done to a home -----------------------------------------------------------------------------

    def start_leak(self, home_id: str, leak_m3h: float, *, shown_s: float, rate: float | None = None) -> Leak:
        """Gas begins to escape; the time until the detector alarms is compressed to about ``shown_s`` and said so.

        ``rate`` compresses by this factor instead.
        """
        household = self.households[home_id]
        watched = self._watch.watch(household)
        household.home.begin_leak(leak_m3h)
        household.incident_id = None
        leak = household.leak = Leak(home_id, self.clock.now_ms())
        self.record.leaks.append(leak)
        gathers_s = household.home.seconds_to_alarm()
        if gathers_s is None:
            watched.gather_at(1.0)
            household.tell("少量燃气逸出，达不到报警设定值", "a little gas escapes, too little for the set-point")
            return leak
        watched.gather_at(max(1.0, gathers_s / shown_s) if rate is None else rate)
        zh, en = compressed(gathers_s, gathers_s / watched.rate)
        household.tell(
            f"{household.home.plan.address_zh}：燃气泄漏 {leak_m3h:g} 立方米/小时，积聚约 {zh}",
            f"{household.home.plan.address_en}: gas escapes at {leak_m3h:g} m3/h and gathers for about {en}",
        )
        return leak

    def air(self, home_id: str, *, shown_s: float) -> float:
        """Windows and door wide open; the clearing is compressed to about ``shown_s``. Returns the seconds that it stands for."""
        household = self.households[home_id]
        watched = self._watch.watch(household)
        household.home.open_windows()
        clears_s = household.home.seconds_to_clear(_SAFE_LEL)
        watched.rate = max(1.0, clears_s / shown_s)
        return clears_s

    def repair(self, home_id: str) -> None:
        """The leak is mended, the riser is open and the windows are shut; the home's time runs as the clock again."""
        self.households[home_id].home.repair()
        if home_id in self._watch:
            self._watch[home_id].rate = 1.0

    def close_riser(self, home_id: str) -> None:
        """A person shuts the riser valve outside: whatever leaks in this home, before its meter or behind it, gets no more gas."""
        household = self.households[home_id]
        self._watch.watch(household)
        household.home.close_riser()

    def close_by_hand(self, home_id: str) -> bool:
        """A person turns the meter's valve shut. Returns whether it was open."""
        self.watch(home_id)
        return self.households[home_id].close_by_hand()

    def wake_meter(self, home_id: str) -> None:
        """A touch at the meter lights its display, and it reports: one that sleeps hears for a moment."""
        self._watch.catch_up(self.households[home_id])
        self.households[home_id].report_meter()

    def press_key(self, home_id: str) -> bool:
        """A person presses the key at the meter. Returns whether an order to open waited for it."""
        self.watch(home_id)
        return self.households[home_id].press_key()

    def set_credit(self, home_id: str, credit_cny: float) -> None:
        """So much prepaid credit is left; the meter reports it, and closes for arrears where none is."""
        household = self.households[home_id]
        self._watch.watch(household)
        household.home.set_credit(credit_cny)
        household.report_meter()
        household.tell(f"预付余额 {credit_cny:g} 元", f"{credit_cny:g} yuan of prepaid credit are left")

    def pay(self, home_id: str, paid_cny: float) -> None:
        """Its people pay so many yuan."""
        meter = self.households[home_id].home.meter
        self.households[home_id].tell(f"缴费 {paid_cny:g} 元", f"{paid_cny:g} yuan are paid")
        self.set_credit(home_id, (0.0 if meter is None else meter.credit_cny or 0.0) + paid_cny)

    def deliver_late(self, home_id: str, hours: float) -> None:
        """The home's first detector delivers a leak that it measured so long ago, in the boot before this one."""
        household = self.households[home_id]
        device_id = next(iter(household.home.detectors))
        measured_ms = self.clock.now_ms() - round(hours * 3_600_000)
        household.radios[device_id].late_alarm("leak", ts=measured_ms, ch4_lel=14.0)
        self.record.late_alarms.append((home_id, measured_ms))
        household.tell(
            f"探测器补报 {hours:g} 小时前的泄漏，此后早已恢复正常",
            f"the detector delivers a leak of {hours:g} hours ago; it has long been normal since",
        )

    def stranger_leaks(self, account: str, devices: int) -> Stranger:
        """An account that no registry knows reports a leak of each of its devices."""
        stranger = self.strangers.get(account)
        if stranger is None:
            stranger = self.strangers[account] = Stranger(account, devices, self._boot, self.clock, self._send)
            self.record.strangers.append(account)
        stranger.leak()
        return stranger

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
        if parts[2] in self.strangers:
            self.strangers[parts[2]].hear(message)
            return
        household = self._by_device.get(message.device_id)
        if household is None:
            return
        if household.places[message.device_id].account != parts[2]:
            self.record.misdelivered.append(f"{topic}: {message.device_id}")
            return
        self._say(household, parts[2], message)

    def _say(self, household: Household, account: str, message: Command | DownAck) -> None:
        """Bring a message to its device, as far as it can be reached: behind its hub, and where it sleeps."""
        # open_valve travels with QoS 0: nobody keeps it for a device that is not there.
        kept = not (isinstance(message, Command) and message.command == "open_valve")

        def arrive() -> None:
            if message.device_id == household.meter_id:
                household.modem.hear(self.clock.monotonic(), what, kept=kept)
            else:
                what()

        def what() -> None:
            if isinstance(message, Command):
                self._obey(household, account, message)
            else:
                household.promised(message)

        hub = self.hubs.get(account)
        if hub is None:
            arrive()
        else:
            hub.hear(arrive, kept=kept)

    def _obey(self, household: Household, account: str, command: Command) -> None:
        self._watch.catch_up(household)
        household.obey(account, command)
        if not household.at_rest:
            self._watch.watch(household, until_rest=True)

    def fall_silent(self) -> None:
        """Every device and every hub loses its connection."""
        for household in self.households.values():
            household.fall_silent()
        for hub in self.hubs.values():
            hub.lose_connection()

    @property
    def unacknowledged(self) -> int:
        """Alarms of all homes that the platform has not promised yet."""
        return sum(radio.unacknowledged for household in self.households.values() for radio in household.radios.values())
