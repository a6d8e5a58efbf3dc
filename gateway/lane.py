"""One lane: MQTT message in -> items judged -> acknowledged when durable. The straight line of the product starts here.

A leak found in telemetry is judged here, when it is decoded, and never waits for a storage batch. Whatever goes wrong with one
message is counted and quarantined; the lane goes on.
"""

import time
from collections.abc import Callable

import structlog

from alarm_engine import metrics
from alarm_engine.engine import Engine
from core import topics
from core.clock import Clock
from core.ids import is_account
from core.items import AlarmItem, DetectorReading, Item, MeterReading
from core.mqtt.port import Incoming
from gateway.decode import Rejection, decode
from gateway.delivery import Delivery
from gateway.quarantine import Quarantine
from gateway.readings import Readings

log = structlog.get_logger()


class Lane:
    """Takes the messages of one connection. ``down_ack`` promises an alarm to its device."""

    def __init__(
        self,
        engine: Engine,
        readings: Readings,
        quarantine: Quarantine,
        down_ack: Callable[[AlarmItem, bool], None],
        clock: Clock,
    ) -> None:
        self._engine = engine
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
        decoded = decode(up.account, up.lane, incoming.payload, received_ms, incoming.retain)
        for item in decoded.items:
            try:
                self._item(item, up.lane, received, delivery)
            except Exception:
                # One item that cannot be judged must not hide the leak behind it in the same array.
                log.exception("item could not be judged", topic=incoming.topic, device_id=item.device_id)
                self._quarantine.add(up.account, up.lane, Rejection("not_judged", incoming.payload[:512], item.device_id), received_ms)
                delivery.give_up()
        for rejection in decoded.rejections:
            self._quarantine.add(up.account, up.lane, rejection, received_ms)
            if up.lane == "alarm":
                held = delivery.hold()
                if not self._engine.garbled(up.account, rejection.device_id, rejection.reason, received_ms, held):
                    held()

    def _item(self, item: Item, lane: str, received: float, delivery: Delivery) -> None:
        done = delivery.hold()
        if isinstance(item, AlarmItem):
            placed = self._engine.take(item, lane, lambda: self._promised(item, done), received)
        else:
            placed = self._engine.take(item, lane, done, received)
        metrics.items.labels(lane, type(item).__name__).inc()
        for defect in item.defects:
            metrics.defects.labels(lane, defect).inc()
        if isinstance(item, DetectorReading | MeterReading):
            if placed.device is None:
                self._quarantine.add(
                    item.account, lane, Rejection("unknown_sender", item.device_id.encode(), item.device_id), item.received_ms
                )
            else:
                self._readings.add(item, placed.device.device_no, delivery)

    def _promised(self, item: AlarmItem, done: Callable[[], None]) -> None:
        self._down_ack(item, item.boot >= 0 and item.seq >= 0)
        done()
