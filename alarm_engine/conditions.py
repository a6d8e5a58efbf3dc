"""Which homes cannot detect (blind), are not heard (silent) or have no mains (powerless): counted, written down, and ended when over.

Silence is unknown, never normal, and it is measured in time in which we could hear: while the telemetry link is down, or this process
stands still, nobody's silence grows. Decides nothing on leaks and sends nothing to devices. Restarting gives every device its full
time again; what was in force before stays in force until the device itself says otherwise (:meth:`Conditions.take`).
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, LiteralString
from uuid import UUID

from alarm_engine.condition_book import ConditionBook, Held, Watch, row
from alarm_engine.dark_buildings import Building, building_of
from alarm_engine.due_wheel import DueWheel
from alarm_engine.judgement.conditions import ClockBounds, Condition, power, sight, silent_after_s
from alarm_engine.registry_view import Placed
from alarm_engine.rows import Row
from alarm_engine.state import LineState
from core import collector
from core.ids import is_reserved
from core.items import AlarmItem, Item, StatusItem
from core.registry.model import Device

CONDITIONS_IN_FORCE: Final[LiteralString] = "SELECT * FROM home_conditions WHERE ended_ms IS NULL ORDER BY since_ms"

_MOST_A_TICK: Final = 1_000
_MOST_ENLISTED: Final = 300
_STOOD_STILL_S: Final = 5.0


class Conditions:
    """The watch over all devices of all homes. ``listening`` says whether telemetry can reach us now (its link is up)."""

    def __init__(self, state: LineState, listening: Callable[[], bool]) -> None:
        settings = state.settings
        self._state = state
        self._listening = listening
        self._bounds = ClockBounds(settings.future_reading_s * 1000, settings.oldest_reading_days)
        self._watches: dict[str, Watch] = {}
        self._wheel: DueWheel[Watch] = DueWheel()
        self._heating: deque[tuple[float, Watch]] = deque()
        self._hubs_gone: dict[str, tuple[float, int]] = {}
        self._lost: deque[tuple[str, str]] = deque()
        self._listened = 0.0
        self._ticked: tuple[float, float] | None = None
        self._enlisting: Iterator[Device] | None = None
        self._enlisted_version = -1
        self._counting: dict[Building, int] = {}
        self._book = ConditionBook(state)

    # -- what is heard ---------------------------------------------------------------------------------------------------------

    def heard(self, item: Item, placed: Placed) -> None:
        """An item was taken by the engine (call it after :meth:`Engine.take`). A few microseconds, whatever the number of devices."""
        device = placed.device
        if device is None or not placed.believed:
            return
        if isinstance(item, StatusItem):
            self._status(item, device)
            return
        if item.retained:
            # A stored message says nothing of who is there now.
            return
        watch = self._watches.get(item.device_id) or self._enlist(device)
        if watch is None:
            return
        self._spoke(watch, item.received_ms)
        if not watch.detector and not isinstance(item, AlarmItem):
            return
        view = self._state.devices.views.get(item.device_id)
        if view is not None and view.ts != item.ts:
            # Delivered late: something newer was said since.
            return
        if watch.detector:
            self._sight(watch, item)
        self._power(watch, item)

    def _spoke(self, watch: Watch, at_ms: int) -> None:
        watch.heard = self._listened
        watch.spoke = True
        if watch.slot is None:
            self._book.end(watch, "silent", at_ms)
            watch.slot = self._wheel.put(watch, self._listened + self._patience_s(watch))

    def _status(self, item: StatusItem, device: Device) -> None:
        if device.kind == "hub":
            if item.online:
                # Its devices stay unknown until each is heard again.
                self._hubs_gone.pop(device.device_id, None)
            else:
                self._hubs_gone[device.device_id] = (self._listened, item.received_ms)
                self._lost.extend((device.device_id, device_id) for device_id in self._state.registry.served_by(device.device_id))
            return
        watch = self._watches.get(device.device_id) or self._enlist(device)
        if watch is None:
            return
        if not item.online:
            self._fall_silent(watch, "will", item.received_ms)
            return
        if not item.retained:
            self._spoke(watch, item.received_ms)
        if watch.slot is not None and item.report_interval_s is not None:
            # Its own interval, from now on; the former place in the wheel is passed over.
            watch.slot = self._wheel.put(watch, watch.heard + self._patience_s(watch))

    def _sight(self, watch: Watch, item: Item) -> None:
        said = sight(item, self._bounds)
        if said is None:
            return
        if said == "sees":
            watch.sees, watch.heats_since = True, None
            if watch.held:
                self._book.end(watch, "blind", item.received_ms)
        elif said == "preheat":
            if watch.heats_since is None:
                watch.heats_since = self._listened
                self._heating.append((self._listened, watch))
            elif self._listened - watch.heats_since > self._state.settings.blind_after_preheat_s:
                self._book.begin(watch, "blind", "preheat", item.received_ms)
        elif said == "fault_cleared":
            if (blind := watch.held.get("blind")) is not None and blind.cause == "fault":
                self._book.end(watch, "blind", item.received_ms)
        else:
            watch.sees, watch.heats_since = False, None
            self._book.begin(watch, "blind", said, item.received_ms)

    def _power(self, watch: Watch, item: Item) -> None:
        said = power(item)
        if said == "mains":
            watch.mains = True
            if watch.held:
                self._book.end(watch, "powerless", item.received_ms)
        elif said is not None:
            watch.mains = False
            self._book.begin(watch, "powerless", said, item.received_ms)

    # -- time ------------------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Once a second: whose silence became too long, whose preheat lasts; write down what began and ended. Bounded, some ms at most.

        Whom to watch is told by :meth:`enlist`, on the line's faster timer.
        """
        self._listen()
        self._hubs_lost()
        for slot, watch in self._wheel.turn(self._listened, _MOST_A_TICK):
            if watch.slot == slot:
                self._look(watch)
        self._heat()
        self._book.tick()

    def _listen(self) -> None:
        now, real = self._state.clock.monotonic(), time.monotonic()
        if not self._listening():
            self._ticked = None
            return
        # A process that was stopped heard nothing meanwhile, whatever its clock says.
        if self._ticked is not None and real - self._ticked[1] < _STOOD_STILL_S:
            self._listened += now - self._ticked[0]
        self._ticked = (now, real)

    def _look(self, watch: Watch) -> None:
        if self._watches.get(watch.device_id) is not watch:
            return
        due = watch.heard + self._patience_s(watch)
        if due > self._listened:
            watch.slot = self._wheel.put(watch, due)
            return
        view = self._state.devices.views.get(watch.device_id)
        known = watch.spoke or (view is not None and view.heard_ms > 0)
        self._fall_silent(watch, "no_report" if known else "never_heard", self._state.clock.now_ms())

    def _fall_silent(self, watch: Watch, cause: str, at_ms: int) -> None:
        watch.slot = None
        self._book.begin(watch, "silent", cause, at_ms)

    def _patience_s(self, watch: Watch) -> float:
        view, settings = self._state.devices.views.get(watch.device_id), self._state.settings
        return silent_after_s(
            None if view is None else view.connectivity,
            None if view is None else view.report_interval_s,
            usual_s=settings.report_interval_s,
            usual_psm_s=settings.psm_report_interval_s,
            intervals=settings.silent_after_intervals,
        )

    def _heat(self) -> None:
        """The deadline is the same for all, so that the first to heat is the first that is due."""
        before = self._listened - self._state.settings.blind_after_preheat_s
        for _ in range(_MOST_A_TICK):
            if not self._heating or self._heating[0][0] > before:
                return
            since, watch = self._heating.popleft()
            if watch.heats_since == since:
                watch.sees = False
                self._book.begin(watch, "blind", "preheat", self._state.clock.now_ms())

    def _hubs_lost(self) -> None:
        for _ in range(min(_MOST_A_TICK, len(self._lost))):
            hub, device_id = self._lost.popleft()
            gone, device = self._hubs_gone.get(hub), self._state.registry.devices[device_id]
            watch = self._watches.get(device_id) or self._enlist(device)
            if gone is not None and watch is not None and device.account == hub and (watch.heard <= gone[0] or not watch.spoke):
                if self._state.settings.exercise_hub_loss_unseen and self._state.registry.homes[watch.home_id].simulated:
                    continue
                self._fall_silent(watch, "hub_will", gone[1])

    # -- who is watched --------------------------------------------------------------------------------------------------------

    def enlist(self) -> None:
        """Follow the registry, a piece of a millisecond or two at a time; call it often, a city is a thousand pieces."""
        registry = self._state.registry
        if registry.version != self._enlisted_version:
            self._enlisted_version = registry.version
            self._enlisting = iter(list(registry.devices.values()))
            self._counting = {}
        if self._enlisting is None:
            return
        for _ in range(_MOST_ENLISTED):
            device = next(self._enlisting, None)
            if device is None:
                self._enlisting, self._book.sizes = None, self._counting
                break
            watch = self._enlist(device)
            # A home is counted with its first detector.
            if watch is not None and registry.detectors.get(watch.home_id, ())[:1] == (device.device_id,):
                building = building_of(registry.homes[watch.home_id])
                self._counting[building] = self._counting.get(building, 0) + 1
        if len(self._watches) >= collector.MANY:
            collector.let_be()

    def _enlist(self, device: Device) -> Watch | None:
        home = None if device.home_id is None else self._state.registry.homes.get(device.home_id)
        watch = self._watches.get(device.device_id)
        wanted = home is not None and not home.retired and not device.retired and not is_reserved(device.device_id)
        if watch is not None and (home is None or not wanted or watch.home_id != home.home_id):
            for condition in tuple(watch.held):
                self._book.end(watch, condition, self._state.clock.now_ms())
            del self._watches[device.device_id]
            watch = None
        if wanted and home is not None and watch is None:
            watch = self._watches[device.device_id] = Watch(device.device_id, home.home_id, device.kind == "detector", self._listened)
            watch.slot = self._wheel.put(watch, self._listened + self._patience_s(watch))
        return watch

    def take(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Conditions in force (rows of ``CONDITIONS_IN_FORCE``, or :meth:`in_force` of a snapshot) from before this process started.

        To be called after the registry is there: once at the start with what there is, and again when the database is read later.
        What a device has said meanwhile is believed against its row, which is then ended.
        """
        now_ms = self._state.clock.now_ms()
        for given in rows:
            condition: Condition = given["condition"]
            device = self._state.registry.devices.get(given["device_id"])
            watch = None if device is None else self._watches.get(device.device_id) or self._enlist(device)
            key = given["condition_id"] if isinstance(given["condition_id"], UUID) else UUID(given["condition_id"])
            held = Held(key, given["cause"], given["since_ms"])
            if watch is None or watch.home_id != given["home_id"]:
                self._book.note(given["home_id"], given["device_id"], condition, held, now_ms)
            elif (own := watch.held.get(condition)) is not None:
                if own.condition_id != key:
                    self._book.note(watch.home_id, watch.device_id, condition, held, own.since_ms)
            elif {"silent": watch.spoke, "blind": watch.sees, "powerless": watch.mains}[condition]:
                self._book.note(watch.home_id, watch.device_id, condition, held, now_ms)
            else:
                self._book.hold(watch, condition, held)
                if condition == "silent":
                    watch.slot = None
                elif condition == "powerless":
                    self._book.dark.was_lost(self._state.registry.homes[watch.home_id])

    def in_force(self) -> list[Row]:
        """Rows of all conditions in force now, for a snapshot."""
        return [
            row(watch.home_id, watch.device_id, condition, held, None)
            for watch in self._watches.values()
            for condition, held in watch.held.items()
        ]

    def homes(self, condition: Condition) -> int:
        """How many homes are in this condition now."""
        return self._book.homes(condition)
