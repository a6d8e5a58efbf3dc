"""The machine's own account of what devices said, so that the engine is never asked whether the engine is right."""

import asyncio
from dataclasses import replace
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

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


class Said:
    """What one device has said so far, by this machine's own account: its counters, its last word on its valve, its last normal."""

    def __init__(self) -> None:
        self.seq = 0
        self.order = (-1, -1)
        self.ts = 0
        self.valve: str | None = None
        self.normal: tuple[tuple[int, int], int] | None = None

    def hears(self, item: Item) -> bool:
        """Whether the item is in order; an item that is not says nothing new."""
        if (item.boot, item.seq) <= self.order and item.ts <= self.ts:
            return False
        self.order, self.ts = (item.boot, item.seq), item.ts
        return True


class Outside(RuleBasedStateMachine):
    """Hands items to the engine and checks at once what each of them may and must cause."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage()
        self.loop = asyncio.new_event_loop()
        self.said = {device: Said() for device in HOME_OF}
        self.sent: list[tuple[Item, str]] = []
        self.taken: list[Item] = []
        self.held: list[tuple[Item, str]] = []
        self.proven: set[str] = set()  # homes whose meter said closed, after a close of the open incident, and not open since
        self.guarded: set[str] = set()  # homes that had a leak, and whose meter has not legitimately opened since
        self.ended: set[UUID] = set()
        self.durable: set[Identity] = set()

    def teardown(self) -> None:
        self.loop.close()

    # -- what the machine itself knows -----------------------------------------------------------------------------------------

    def item_fields(self, device: str) -> dict[str, object]:
        said = self.said[device]
        said.seq += 1
        now = self.stage.clock.now_ms()
        return {
            "account": ACCOUNT.get(device, device),
            "device_id": device,
            "ts": now,
            "boot": 1,
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
        assert all(message.command == "close_valve" for _, message in commands)
        if not leak:
            assert not commands, "what is no leak closed a valve"
            told = self.stage.ports.told[told_before:]
            assert not any(isinstance(message, OrderMessage | LeakAgainMessage) for message in told), "what is no leak was told as one"
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
            newer = self.said[item.device_id].hears(item)
            self.learn(item, home, newer)
            if past:
                assert not commands, "what is over closed a valve"
            elif leak and not repeat:
                self.must_guard(home)
        elif leak:
            assert not commands, "a sender that cannot be placed closed a valve"

    def learn(self, item: Item, home: str, newer: bool) -> None:
        said = self.said[item.device_id]
        if newer and is_normal(item):
            said.normal = (said.order, said.ts)
        valve = item.valve if isinstance(item, MeterReading | AlarmItem | AckItem) else None
        if item.device_id != METER_OF.get(home):
            return
        if isinstance(item, AckItem):
            if item.result == "done" and valve is not None and newer:
                said.valve = valve
            known = any((m.command_id, m.device_id) == (item.command_id, item.device_id) for _, m in self.stage.ports.commands)
            if not known:
                return
            stale_closed = not newer and said.valve == "open"
            if item.result == "done" and item.command == "close_valve" and valve in (None, "closed") and not stale_closed:
                self.proven.add(home)
            elif newer and valve == "open":
                self.opened_by_itself(home)
        elif newer and valve is not None:
            said.valve = valve
            if valve == "closed":
                self.proven.add(home)
            elif valve == "open":
                self.opened_by_itself(home)

    def opened_by_itself(self, home: str) -> None:
        """A valve that was proven closed is open again, by whomever: until the next leak item nothing has to be done."""
        if home in self.proven:
            self.guarded.discard(home)
        self.proven.discard(home)

    def is_past(self, item: Item) -> bool:
        normal = self.said[item.device_id].normal
        return normal is not None and (item.boot, item.seq) < normal[0] and item.ts <= normal[1]

    def open_homes(self) -> set[str]:
        return {place for place, incident in self.stage.state.open_by_place.items() if incident.kind == "leak"}

    def must_guard(self, home: str) -> None:
        assert home in self.open_homes(), "a leak of a known home left it without an incident"
        incident = self.stage.state.open_by_place[home]
        if home in METER_OF:
            self.guarded.add(home)
            if not incident.is_closed:
                # A leak, and nothing proves that the valve is shut: a close is on its way right now.
                record = incident.close
                assert record is not None
                assert record.under_way, record.state


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
