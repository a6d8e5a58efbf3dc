"""The one connection over which all simulated devices speak, through the broker account ``fleet``.

Decides what it subscribes to and hands each message on. Refuses to know what a message means. A real device has a connection and
a last will of its own; here :meth:`simulator.world.town.Town.receive` sorts the messages, and wills are published by hand.
"""

import asyncio
from collections.abc import Callable
from typing import Self

import structlog

from core.errors import LinkError
from core.mqtt.link import Link
from core.mqtt.port import Incoming

DOWN = "gas/v1/+/down/#"
_CONNECT_S = 15.0
_GOODBYE_S = 3.0
_log = structlog.get_logger()


class Radio:
    """``async with``: connected inside. ``on_message`` gets (topic, payload) of everything that is said to a device."""

    def __init__(self, host: str, port: int, username: str, password: str, client_id: str) -> None:
        self._on_message: Callable[[str, bytes], None] | None = None
        self.refused = 0
        self._link = Link(
            host,
            port,
            client_id,
            username,
            password,
            subscriptions=[(DOWN, 1)],
            on_message=self._received,
            session_expiry_s=0,
            clean_start=True,
        )

    async def __aenter__(self) -> Self:
        await self._link.start()
        await self._link.wait_connected(_CONNECT_S)
        return self

    async def __aexit__(self, *_why: object) -> None:
        """Let the broker take what was said last, then leave."""
        for _ in range(round(_GOODBYE_S / 0.05)):
            if not self._link.unconfirmed or not self._link.connected:
                break
            await asyncio.sleep(0.05)
        await self._link.stop()

    def listen(self, on_message: Callable[[str, bytes], None]) -> None:
        """Where messages go from now on."""
        self._on_message = on_message

    def _received(self, message: Incoming) -> None:
        message.ack()
        if self._on_message is not None and not message.retain:
            self._on_message(message.topic, message.payload)

    def send(self, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        """Hand a message to the broker at once. What the link has no room for is counted; an alarm comes again by itself."""
        try:
            if qos == 0:
                self._link.publish(topic, payload, retain=retain)
                return
            # Each device has a connection of its own: its alarm and its answer wait for nobody else's readings.
            sent = self._link.publish(topic, payload, qos=1, retain=retain, urgent=topic.endswith(("/alarm", "/ack")))
        except LinkError as error:
            self.refused += 1
            _log.warning("radio refused", topic=topic, reason=str(error))
            return
        sent.add_done_callback(_forget)

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self._link.connected


def _forget(sent: "asyncio.Future[None]") -> None:
    if not sent.cancelled() and sent.exception() is not None:
        _log.warning("radio lost a message", reason=str(sent.exception()))
