"""Our implementation of the port: MQTT 5 on the ``mqtt5`` codec, for uvloop and plain asyncio.

Decides when to connect, what goes on the wire now and what waits, and what the station is told. Runs in real time, not on the
platform's clock: keep-alive and reconnects are agreed with a broker that knows no other. Refuses to know topics and payloads.
"""

import asyncio
import contextlib
import os
import random
import socket
import ssl
from collections.abc import Sequence
from typing import Final, Literal, overload

import mqtt5
import structlog

from core.errors import LinkError
from core.mqtt.connection import Connection
from core.mqtt.dial import dial
from core.mqtt.outgoing import Outgoing, Unconfirmed
from core.mqtt.port import Counts, OnMessage, OnState, Subscription, Will

RECEIVE_MAX: Final = 1_000
UNCONFIRMED_BOUND: Final = 10_000
CHOKED_BYTES: Final = 8 * 1024 * 1024
_FIRST_DELAY_S: Final = 0.1
_LONGEST_DELAY_S: Final = 5.0
_STEADY_S: Final = 5.0
_ATTEMPT_S: Final = 5.0
_GOODBYE_S: Final = 1.0
_REFUSED_FROM: Final = 128

log = structlog.get_logger()


class Link:
    """One client of the broker (a :class:`core.mqtt.port.MqttPort`).

    A subscription is a topic filter (QoS 1), a pair (filter, QoS) or a :class:`~core.mqtt.port.Subscription`. ``on_message`` runs
    in the event loop, for a redelivery even before ``connected``. An exception that leaves it is counted and logged; its message
    stays unacknowledged unless the handler had acknowledged it, so that it comes again after the next reconnect.
    ``receive_max`` bounds how many QoS 1 messages the broker sends ahead of our acknowledgements; ``unconfirmed_bound`` how many
    of our own wait for the broker's, urgent and ordinary ones each. ``quick_ack`` acknowledges TCP segments at once, against a
    broker that leaves Nagle on. ``tls`` encrypts and checks the broker.
    """

    def __init__(
        self,
        host: str,
        port: int,
        client_id: str,
        username: str | None = None,
        password: str | None = None,
        *,
        on_message: OnMessage,
        subscriptions: Sequence[str | tuple[str, int] | Subscription] = (),
        session_expiry_s: int = 172_800,
        clean_start: bool = False,
        keep_alive_s: int = 30,
        receive_max: int = RECEIVE_MAX,
        will: Will | tuple[str, bytes, int, bool] | None = None,
        on_state: OnState | None = None,
        unconfirmed_bound: int = UNCONFIRMED_BOUND,
        quick_ack: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.client_id = client_id
        self.receive_max = receive_max
        self.counts = Counts()
        self.last_error: LinkError | None = None
        self._host, self._port, self._tls, self._quick_ack = host, port, tls, quick_ack
        self._filters = [_filter(s) for s in subscriptions]
        self._on_message, self._on_state = on_message, on_state
        self._keep_alive_s = keep_alive_s
        last_will = None if will is None else Will(*will)
        self._connect = mqtt5.ConnectPacket(
            client_id,
            username=username,
            password=None if password is None else password.encode(),
            clean_start=clean_start,
            keep_alive=keep_alive_s,
            session_expiry_interval=session_expiry_s,
            receive_max=receive_max,
            will=None
            if last_will is None
            else mqtt5.Will(last_will.topic, payload=last_will.payload, qos=mqtt5.QoS(last_will.qos), retain=last_will.retain),
        ).write()
        self._outgoing = Outgoing(unconfirmed_bound)
        self._connection: Connection | None = None
        self._open: Connection | None = None  # accepted by the broker
        self._connected = asyncio.Event()
        self._first_attempt = asyncio.Event()
        self._to_grant: dict[int, list[mqtt5.TopicFilter]] = {}
        self._peer_max_packet: int | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def connected(self) -> bool:
        """Accepted by the broker, and every subscription granted."""
        return self._connected.is_set()

    @property
    def held(self) -> int:
        """QoS 1 messages of this connection that were delivered and not yet acknowledged."""
        return 0 if self._open is None else self._open.held

    @property
    def unconfirmed(self) -> int:
        """Our QoS 1 messages that the broker has not confirmed, waiting ones included."""
        return len(self._outgoing)

    async def start(self) -> None:
        """Make the first attempt to connect and return after it, come or not; from then on reconnect for ever."""
        if self._task is None:
            self._task = asyncio.create_task(self._stay_connected(), name=f"mqtt {self.client_id}")
        await self._first_attempt.wait()

    async def wait_connected(self, timeout: float) -> None:  # noqa: ASYNC109  part of the port
        """Return when connected. Raises LinkError with the last reason after ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._connected.wait()
        except TimeoutError:
            raise LinkError(f"not connected to {self._host}:{self._port}: {self.last_error}") from self.last_error

    @overload
    def publish(self, topic: str, payload: bytes, *, qos: Literal[0] = 0, retain: bool = False, urgent: bool = False) -> None: ...
    @overload
    def publish(
        self, topic: str, payload: bytes, *, qos: Literal[1], retain: bool = False, urgent: bool = False
    ) -> "asyncio.Future[None]": ...
    def publish(
        self, topic: str, payload: bytes, *, qos: Literal[0, 1] = 0, retain: bool = False, urgent: bool = False
    ) -> "asyncio.Future[None] | None":
        """Write at the end of this turn of the loop, many messages as one, as far as connection and receive window allow.

        QoS 0 is on the socket when this returns, gives None, and is dropped and counted while there is no connection. QoS 1 gives a
        future: done when the broker has the message, LinkError when it refused it or the link was stopped. ``urgent`` goes before all
        that waits, and is on the socket when this returns. Raises LinkError when the bound is reached or the link stopped, ValueError
        for a topic that is none.
        """
        if qos == 0:
            self._publish_once(mqtt5.PublishPacket(topic, payload, retain=retain).write())
            return None
        if self._stopping:
            raise LinkError("the link is stopped")
        try:
            self._outgoing.check_room(urgent)
        except LinkError:
            self.counts.refused_full += 1
            raise
        packet_id = self._outgoing.next_id()
        encoded = mqtt5.PublishPacket(topic, payload, qos=mqtt5.QoS.AT_LEAST_ONCE, retain=retain, packet_id=packet_id).write()
        if self._peer_max_packet is not None and len(encoded) > self._peer_max_packet:
            raise LinkError(f"the broker takes packets of {self._peer_max_packet} bytes, this one has {len(encoded)}")
        message = Unconfirmed(packet_id, encoded, urgent, asyncio.get_running_loop().create_future())
        now = self._outgoing.add(message)
        if now is not None and self._open is not None:
            if urgent:
                self._open.write(now)
                # The broker may have been woken on the very core that goes on here with what a leak brings with it.
                os.sched_yield()
            else:
                self._open.write_soon(now)
        self.counts.published += 1
        return message.confirmed

    async def stop(self) -> None:
        """Write the last acknowledgements, say goodbye (the broker sends no will) and close, within about a second."""
        self._stopping = True
        connection = self._open
        if connection is not None:
            connection.say_goodbye(mqtt5.DisconnectPacket().write())
            self._open = None
            # The broker closes first: closing on unread data would reset the connection under what we have just written.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GOODBYE_S):
                    await asyncio.shield(connection.lost)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        for message in self._outgoing.give_up():
            _fail(message, LinkError("the link was stopped before the broker confirmed"))

    # What a connection tells us (connection.Owner).

    def accepted(self, connection: Connection, packet: mqtt5.ConnAckPacket) -> None:
        """CONNACK: the session is there, or the broker says why not."""
        if packet.reason_code is not mqtt5.ConnAckReasonCode.SUCCESS:
            connection.abort(f"refused: {_words(packet.reason_code.name, packet.reason_str)}")
            return
        self.counts.connects += 1
        connection.accepted = True
        self._open = connection
        self._peer_max_packet = packet.max_packet_size
        self.counts.resent += self._outgoing.connected(packet.receive_max, packet.session_present)
        keep_alive = self._keep_alive_s if packet.server_keep_alive is None else packet.server_keep_alive
        if keep_alive:
            connection.watch(keep_alive / 3)
        # Ours first: a close that waited goes out before the broker is asked for anything.
        self._write_due()
        self._to_grant.clear()
        if self._filters:
            self._subscribe(self._filters)
        else:
            self._set_connected()

    def subscribed(self, packet: mqtt5.SubAckPacket) -> None:
        """SUBACK: all granted, or the refused ones are asked for again while the link lives on."""
        asked = self._to_grant.pop(packet.packet_id, None)
        self._outgoing.release_id(packet.packet_id)
        if asked is None:
            return
        refused = [(f, c) for f, c in zip(asked, packet.reason_codes, strict=False) if c.value >= _REFUSED_FROM]
        if refused:
            names = ", ".join(f"{f.pattern} {c.name}" for f, c in refused)
            self._note(f"subscription refused: {names}")
            filters = [f for f, _ in refused]
            asyncio.get_running_loop().call_later(_LONGEST_DELAY_S, self._subscribe_again, self._open, filters)
        elif not self._to_grant:
            self._set_connected()

    def confirmed(self, packet: mqtt5.PubAckPacket) -> None:
        """PUBACK: the broker has it, or will not take it."""
        message = self._outgoing.confirm(packet.packet_id)
        if message is None:
            return
        if packet.reason_code.value >= _REFUSED_FROM:
            self.counts.refused_by_broker += 1
            _fail(message, LinkError(f"the broker refused a message: {_words(packet.reason_code.name, packet.reason_str)}"))
        elif not message.confirmed.done():
            message.confirmed.set_result(None)
        self._write_due()

    def dismissed(self, packet: mqtt5.DisconnectPacket) -> None:
        """DISCONNECT from the broker: the reason of the loss that follows."""
        if self._connection is not None:
            self._connection.abort(f"dismissed by the broker: {_words(packet.reason_code.name, packet.reason_str)}")

    # The life of the link.

    async def _stay_connected(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            started = loop.time()
            try:
                accepted = await self._live_once()
            finally:
                self._first_attempt.set()
            steady = accepted and loop.time() - started >= _STEADY_S
            failures = 0 if steady else failures + 1
            longest = min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2.0 ** min(failures, 10))
            await asyncio.sleep(random.uniform(longest / 2, longest))

    async def _live_once(self) -> bool:
        """Connect, live, and return after the loss: whether the broker had accepted us."""
        connection: Connection | None = None
        try:
            async with asyncio.timeout(_ATTEMPT_S):
                connection = self._connection = await dial(self._host, self._port, self._tls, self._make)
                await asyncio.shield(connection.answered)
            self._first_attempt.set()
            await asyncio.shield(connection.lost)
        except TimeoutError:
            self._note(f"no answer within {_ATTEMPT_S:g} s")
        except OSError as error:
            self._note(str(error))
        except Exception as error:
            # Whatever it was: a link that gave up would leave every later leak unheard.
            log.exception("mqtt_link_failed", client_id=self.client_id)
            self._note(repr(error))
        else:
            if not self._stopping:
                self._note(connection.reason or "lost")
        finally:
            self._open = self._connection = None
            self._outgoing.lost()
            if connection is not None:
                connection.abort("closed")
            self._set_lost(connection)
        return connection is not None and connection.accepted

    def _make(self, sock: socket.socket) -> Connection:
        return Connection(self, self._connect, self._on_message, sock, self._quick_ack)

    def _publish_once(self, encoded: bytes) -> None:
        if self._open is None or self._open.backlog > CHOKED_BYTES:
            self.counts.dropped_qos0 += 1
            return
        self._open.write(encoded)
        self.counts.published += 1

    def _write_due(self) -> None:
        if self._open is not None and (packets := self._outgoing.due()):
            self._open.write(b"".join(packets))

    def _subscribe(self, filters: list[mqtt5.TopicFilter]) -> None:
        if self._open is not None:
            packet_id = self._outgoing.reserve_id()
            self._to_grant[packet_id] = filters
            self._open.write(mqtt5.SubscribePacket(packet_id, filters).write())

    def _subscribe_again(self, connection: Connection | None, filters: list[mqtt5.TopicFilter]) -> None:
        if connection is not None and connection is self._open:
            self._subscribe(filters)

    def _set_connected(self) -> None:
        if not self._connected.is_set():
            self._connected.set()
            self.last_error = None
            self._tell(True)

    def _set_lost(self, connection: Connection | None) -> None:
        if connection is not None and connection.accepted:
            self.counts.losses += 1
        else:
            self.counts.connect_failures += 1
        if self._connected.is_set():
            self._connected.clear()
            self._tell(False)

    def _tell(self, connected: bool) -> None:
        log.info("mqtt_link", client_id=self.client_id, connected=connected, reason=str(self.last_error or ""))
        if self._on_state is not None:
            try:
                self._on_state(connected)
            except Exception:
                self.counts.handler_errors += 1
                log.exception("mqtt_handler_failed", handler="on_state", subject=self.client_id)

    def _note(self, reason: str) -> None:
        if self.last_error is None or str(self.last_error) != reason:
            log.warning("mqtt_link_trouble", client_id=self.client_id, reason=reason)
        self.last_error = LinkError(reason)


def _filter(wanted: str | tuple[str, int] | Subscription) -> mqtt5.TopicFilter:
    full = Subscription(wanted) if isinstance(wanted, str) else Subscription(*wanted)
    return mqtt5.TopicFilter(
        full.topic,
        max_qos=mqtt5.QoS(full.qos),
        retain_as_published=full.keep_retain_flag,
        retain_handling=mqtt5.RetainHandling(int(full.retain_handling)),
    )


def _fail(message: Unconfirmed, error: LinkError) -> None:
    if not message.confirmed.done():
        message.confirmed.set_exception(error)
        message.confirmed.exception()  # whoever does not wait for it is not told at the interpreter's end


def _words(code: str, said: str | None) -> str:
    name = code.lower().replace("_", " ")
    return f"{name} ({said})" if said else name
