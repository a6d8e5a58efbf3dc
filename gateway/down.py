"""The way down: commands and promises to devices, messages to dispatch. A close is on the socket when its call returns; the rest
leaves at the end of the same turn of the loop, as one write.
"""

import asyncio

from alarm_engine import metrics
from alarm_engine.registry_view import RegistryView
from alarm_engine.state import StationMessage
from alarm_engine.station_messages import StationMessages
from core import topics
from core.clock import Clock
from core.errors import LinkError
from core.items import AlarmItem
from core.messages import Command, DownAck
from core.mqtt.port import MqttPort


class Downlink:
    """Publishes through the alarm lane's connection."""

    def __init__(self, registry: RegistryView, clock: Clock) -> None:
        self._registry = registry
        self._link: MqttPort | None = None
        self.station_messages = StationMessages(clock, lambda payload: self._publish(topics.TO_DISPATCH, payload, urgent=False))

    def attach(self, link: MqttPort) -> None:
        """Use this connection from now on."""
        self._link = link

    def command(self, account: str, message: Command) -> None:
        """A close goes before everything else that waits; an open is held by no broker (QoS 0)."""
        payload = message.model_dump_json().encode()
        topic = topics.down_command(account)
        if message.command == "open_valve":
            if self._link is not None:
                self._link.publish(topic, payload)
            return
        self._publish(topic, payload, urgent=message.command == "close_valve")

    def station(self, message: StationMessage) -> None:
        """Tell dispatch, and repeat until it has it."""
        self.station_messages.send(message.message_id, message.model_dump_json().encode())

    def ack(self, item: AlarmItem, identified: bool) -> None:
        """Promise the device that its alarm is durable. An item without an identity cannot be named, so it gets no promise."""
        if not identified:
            return
        device = self._registry.devices.get(item.device_id)
        account = item.account if device is None or device.retired else device.account
        promise = DownAck(device_id=item.device_id, ts=item.ts, boot=item.boot, seq=item.seq)
        self._publish(topics.down_ack(account), promise.model_dump_json().encode(), urgent=False)

    def _publish(self, topic: str, payload: bytes, urgent: bool) -> None:
        if self._link is None:
            return
        try:
            sent = self._link.publish(topic, payload, qos=1, urgent=urgent)
        except LinkError:
            # Refused because too much is unconfirmed: re-sends and repeats of the same message come by themselves.
            metrics.commands.labels("any", "refused_by_link").inc()
            return
        sent.add_done_callback(_swallow)


def _swallow(sent: "asyncio.Future[None]") -> None:
    """A publish that the broker refused or that ended with the link is repeated by its owner; the link has counted it."""
    if not sent.cancelled():
        sent.exception()
