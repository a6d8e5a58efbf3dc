"""The port to the broker: what a station may expect of any MQTT client, and what the conformance suite holds it to.

Decides the promises: a message is acknowledged when the station says so and not before; what was not acknowledged comes again;
a publish is on the socket when ``publish`` returns; what the broker did not confirm is sent again. Refuses to know the library
behind it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, NamedTuple, Protocol, overload


class RetainHandling(IntEnum):
    """Whether the broker sends the retained messages when we subscribe (again)."""

    ALWAYS = 0
    NEW = 1  # only where the session did not have this subscription: a reconnect is not a flood
    NEVER = 2


class Subscription(NamedTuple):
    """One topic filter. ``qos`` is the most that we take, 0 or 1.

    ``keep_retain_flag`` shows the flag as the publisher set it. Without it, as in MQTT 3.1.1, ``retain`` marks what the broker had
    stored from before we subscribed, and a live message of a device that sets RETAIN where it should not is live.
    """

    topic: str
    qos: int = 1
    retain_handling: RetainHandling = RetainHandling.NEW
    keep_retain_flag: bool = False


class Will(NamedTuple):
    """What the broker says for us when we are gone without a word."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


@dataclass(slots=True)
class Counts:
    """What a link has seen since it was made. Plain numbers, so that ten thousand links cost no metric labels."""

    received: int = 0
    duplicates: int = 0  # came with DUP: sent before, not acknowledged then
    unreadable: int = 0  # packets that the codec refused
    salvaged: int = 0  # of these, publishes that were read by hand and delivered
    handler_errors: int = 0  # exceptions that left ``on_message`` or ``on_state``
    acks_written: int = 0
    acks_of_lost_connections: int = 0  # ignored: the broker sends those messages again
    published: int = 0
    dropped_qos0: int = 0  # nobody to send them to, or the socket is choked
    refused_full: int = 0  # QoS 1 beyond the bound, refused to the caller
    refused_by_broker: int = 0
    resent: int = 0
    connects: int = 0
    connect_failures: int = 0
    losses: int = 0


class Incoming(Protocol):
    """One message that came in. It stays outstanding at the broker until :meth:`ack`."""

    @property
    def topic(self) -> str: ...
    @property
    def payload(self) -> bytes: ...
    @property
    def qos(self) -> int:
        """0 or 1."""
        ...

    @property
    def retain(self) -> bool:
        """Stored by the broker from before we subscribed (see :class:`Subscription`)."""
        ...

    @property
    def duplicate(self) -> bool:
        """The broker sent it before. False proves nothing."""
        ...

    def ack(self) -> None:
        """Let the broker forget it. At QoS 0, a second time, or after its connection was lost this does nothing."""
        ...


OnMessage = Callable[[Incoming], None]
OnState = Callable[[bool], None]


class MqttPort(Protocol):
    """A link to the broker. Call it from its event loop only."""

    @property
    def connected(self) -> bool:
        """Accepted by the broker, and every subscription granted."""
        ...

    @property
    def held(self) -> int:
        """QoS 1 messages of this connection that were delivered and not yet acknowledged."""
        ...

    @property
    def counts(self) -> Counts: ...

    async def start(self) -> None:
        """Make the first attempt to connect and return after it, come or not; from then on reconnect for ever."""
        ...

    async def wait_connected(self, timeout: float) -> None:  # noqa: ASYNC109  a promise of the port, not of the caller
        """Return when connected. Raises :class:`core.errors.LinkError` with the last reason after ``timeout`` seconds."""
        ...

    @overload
    def publish(self, topic: str, payload: bytes, *, qos: Literal[0] = 0, retain: bool = False, urgent: bool = False) -> None: ...
    @overload
    def publish(self, topic: str, payload: bytes, *, qos: Literal[1], retain: bool = False, urgent: bool = False) -> "asyncio.Future[None]":
        """Write to the socket at once. QoS 0 gives None; QoS 1 a future that is done when the broker has it.

        ``urgent`` goes before everything that waits for the broker's receive window. Raises :class:`core.errors.LinkError` when
        the bound of unconfirmed QoS 1 messages is reached: the newest is refused, none is dropped.
        """
        ...

    async def stop(self) -> None:
        """Acknowledge what was acknowledged, say goodbye (no last will) and close. What is unconfirmed fails with LinkError."""
        ...
