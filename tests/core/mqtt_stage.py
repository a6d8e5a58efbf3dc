"""The stage of the MQTT tests: a wire that can be cut, frozen or clogged between a link and the broker, and a device on paho."""

import asyncio
import contextlib
import functools
import itertools
import os
import queue
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from core.door import close_door
from core.mqtt.port import Incoming, MqttPort, OnMessage
from core.mqtt.tls import client_context
from deploy.embedded.authority import Authority
from deploy.embedded.testing import TestBroker

PATIENCE_S = 60.0
_numbers = itertools.count()


async def until(condition: Callable[[], object], what: str = "") -> None:
    """Wait for what a real broker does in its own time."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"did not happen within {PATIENCE_S} s: {what or condition}") from None


class Wire:
    """A TCP relay to the broker that misbehaves on demand. With ``tls`` it speaks that to the client, and plainly to the broker."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._target = (host, port)
        self._tls = tls
        self._pairs: list[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._hold_bytes = 0
        self.admits = True
        self.largest_gush = 0

    async def open(self) -> int:
        """Listen on a free port; returns it."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def cut(self, *, admits: bool = True) -> None:
        """Break every connection without a word; with ``admits`` false refuse new ones until it is set again."""
        self.admits = admits
        self._flows.set()
        for pair in self._pairs:
            for end in pair:
                end.transport.abort()
        self._pairs.clear()

    def freeze(self) -> None:
        """Let nothing through, in either direction, on connections that stay open."""
        self._flows.clear()

    def hold_back(self, count: int) -> None:
        """From the next connection on, pass what the broker says only when ``count`` bytes are together, as one write."""
        self._hold_bytes = count

    async def close(self) -> None:
        """Break and stop listening."""
        self.cut(admits=False)
        await close_door(self._server)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.admits:
            writer.transport.abort()
            return
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._pairs.append((writer, up_writer))
        for task in (
            asyncio.create_task(self._pump(reader, up_writer, 0)),
            asyncio.create_task(self._pump(up_reader, writer, self._hold_bytes)),
        ):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hold: int) -> None:
        held = b""
        try:
            while data := await reader.read(65536):
                await self._flows.wait()
                held += data
                if len(held) >= hold:
                    if hold:
                        self.largest_gush = max(self.largest_gush, len(held))
                    hold = 0
                    writer.write(held)
                    held = b""
        except OSError:
            pass
        finally:
            writer.transport.abort() if not self._flows.is_set() else writer.close()


class Device:
    """An independent client: paho, in its own thread, in either protocol version."""

    def __init__(self, broker: TestBroker, version: MQTTProtocolVersion, client_id: str, *, keeps_session: bool = False) -> None:
        self.inbox: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self.got: list[bytes] = []
        self._suback: queue.Queue[int] = queue.Queue()
        self._version = version
        clean: dict[str, Any] = {} if version is MQTTProtocolVersion.MQTTv5 else {"clean_session": not keeps_session}
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=version, **clean)
        self.client.username_pw_set("fleet", broker.accounts["fleet"])
        self.client.reconnect_delay_set(0.1, 1.0)  # type: ignore[arg-type]  # whole seconds by its annotation only
        self.client.on_message = self._keep
        self.client.on_subscribe = lambda _c, _u, mid, _r, _p: self._suback.put(mid)
        more: dict[str, Any] = {}
        if version is MQTTProtocolVersion.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's own types end here
            properties.SessionExpiryInterval = 300 if keeps_session else 0
            more = {"clean_start": not keeps_session, "properties": properties}
        self.client.connect(broker.host, broker.port, **more)
        self.client.loop_start()

    def subscribe(self, topic: str) -> None:
        """Returns when the broker has granted it."""
        self.client.subscribe(topic, qos=1)
        self._suback.get(timeout=PATIENCE_S)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Returns when the broker has it (at QoS 1)."""
        self.client.publish(topic, payload, qos, retain).wait_for_publish(PATIENCE_S)

    def has(self, count: int) -> bool:
        """Whether so many messages came."""
        return len(self.got) >= count

    def stop(self) -> None:
        """Leave in good order."""
        self.client.disconnect()
        self.client.loop_stop()

    def _keep(self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        self.got.append(bytes(message.payload))
        self.inbox.put(message)


class MakePort(Protocol):
    """The constructor that every implementation of the port shares."""

    def __call__(
        self,
        host: str,
        port: int,
        client_id: str,
        username: str | None,
        password: str | None,
        *,
        on_message: OnMessage,
        **options: Any,
    ) -> MqttPort: ...


class Tls(NamedTuple):
    """Both ends of a wire on which each side asks the other for its certificate."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def make_tls(folder: Path) -> Tls:
    """An authority of its own, a certificate for the wire and one for the client."""
    authority = Authority.create(folder / "authority")
    for name, (certificate, key) in {"wire": authority.issue_server(["127.0.0.1"]), "client": authority.issue("C-1")}.items():
        (folder / f"{name}.crt").write_bytes(certificate)
        (folder / f"{name}.key").write_bytes(key)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.certificate_file)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(folder / "wire.crt", folder / "wire.key")
    return Tls(server, client_context(authority.certificate_file, folder / "client.crt", folder / "client.key"))


class Stage:
    """One test's topics, wire, links and devices, all of which :func:`on_stage` clears away."""

    def __init__(self, broker: TestBroker, make: MakePort, loop: Callable[[], asyncio.AbstractEventLoop], tls: Tls | None = None) -> None:
        self.broker, self.make, self.loop, self.tls = broker, make, loop, tls
        self.name = f"t{os.getpid()}-{next(_numbers)}"
        self.topic = f"gas/v1/{self.name}/up/alarm"
        self.below = f"gas/v1/{self.name}/#"
        self.got: list[Incoming] = []
        self.wire: Wire
        self.port = 0
        self._closing: list[Callable[[], Awaitable[None]]] = []

    def keep_and_ack(self, message: Incoming) -> None:
        """A handler that is content with everything."""
        self.got.append(message)
        message.ack()

    @property
    def payloads(self) -> list[bytes]:
        """What came in so far."""
        return [m.payload for m in self.got]

    async def open(self) -> None:
        """Lay the wire."""
        self.wire = Wire(self.broker.host, self.broker.port, None if self.tls is None else self.tls.server)
        self.port = await self.wire.open()

    async def close(self) -> None:
        """Stop everything, the links first."""
        for close in reversed(self._closing):
            await close()
        await self.wire.close()

    async def link(self, on_message: OnMessage | None = None, *, wait: bool = True, **options: Any) -> MqttPort:
        """A started link through the wire, on the fleet's account; what comes in is kept in ``got`` unless told otherwise."""
        settings = {
            "client_id": self.name,
            "username": "fleet",
            "password": self.broker.accounts["fleet"],
            "session_expiry_s": 300,
            **({} if self.tls is None else {"tls": self.tls.client}),
        }
        settings["subscriptions"] = [self.below]
        link = self.make("127.0.0.1", self.port, on_message=on_message or self.got.append, **{**settings, **options})
        self._closing.append(link.stop)
        await link.start()
        if wait:
            await link.wait_connected(PATIENCE_S)
        return link

    async def device(self, version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311, **options: Any) -> Device:
        """An independent client straight at the broker."""
        device = await asyncio.to_thread(Device, self.broker, version, f"{self.name}-device-{next(_numbers)}", **options)
        self._closing.append(functools.partial(asyncio.to_thread, device.stop))
        return device

    async def lose_session(self) -> None:
        """Have the broker forget our session while we are away."""
        client = paho.Client(CallbackAPIVersion.VERSION2, self.name, protocol=MQTTProtocolVersion.MQTTv311, clean_session=True)
        client.username_pw_set("fleet", self.broker.accounts["fleet"])
        gone: queue.Queue[bool] = queue.Queue()
        client.on_connect = lambda c, *_: c.disconnect()
        client.on_disconnect = lambda *_: gone.put(True)
        client.connect(self.broker.host, self.broker.port)
        client.loop_start()
        await asyncio.to_thread(gone.get, timeout=PATIENCE_S)
        await asyncio.to_thread(client.loop_stop)


def on_stage(story: Callable[[Stage], Coroutine[Any, Any, None]]) -> Callable[[Stage], None]:
    """Run a story on its implementation's own event loop, and clear the stage whatever happens."""

    @functools.wraps(story)
    def told(stage: Stage) -> None:
        async def whole() -> None:
            await stage.open()
            try:
                async with asyncio.timeout(4 * PATIENCE_S):
                    await story(stage)
            finally:
                with contextlib.suppress(asyncio.CancelledError):
                    await stage.close()

        with asyncio.Runner(loop_factory=stage.loop) as runner:
            runner.run(whole())

    return told
