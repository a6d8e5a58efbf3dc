"""The MQTT port on paho, its network thread behind an event loop: what the conformance suite and the figures compare us with.

Decides nothing of its own. It cannot do all that the port promises: ``publish`` hands over to paho's thread instead of writing at
once, and ``urgent`` is ignored.
"""

import asyncio
import socket
import threading
from collections.abc import Sequence
from typing import Any, Literal, overload

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from core.errors import LinkError
from core.mqtt.port import Counts, OnMessage, OnState, Subscription, Will


class PahoIncoming:
    """One message; its acknowledgement is dropped when its connection is gone."""

    def __init__(self, port: "PahoPort", message: paho.MQTTMessage, connection: int) -> None:
        self.topic: str = message.topic
        self.payload = bytes(message.payload)
        self.qos: int = message.qos
        self.retain: bool = message.retain
        self.duplicate: bool = message.dup
        self._mid, self._port, self._connection = message.mid, port, connection
        self._open = message.qos > 0

    def ack(self) -> None:
        """See :class:`core.mqtt.port.Incoming`."""
        if self._open:
            self._open = False
            self._port.acknowledge(self._mid, self._connection)


class PahoPort:
    """A :class:`core.mqtt.port.MqttPort` with the constructor of :class:`core.mqtt.link.Link`."""

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
        receive_max: int = 1_000,
        will: Will | None = None,
        on_state: OnState | None = None,
        unconfirmed_bound: int = 10_000,
    ) -> None:
        self.counts = Counts()
        self.last_error: LinkError | None = None
        self.held = 0
        self._on_message, self._on_state = on_message, on_state
        self._subscriptions = [
            s if isinstance(s, Subscription) else Subscription(*((s,) if isinstance(s, str) else s)) for s in subscriptions
        ]
        self._connection = 0
        self._futures: dict[int, asyncio.Future[None]] = {}
        self._connected = asyncio.Event()
        self._answered = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._bound = unconfirmed_bound
        self._stopping = False
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's own types end here
        properties.SessionExpiryInterval = session_expiry_s
        properties.ReceiveMaximum = receive_max
        self._client = client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
        client.suppress_exceptions = True
        client.max_inflight_messages_set(1_000)
        client.max_queued_messages_set(0)
        client.reconnect_delay_set(0.1, 5.0)  # type: ignore[arg-type]  # whole seconds by its annotation only
        if username is not None:
            client.username_pw_set(username, password)
        if will is not None:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.on_socket_open = no_delay
        client.on_connect, client.on_connect_fail, client.on_disconnect = self._connack, self._no_connection, self._disconnected
        client.on_subscribe, client.on_publish, client.on_message = self._suback, self._puback, self._message
        client.connect_async(host, port, keep_alive_s, clean_start=clean_start, properties=properties)

    @property
    def connected(self) -> bool:
        """See the port."""
        return self._connected.is_set()

    async def start(self) -> None:
        """See the port."""
        self._client.loop_start()
        await self._answered.wait()

    async def wait_connected(self, timeout: float) -> None:  # noqa: ASYNC109  part of the port
        """See the port."""
        try:
            async with asyncio.timeout(timeout):
                await self._connected.wait()
        except TimeoutError:
            raise LinkError(f"not connected: {self.last_error}") from self.last_error

    @overload
    def publish(self, topic: str, payload: bytes, *, qos: Literal[0] = 0, retain: bool = False, urgent: bool = False) -> None: ...
    @overload
    def publish(
        self, topic: str, payload: bytes, *, qos: Literal[1], retain: bool = False, urgent: bool = False
    ) -> "asyncio.Future[None]": ...
    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: Literal[0, 1] = 0,
        retain: bool = False,
        urgent: bool = False,  # noqa: ARG002  part of the port
    ) -> "asyncio.Future[None] | None":
        """See the port; ``urgent`` means nothing to paho."""
        if qos == 0 and not self._client.is_connected():
            self.counts.dropped_qos0 += 1
            return None
        if qos and len(self._futures) >= self._bound:
            self.counts.refused_full += 1
            raise LinkError(f"{self._bound} messages are unconfirmed by the broker, no more are taken")
        sent = self._client.publish(topic, payload, qos, retain)
        if sent.rc is MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            raise LinkError("paho's queue is full")
        self.counts.published += 1
        if qos == 0:
            return None
        future = self._futures[sent.mid] = self._loop.create_future()
        return future

    def acknowledge(self, mid: int, connection: int) -> None:
        """Write a PUBACK unless the connection that brought the message is gone."""
        with self._lock:
            if connection != self._connection or not self._client.is_connected():
                self.counts.acks_of_lost_connections += 1
                return
            self.counts.acks_written += 1
            self.held -= 1
            self._client.ack(mid, 1)

    async def stop(self) -> None:
        """See the port."""
        self._stopping = True
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)
        self._lost()
        for future in self._futures.values():
            if not future.done():
                future.set_exception(LinkError("the link was stopped before the broker confirmed"))
                future.exception()

    # Called by paho in its thread; each hands over to the loop.

    def _connack(self, client: paho.Client, _userdata: object, _flags: object, code: ReasonCode, _properties: object) -> None:
        if code.is_failure:
            self._soon(self._refused, str(code))
            return
        with self._lock:
            self._connection += 1
        if self._subscriptions:
            client.subscribe(
                [
                    (s.topic, SubscribeOptions(qos=s.qos, retainAsPublished=s.keep_retain_flag, retainHandling=int(s.retain_handling)))
                    for s in self._subscriptions
                ]
            )
        self._soon(self._accepted)

    def _no_connection(self, *_: Any) -> None:
        self._soon(self._refused, "nobody there")

    def _suback(self, *_: Any) -> None:
        self._soon(self._granted)

    def _disconnected(self, *_: Any) -> None:
        self._soon(self._lost)

    def _puback(self, _client: paho.Client, _userdata: object, mid: int, _code: object, _properties: object) -> None:
        self._soon(self._confirmed, mid)

    def _message(self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        self._soon(self._deliver, PahoIncoming(self, message, self._connection))

    def _soon(self, call: Any, *arguments: Any) -> None:
        if not self._stopping:
            self._loop.call_soon_threadsafe(call, *arguments)

    # In the loop.

    def _accepted(self) -> None:
        self.counts.connects += 1
        self.held = 0
        self._answered.set()
        if not self._subscriptions:
            self._granted()

    def _refused(self, reason: str) -> None:
        self.counts.connect_failures += 1
        self.last_error = LinkError(f"refused: {reason}")
        self._answered.set()

    def _granted(self) -> None:
        if not self._connected.is_set():
            self._connected.set()
            if self._on_state is not None:
                self._on_state(True)

    def _lost(self) -> None:
        self._answered.set()
        if self._connected.is_set():
            self._connected.clear()
            self.counts.losses += 1
            if self._on_state is not None:
                self._on_state(False)

    def _confirmed(self, mid: int) -> None:
        future = self._futures.pop(mid, None)
        if future is not None and not future.done():
            future.set_result(None)

    def _deliver(self, message: PahoIncoming) -> None:
        self.counts.received += 1
        self.counts.duplicates += message.duplicate
        self.held += message.qos > 0
        try:
            self._on_message(message)
        except Exception:  # noqa: BLE001  whatever the taker has done wrong is counted, as in the link
            self.counts.handler_errors += 1


def no_delay(_client: paho.Client, _userdata: object, sock: Any) -> None:
    """Switch Nagle off; paho leaves it on."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
