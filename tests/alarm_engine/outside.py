"""The machine's own account of what devices said, so that the engine is never asked whether the engine is right.

Each device has a clock of its own, which may be wrong by any amount; when something was really measured is kept here alone.
"""

import asyncio
import json
from dataclasses import replace
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from alarm_engine.engine import Engine
from alarm_engine.picture import Picture
from alarm_engine.recovery import restore, resume
from alarm_engine.reopening import Reopening
from alarm_engine.rows import Rows
from alarm_engine.state import LineState
from core.items import AckItem, AlarmItem, DetectorReading, Identity, Item, MeterReading
from core.station import LeakAgainMessage, OrderMessage
from tests.alarm_engine.stage import Stage

SET_POINT = 10.0
HOME_OF = {"D1": "H1", "D1B": "H1", "M1": "H1", "D2": "H2", "M2": "H2", "D3": "H3"}
METER_OF = {"H1": "M1", "H2": "M2"}
ACCOUNT = {"D2": "HUB", "M2": "HUB"}
DETECTORS = ["D1", "D1B", "D2", "D3"]
METERS = ["M1", "M2"]

detectors = st.sampled_from(DETECTORS)
meters = st.sampled_from(METERS)
choice = st.integers(0, 1_000_000)
SELF_PROTECTION = {"excess_flow", "long_use", "low_pressure", "low_battery", "tamper", "seismic"}
INSPECTION_ALONE = {"tamper", "seismic"}


class Said:
    """What one device has said so far, by this machine's own account: its counters, its last word on its valve, its last normal."""

    def __init__(self) -> None:
        self.boot = 1
        self.seq = 0
        self.skew_ms = 0
        self.order = (-1, -1)
        self.ts = 0
        self.valve: str | None = None
        self.normal: tuple[tuple[int, int], int] | None = None

    def hears(self, item: Item) -> bool:
        """Whether the item is in order; an item that is not says nothing new."""
        if (item.boot, item.seq) <= self.order:
            return False
        self.order, self.ts = (item.boot, item.seq), item.ts
        return True


