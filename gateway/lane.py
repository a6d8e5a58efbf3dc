"""One lane: MQTT message in -> items judged -> acknowledged when durable. The straight line of the product starts here.

Every item is judged as soon as it is read, before the one behind it is: a leak, in telemetry too, never waits for the rest of its
array nor for a storage batch. Whatever goes wrong with one message is counted and quarantined; the lane goes on. An account that
floods the alarm topic has only the first leak of each device judged.
"""

import time
from collections.abc import Callable
from typing import Protocol

import structlog

from alarm_engine import metrics
from alarm_engine.engine import Engine
from alarm_engine.registry_view import Placed
from core import topics
from core.clock import Clock
from core.ids import is_account
from core.items import AlarmItem, DetectorReading, Item, MeterReading
from core.mqtt.port import Incoming
from gateway.decode import Rejection, read
from gateway.delivery import Delivery
from gateway.flood import Flood
from gateway.quarantine import Quarantine
from gateway.readings import Readings

log = structlog.get_logger()


class Conditions(Protocol):
    """Whoever keeps count of homes that are blind, silent or without power."""

    def heard(self, item: Item, placed: Placed) -> None:
        """One item that was judged, and who sent it by the registry; a hub's last will is its own status."""
        ...


class Lane:
    """Takes the messages of one connection. ``down_ack`` promises an alarm to its device."""

    def __init__(
        self,
        engine: Engine,
        readings: Readings,
        quarantine: Quarantine,
        down_ack: Callable[[AlarmItem, bool], None],
        clock: Clock,
        conditions: Conditions | None = None,
    ) -> None:
        self._engine = engine
        self._flood = Flood(engine.state)
        self._conditions = conditions
        self._readings = readings
        self._quarantine = quarantine
        self._down_ack = down_ack
        self._clock = clock

    def on_message(self, incoming: Incoming) -> None:
        """Take one message. Called by the link in the event loop."""
        received = time.perf_counter()
        received_ms = self._clock.now_ms()
        delivery = Delivery(incoming.ack)
        try:
            self._take(incoming, received, received_ms, delivery)
        except Exception:
            # A poison message is quarantined and holds nobody.
            log.exception("message could not be judged", topic=incoming.topic)
            self._quarantine.add("", "judge", Rejection("not_judged", incoming.payload[:512], ""), received_ms)
            delivery.give_up()
        delivery.release()

    def _take(self, incoming: Incoming, received: float, received_ms: int, delivery: Delivery) -> None:
        up = topics.parse_up(incoming.topic)
        if up is None or not is_account(up.account):
            self._quarantine.add("", "unknown", Rejection("bad_topic", incoming.payload[:512], ""), received_ms)
            return
        metrics.messages.labels(up.lane).inc()
        if incoming.retain and up.lane != "status":
            metrics.retained.labels(up.lane).inc()
        devices = self._engine.state.registry.devices
        publisher = devices.get(up.account)
        hub = publisher is not None and publisher.kind == "hub"
        # A device on an account of its own may add a serial number to its items; a stranger is shown with whatever he names.
        known = None if publisher is None else devices
        gate = _Gate(self._flood, up.account, received_ms) if up.lane == "alarm" else None
        for found in read(up.account, up.lane, incoming.payload, received_ms, incoming.retain, hub=hub, known=known, wanted=gate):
            if isinstance(found, Rejection):
                self._refused(found, up, received_ms, delivery, gate)
                continue
            try:
                self._item(found, up.lane, received, delivery, gate)
            except Exception:
                # One item that cannot be judged must not hide the leak behind it in the same array.
                log.exception("item could not be judged", topic=incoming.topic, device_id=found.device_id)
                self._quarantine.add(up.account, up.lane, Rejection("not_judged", incoming.payload[:512], found.device_id), received_ms)
                delivery.give_up()
        if gate is not None:
            metrics.flooded.inc(gate.passed_over)
            self._flood.report()

    def _refused(self, rejection: Rejection, up: topics.UpTopic, received_ms: int, delivery: Delivery, gate: "_Gate | None") -> None:
        """Count what cannot be used. On the alarm topic it is a garbled alarm: of the device of its own that it names, else its own."""
        if gate is not None and gate.flooding:
            # One row for all of it: a flood makes up as many payloads as it likes.
            rejection = Rejection(rejection.reason, b"", up.account, rejection.count)
            self._quarantine.add(up.account, up.lane, rejection, received_ms)
            metrics.flooded.inc(rejection.count)
            return
        self._quarantine.add(up.account, up.lane, rejection, received_ms)
        if up.lane == "alarm":
            device = self._engine.state.registry.devices.get(rejection.device_id)
            served = device is not None and not device.retired and device.account == up.account
            held = delivery.hold()
            if not self._engine.garbled(up.account, rejection.device_id if served else up.account, rejection.reason, received_ms, held):
                held()

    def _item(self, item: Item, lane: str, received: float, delivery: Delivery, gate: "_Gate | None") -> None:
        if isinstance(item, AlarmItem) and gate is not None and gate.bound:
            home = self._engine.state.registry.place(item.account, item.device_id).home
            if not self._flood.is_first_leak(item, self._engine.set_point(home)):
                metrics.flooded.inc()
                return
        done = delivery.hold()
        if isinstance(item, AlarmItem):
            placed = self._engine.take(item, lane, lambda: self._promised(item, done), received)
        else:
            placed = self._engine.take(item, lane, done, received)
        metrics.items.labels(lane, type(item).__name__).inc()
        for defect in item.defects:
            metrics.defects.labels(lane, defect).inc()
        # A stranger's leak stands in his triage incident.
        quarantined = isinstance(item, DetectorReading | MeterReading) or (isinstance(item, AlarmItem) and item.event != "leak")
        if placed.device is None and quarantined:
            self._quarantine.add(item.account, lane, Rejection("unknown_sender", item.device_id.encode(), item.device_id), item.received_ms)
        elif placed.device is not None and isinstance(item, DetectorReading | MeterReading):
            self._readings.add(item, placed.device.device_no, delivery)
        if self._conditions is not None:
            self._conditions.heard(item, placed)

    def _promised(self, item: AlarmItem, done: Callable[[], None]) -> None:
        self._down_ack(item, item.boot >= 0 and item.seq >= 0)
        done()


class _Gate:
    """One alarm message at the door: asked for each part of it, before that is read. ``bound``: its account floods, so that only the
    first leak of each device passes.
    """

    __slots__ = ("_account", "_counted", "_flood", "_received_ms", "bound", "flooding", "passed_over")

    def __init__(self, flood: Flood, account: str, received_ms: int) -> None:
        self._flood, self._account, self._received_ms = flood, account, received_ms
        # A payload that nobody can take apart counts as one item; so does the first part of one.
        self.bound = self.flooding = flood.counts(account, received_ms)
        self._counted = False
        self.passed_over = 0

    def __call__(self, raw: object, device_id: str) -> bool:
        if self._counted:
            self.bound = self._flood.counts(self._account, self._received_ms)
            self.flooding = self.flooding or self.bound
        self._counted = True
        if self.bound and not self._flood.may_be_first_leak(self._account, raw, device_id):
            self.passed_over += 1
            return False
        return True
