"""What was last heard of each device: its order, its state, its valve, its clock. The line's memory and the rows of ``device_state``.

Reports count only in their order: an item older than the last one heard changes nothing here. A device that lost clock and counters is
believed again once it has spoken at its own pace for a while (:mod:`alarm_engine.device_clock`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from alarm_engine.device_clock import JUMP_MS, DeviceClock, Pace
from core.items import AckItem, AlarmItem, DetectorReading, Item, MeterReading, StatusItem

Order = tuple[int, int]


@dataclass(slots=True)
class DeviceView:
    """One device. Times ``*_ms`` are Unix ms, ``heard`` is monotonic seconds of the platform's clock."""

    device_id: str
    order: Order = (-1, -1)
    ts: int = 0
    heard: float = float("-inf")
    spoke: float = float("-inf")
    """As ``heard``, but in its order: what was kept somewhere and came late is heard and is no sign that it is there now."""
    heard_ms: int = 0
    lane: str = ""
    state: str | None = None
    ch4_lel: float | None = None
    normal: tuple[Order, int] | None = None
    valve: str | None = None
    cause: str | None = None
    volume_m3: float | None = None
    flow_m3h: float | None = None
    power: str | None = None
    battery_v: float | None = None
    credit_cny: float | None = None
    rssi_dbm: float | None = None
    online: bool | None = None
    model: str | None = None
    firmware: str | None = None
    connectivity: str | None = None
    report_interval_s: int | None = None
    register_step_m3: float | None = None
    clock_offset_ms: int | None = None
    flags: tuple[str, ...] = ()
    last_order_no: int = 0
    counter_resets: int = 0
    retained_items: int = 0
    still_since: int | None = None
    open_index: float | None = None
    flowed_at_closing: bool = False
    """Its index moved between its last report of an open valve and the first one of a closed one."""
    """Device time at which the index shown now was first seen."""
    clock: DeviceClock = field(default_factory=DeviceClock)
    pace: Pace | None = None

    def note(self, item: Item, lane: str, heard: float) -> bool:
        """Remember ``item``; returns whether it follows what was known. ``heard`` is monotonic seconds.

        A stored message (RETAIN) is old news of unknown age: counted, and nothing else. A status is exempt from order.
        """
        if isinstance(item, StatusItem):
            self._note_status(item, heard)
            return True
        if item.retained:
            self.retained_items += 1
            return False
        self.heard, self.heard_ms = heard, item.received_ms
        offset = heard * 1000.0 - item.ts
        if not self.clock.usual(offset, heard, item.boot):
            self._note_clock(item, offset, heard)
        order = (item.boot, item.seq)
        if order > self.order and item.boot >= 0 and item.seq >= 0:
            # Whoever counts on has not lost his counters, whatever else of his comes late.
            self.order, self.pace = order, None
        elif not self._in_order(item, heard):
            return False
        self.ts, self.lane, self.spoke = item.ts, lane, heard
        if isinstance(item, DetectorReading):
            self.state = item.state or self.state
            self.ch4_lel = self.ch4_lel if item.ch4_lel is None else item.ch4_lel
            self._note_common(item.power, item.battery_v, item.rssi_dbm)
        elif isinstance(item, MeterReading):
            if item.valve != "closed":
                self.open_index, self.flowed_at_closing = item.volume_m3, False
            elif self.open_index is not None and item.volume_m3 is not None:
                self.open_index, self.flowed_at_closing = None, item.volume_m3 != self.open_index
            self._note_valve(item.valve, item.cause)
            if item.volume_m3 is not None and item.volume_m3 != self.volume_m3:
                self.volume_m3, self.still_since = item.volume_m3, item.ts
            self.flow_m3h = self.flow_m3h if item.flow_m3h is None else item.flow_m3h
            self.credit_cny = self.credit_cny if item.credit_cny is None else item.credit_cny
            self.flags = item.flags
            self._note_common(None, item.battery_v, item.rssi_dbm)
        elif isinstance(item, AlarmItem):
            self.ch4_lel = self.ch4_lel if item.ch4_lel is None else item.ch4_lel
            self._note_valve(item.valve, item.cause)
            if item.event == "power_lost":
                self.power = "battery"
            elif item.event == "power_restored":
                self.power = "mains"
        elif isinstance(item, AckItem) and item.result == "done":
            self._note_valve(item.valve, "command" if item.valve == "closed" else None)
        return True

    def _note_clock(self, item: Item, offset: float, heard: float) -> None:
        clock = self.clock
        if clock.offset is None and self.clock_offset_ms is not None:
            # Stored before this process started.
            clock.take_up(heard * 1000.0 - item.received_ms + self.clock_offset_ms)
        if clock.changes(offset, heard, item.boot, item.received_ms - item.ts > JUMP_MS):
            self.clock_offset_ms = round(clock.of_wall(heard, item.received_ms))

    def _in_order(self, item: Item, heard: float) -> bool:
        """Whether an item whose counters do not go on follows all the same."""
        order = (item.boot, item.seq)
        if item.boot < 0 or item.seq < 0:
            # An item without an order must not make older ones look newer.
            return item.ts > self.ts
        if self.is_reset(item):
            self.counter_resets += 1
        if self.pace is None:
            self.pace = Pace()
        if not self.pace.live(order, item.ts, heard):
            return False
        # Not a backlog: it speaks now, by counters (and perhaps a clock) that went back.
        if order != self.order:
            self.counter_resets += 1
            self.normal = None
        self.order = order
        self.clock.start_again(heard, item.ts)
        self.clock_offset_ms = item.received_ms - item.ts
        return True

    def is_reset(self, item: Item) -> bool:
        """Whether its counters were set back: the last one's boot and count with another time."""
        return (item.boot, item.seq) == self.order and item.boot >= 0 and item.ts != self.ts

    def speaks_now(self, item: Item, heard: float) -> bool:
        """Whether an item that looks old goes on, at the pace of real time, from another that looked old: then it is not a backlog."""
        return self.pace is not None and self.pace.goes_on((item.boot, item.seq), item.ts, heard)

    def measured(self, ts: int) -> float:
        """When an item of this device time was measured, at the latest; monotonic seconds of the platform's clock."""
        return self.clock.measured(ts)

    def lost(self) -> None:
        """A last will, its own or its hub's: nobody knows whether it is there."""
        self.heard = self.spoke = float("-inf")

    def _note_status(self, item: StatusItem, heard: float) -> None:
        if not item.online:
            self.lost()
        elif not item.retained:
            self.heard, self.spoke, self.heard_ms = heard, heard, item.received_ms
        self.online = item.online
        self.model = item.model or self.model
        self.firmware = item.firmware or self.firmware
        self.connectivity = item.connectivity
        self.report_interval_s = item.report_interval_s or self.report_interval_s
        self.register_step_m3 = item.register_step_m3 or self.register_step_m3

    def _note_valve(self, valve: str | None, cause: str | None) -> None:
        if valve is not None:
            self.valve, self.cause = valve, cause

    def _note_common(self, power: str | None, battery_v: float | None, rssi_dbm: float | None) -> None:
        self.power = power or self.power
        self.battery_v = self.battery_v if battery_v is None else battery_v
        self.rssi_dbm = self.rssi_dbm if rssi_dbm is None else rssi_dbm

    def row(self) -> dict[str, object]:
        """The row of ``device_state``."""
        normal_order, normal_ts = self.normal if self.normal is not None else ((None, None), None)
        return {
            "device_id": self.device_id,
            "last_ts": self.ts,
            "last_boot": self.order[0],
            "last_seq": self.order[1],
            "heard_ms": self.heard_ms,
            "lane": self.lane,
            "state": self.state,
            "ch4_lel": self.ch4_lel,
            "normal_ts": normal_ts,
            "normal_boot": normal_order[0],
            "normal_seq": normal_order[1],
            "valve": self.valve,
            "cause": self.cause,
            "volume_m3": self.volume_m3,
            "flow_m3h": self.flow_m3h,
            "power": self.power,
            "battery_v": self.battery_v,
            "credit_cny": self.credit_cny,
            "rssi_dbm": self.rssi_dbm,
            "online": self.online,
            "model": self.model,
            "firmware": self.firmware,
            "connectivity": self.connectivity,
            "report_interval_s": self.report_interval_s,
            "register_step_m3": self.register_step_m3,
            "clock_offset_ms": self.clock_offset_ms,
            "flags": list(self.flags),
            "last_order_no": self.last_order_no,
            "counter_resets": self.counter_resets,
            "retained_items": self.retained_items,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "DeviceView":
        """The view of a row of ``device_state``, from the database or from a file of ours. Nothing was heard since we started."""
        view = cls(row["device_id"], **{name: row[name] for name in _PLAIN if name in row})
        view.order = (row["last_boot"], row["last_seq"])
        view.ts = row["last_ts"]
        view.flags = tuple(row["flags"])
        if row["normal_ts"] is not None:
            view.normal = ((row["normal_boot"], row["normal_seq"]), row["normal_ts"])
        return view


_PLAIN: Final = (
    "heard_ms",
    "lane",
    "state",
    "ch4_lel",
    "valve",
    "cause",
    "volume_m3",
    "flow_m3h",
    "power",
    "battery_v",
    "credit_cny",
    "rssi_dbm",
    "online",
    "model",
    "firmware",
    "connectivity",
    "report_interval_s",
    "register_step_m3",
    "clock_offset_ms",
    "last_order_no",
    "counter_resets",
    "retained_items",
)


@dataclass(slots=True)
class DeviceViews:
    """All devices heard of, and which of them changed since they were last stored."""

    views: dict[str, DeviceView] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)

    def of(self, device_id: str) -> DeviceView:
        """The view of a device, made when first asked for."""
        view = self.views.get(device_id)
        if view is None:
            view = self.views[device_id] = DeviceView(device_id)
        return view

    def take_changed(self) -> list[dict[str, object]]:
        """Rows to store; the caller gives them back with :meth:`put_back` when storing failed."""
        rows = [self.views[device_id].row() for device_id in self.changed]
        self.changed.clear()
        return rows

    def put_back(self, device_ids: list[str]) -> None:
        """Mark devices as not stored after all."""
        self.changed.update(device_ids)