class Outside(RuleBasedStateMachine):
    """Hands items to the engine and checks at once what each of them may and must cause."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage()
        self.reopening = Reopening(self.stage.engine)
        self.loop = asyncio.new_event_loop()
        self.said = {device: Said() for device in HOME_OF}
        self.sent: list[tuple[Item, str]] = []
        self.taken: list[Item] = []
        self.held: list[tuple[Item, str]] = []
        self.proven: set[str] = set()  # homes whose meter said closed, after a close of the open incident, and not open since
        self.guarded: set[str] = set()  # homes that had a leak, and whose meter has not legitimately opened since
        self.ended: set[UUID] = set()
        self.stepped_ms = 0
        self.born: dict[Identity, float] = {}
        self.holds: dict[str, set[tuple[str, str]]] = {home: set() for home in ("H1", "H2", "H3")}
        self.last_leak: dict[str, float] = {}  # homes, and when their last leak item came
        self.heard: dict[str, float] = {}
        self.opened_rightly: set[UUID] = set()
        self.volume = dict.fromkeys(METERS, 1.0)
        self.lost_seq = 0
        self.looked_old: set[str] = set()
        self.ids = 0
        self.checked = 0
        self.durable: set[Identity] = set()

        for meter in METERS:  # their clocks are known to the platform; that of a meter never heard of is a story of its own
            reading = MeterReading(**self.item_fields(meter), volume_m3=1.0, flow_m3h=0.0, valve="unknown")
            self.deliver(reading, "telemetry")

    def some_id(self) -> UUID:
        """An id that the line did not make; the same in every run."""
        self.ids += 1
        return UUID(int=self.ids << 64, version=4)

    def teardown(self) -> None:
        self.loop.close()

    # -- what the machine itself knows -----------------------------------------------------------------------------------------

    def item_fields(self, device: str) -> dict[str, Any]:
        said = self.said[device]
        said.seq += 1
        now = self.stage.clock.now_ms()
        ts = now - self.stepped_ms + said.skew_ms
        self.born[device, ts, said.boot, said.seq] = self.stage.clock.monotonic()
        return {
            "account": ACCOUNT.get(device, device),
            "device_id": device,
            "ts": ts,
            "boot": said.boot,
            "seq": said.seq,
            "received_ms": now,
        }

    def deliver(self, item: Item, lane: str) -> None:
        """The platform receives an item, now."""
        item = replace(item, received_ms=self.stage.clock.now_ms())
        self.sent.append((item, lane))
        self.taken.append(item)
        home = HOME_OF.get(item.device_id)
        placed = home is not None and item.account == ACCOUNT.get(item.device_id, item.device_id)
        leak = is_leak(item)
        past = placed and leak and self.is_past(item)
        repeat = any(item.identity == other.identity and type(item) is type(other) for other in self.taken[:-1])
        acknowledged_before = len(self.stage.acknowledged)
        told_before = len(self.stage.ports.told)
        written_before = len(self.stage.ports.written)
        before = len(self.stage.ports.log)
        commands_before = len(self.stage.ports.commands)
        self.stage._take(item, lane)
        effects = self.stage.ports.log[before:]
        commands = self.stage.ports.commands[commands_before:]
        assert all(message.command in ("close_valve", "report") for _, message in commands)
        commands = [command for command in commands if command[1].command == "close_valve"]
        if not leak:
            # Gas that flows behind a closed valve is the one other ground, and a close that was forgotten.
            assert not commands or isinstance(item, MeterReading), "what is no leak closed a valve"
            told = self.stage.ports.told[told_before:]
            told_as_one = any(isinstance(message, OrderMessage | LeakAgainMessage) for message in told)
            assert not told_as_one or self.is_of_a_forgotten_close(item), "what is no leak was told as one"
        if isinstance(item, AlarmItem) and placed and not self.stage.ports.database_up and item.identity not in self.durable:
            assert len(self.stage.acknowledged) == acknowledged_before, "acknowledged before it was durable"
        if repeat and isinstance(item, AlarmItem):
            assert effects == [], "a duplicate had an effect"
            assert len(self.stage.ports.written) == written_before
        if leak and commands:
            assert effects[0] == "command:close_valve", "something went before the close"
        if self.stage.ports.database_up:
            self.durable.update(other.identity for other in self.taken)
        if placed and home is not None:
            fresh = not item.retained and self.said[item.device_id].hears(item)
            if not item.retained:
                self.heard[item.device_id] = self.stage.clock.monotonic()
            if not fresh and not item.retained and not repeat:
                self.looked_old.add(item.device_id)
            self.learn(item, home, fresh)
            if past:
                # After another item that looked old it may be one of a detector that lost its counters: in doubt, close.
                assert not commands or item.device_id in self.looked_old, "what is over closed a valve"
            elif leak and not repeat:
                self.last_leak[home] = self.stage.clock.monotonic()
                self.must_guard(home)
        elif leak:
            assert not commands, "a sender that cannot be placed closed a valve"

    def learn(self, item: Item, home: str, newer: bool) -> None:
        said = self.said[item.device_id]
        if newer and is_normal(item):
            said.normal = (said.order, said.ts)
        valve = item.valve if isinstance(item, MeterReading | AlarmItem | AckItem) else None
        if item.device_id != METER_OF.get(home) or item.retained:
            return
        if newer and isinstance(item, MeterReading | AlarmItem):
            self.learn_holds(item, home)
        if isinstance(item, AckItem):
            if item.result == "done" and valve is not None and newer:
                said.valve = valve
            known = any((m.command_id, m.device_id) == (item.command_id, item.device_id) for _, m in self.stage.ports.commands)
            if not known and not self.is_of_a_forgotten_close(item):
                return
            stale_closed = not newer and said.valve == "open"
            if item.result == "done" and item.command == "close_valve" and valve in (None, "closed") and not stale_closed:
                self.proven.add(home)
            elif newer and valve == "open":
                self.opened_by_itself(home)
        elif newer and valve is not None:
            said.valve = valve
            if valve == "closed" and self.follows_the_close(item):
                self.proven.add(home)
            elif valve == "open":
                self.opened_by_itself(home)

    def follows_the_close(self, item: Item) -> bool:
        """Whether it was really measured after the newest close to this meter was first sent."""
        sent: dict[UUID, float] = {}
        for (_, message), at in zip(self.stage.ports.commands, self.stage.ports.sent_at, strict=True):
            if message.device_id == item.device_id and message.command == "close_valve":
                sent.setdefault(message.command_id, at)
        return not sent or self.born[item.identity] >= max(sent.values()) - 0.005

    def is_of_a_forgotten_close(self, item: Item) -> bool:
        return isinstance(item, AckItem) and item.incident_id is not None and item.command == "close_valve" and item.command_id.version == 4

    def learn_holds(self, item: MeterReading | AlarmItem, home: str) -> None:
        """The table of holds, in the machine's own words."""
        held = self.holds[home]
        credit = item.credit_cny if isinstance(item, MeterReading) else None
        if credit is not None and credit <= 0:
            held.add(("arrears", ""))
        if item.valve == "closed" and item.cause == "arrears" and (credit is None or credit <= 0):
            held.add(("arrears", ""))
        if item.valve == "closed" and item.cause in SELF_PROTECTION:
            held.add(("self_protection", item.cause))
        if credit is not None and credit > 0:
            held.discard(("arrears", ""))
        # That a leak sets the safety hold, and what lifts it, is checked where it happens.
        safety = ("safety", "") in self.stage.state.holds.get(home, {})
        if item.valve == "open" and not safety and {hold for hold, _ in held} <= {"self_protection"}:
            held -= {("self_protection", cause) for cause in SELF_PROTECTION - INSPECTION_ALONE}

    def opened_by_itself(self, home: str) -> None:
        """A valve that was proven closed is open again, by whomever: until the next leak item nothing has to be done."""
        if home in self.proven:
            self.guarded.discard(home)
        self.proven.discard(home)

    # -- another life ------------------------------------------------------------------------------------------------------------

    def rows_of_this_life(self) -> Picture:
        """What is left of it: rows as JSON. A run over the real journal would read them from there."""
        picture = Picture()
        for rows in self.stage.ports.written:
            picture.fold(json_rows(rows))
        return picture

    def start_again(self, with_snapshot: bool) -> None:
        """Everything in memory is gone; what is written down is taken up."""
        before = self.stage.state
        picture = self.rows_of_this_life()
        picture.devices = {name: json.loads(json.dumps(view.row())) for name, view in before.devices.views.items()}
        if with_snapshot:
            picture.memory = {str(i.incident_id): json.loads(json.dumps(i.memory())) for i in before.incidents.values()}
        state = LineState(self.stage.clock, before.settings, down=self.stage.ports, keeper=self.stage.ports)
        state.registry.take_over(before.registry)
        self.stage.state, self.stage.engine = state, Engine(state)
        self.reopening = Reopening(self.stage.engine)
        restore(self.stage.engine, picture)
        resume(self.stage.engine)
        for device in self.heard:
            self.heard[device] = float("-inf")

    def is_past(self, item: Item) -> bool:
        normal = self.said[item.device_id].normal
        return normal is not None and (item.boot, item.seq) < normal[0] and item.ts <= normal[1]

    def open_homes(self) -> set[str]:
        return {place for place, incident in self.stage.state.open_by_place.items() if incident.kind == "leak"}

    def must_guard(self, home: str, fresh: bool = True) -> None:
        assert home in self.open_homes(), "a leak of a known home left it without an incident"
        incident = self.stage.state.open_by_place[home]
        if home in METER_OF:
            self.guarded.add(home)
            if not incident.is_closed and fresh:
                # A leak, and nothing proves that the valve is shut: a close is on its way right now.
                record = incident.close
                assert record is not None
                assert record.under_way, record.state


def json_rows(rows: Rows) -> Rows:
    """Rows as they come back from a file."""

    def plain(value: Any) -> Any:
        return json.loads(json.dumps(value, ensure_ascii=False))

    return Rows(
        incidents={key: plain(row) for key, row in rows.incidents.items()},
        commands={key: plain(row) for key, row in rows.commands.items()},
        alarms=plain(rows.alarms),
        events=plain(rows.events),
        outbox=plain(rows.outbox),
        holds={key: plain(row) for key, row in rows.holds.items()},
        aliases=plain(rows.aliases),
    )


def is_leak(item: Item) -> bool:
    """The rule of the design, in its own words."""
    if isinstance(item, AlarmItem):
        return item.event == "leak" or (item.ch4_lel is not None and item.ch4_lel >= SET_POINT)
    if isinstance(item, DetectorReading):
        over = item.ch4_lel is not None and item.ch4_lel >= SET_POINT
        return item.state == "alarm" or (over and item.state not in ("preheat", "self_test"))
    return False


def is_normal(item: Item) -> bool:
    if isinstance(item, AlarmItem):
        return item.event == "leak_cleared" and (item.ch4_lel is None or item.ch4_lel < SET_POINT)
    return isinstance(item, DetectorReading) and item.state == "normal" and item.ch4_lel is not None and item.ch4_lel < SET_POINT
