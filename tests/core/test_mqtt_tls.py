"""The link over TLS against mosquitto's own listener: a device proves itself by its certificate, and a broker by its own."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from core.errors import LinkError, UserError
from core.mqtt.dial import dial
from core.mqtt.link import Link
from core.mqtt.port import Incoming, Will
from core.mqtt.tls import client_context
from deploy.embedded.authority import Authority
from deploy.embedded.testing import TestBroker, start_test_broker
from tests.core.mqtt_stage import PATIENCE_S, Wire, until


class Door:
    """A broker with a TLS listener, and who may come in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority.create(folder / "authority")
        self.broker = start_test_broker(folder / "broker", self.authority.folder)

    def context(self, account: str, days: int = 30) -> ssl.SSLContext:
        certificate, key = self.folder / f"{account}.crt", self.folder / f"{account}.key"
        pems = self.authority.issue(account, days)
        certificate.write_bytes(pems[0])
        key.write_bytes(pems[1])
        return client_context(self.authority.certificate_file, certificate, key)

    def link(
        self, account: str, got: list[Incoming], tls: ssl.SSLContext, host: str = "127.0.0.1", port: int = 0, will: Will | None = None
    ) -> Link:
        below = [f"gas/v1/{account}/down/#"]
        return Link(host, port or self.broker.tls_port, account, on_message=got.append, subscriptions=below, will=will, tls=tls)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    made = Door(Path(tmp_path_factory.mktemp("door")))
    yield made
    made.broker.stop()


def line_of(broker: TestBroker, got: list[Incoming], account: str) -> Link:
    password = broker.accounts["line"]
    return Link(
        broker.host,
        broker.port,
        f"ear-{account}",
        "line",
        password,
        on_message=got.append,
        subscriptions=[f"gas/v1/{account}/up/#"],
        session_expiry_s=0,
    )


async def test_a_device_with_a_certificate_is_heard_and_commanded_and_finds_its_session_again(door: Door) -> None:
    heard: list[Incoming] = []
    commands: list[Incoming] = []
    line, device = line_of(door.broker, heard, "TLS-1"), door.link("TLS-1", commands, door.context("TLS-1"))
    await line.start()
    await device.start()
    await line.wait_connected(PATIENCE_S)
    await device.wait_connected(PATIENCE_S)
    await device.publish("gas/v1/TLS-1/up/alarm", b"leak", qos=1)
    await until(lambda: [m.payload for m in heard] == [b"leak"])
    await line.publish("gas/v1/TLS-1/down/command", b"close", qos=1)
    await until(lambda: [m.payload for m in commands] == [b"close"])

    # Held, then gone without an acknowledgement: it comes again, over a new handshake.
    await device.stop()
    again = door.link("TLS-1", commands, door.context("TLS-1"))
    await again.start()
    await until(lambda: len(commands) == 2)
    assert commands[1].duplicate
    commands[1].ack()
    await again.stop()
    await line.stop()


async def test_a_will_is_sent_for_a_device_whose_encrypted_line_breaks(door: Door) -> None:
    heard: list[Incoming] = []
    line = line_of(door.broker, heard, "TLS-2")
    await line.start()
    await line.wait_connected(PATIENCE_S)
    wire = Wire("127.0.0.1", door.broker.tls_port)
    will = Will("gas/v1/TLS-2/up/status", b"gone")
    device = door.link("TLS-2", [], door.context("TLS-2"), port=await wire.open(), will=will)
    await device.start()
    await device.wait_connected(PATIENCE_S)
    wire.cut(admits=False)
    await until(lambda: [m.payload for m in heard] == [b"gone"] and not device.connected)
    wire.admits = True
    await device.wait_connected(PATIENCE_S)
    assert (device.counts.connects, device.counts.losses) == (2, 1)
    await device.stop()
    await line.stop()
    await wire.close()


async def test_a_broker_that_another_authority_vouches_for_is_not_believed(door: Door, tmp_path: Path) -> None:
    stranger = Authority.create(tmp_path / "stranger")
    link = door.link("TLS-3", [], client_context(stranger.certificate_file))
    await link.start()
    assert not link.connected
    with pytest.raises(LinkError, match="certificate verify failed"):
        await link.wait_connected(0.01)
    await link.stop()


async def test_a_broker_under_another_name_is_not_believed(door: Door) -> None:
    # Reached, but its certificate does not bear this address.
    link = door.link("TLS-4", [], door.context("TLS-4"), host="127.0.0.2")
    await link.start()
    assert not link.connected
    await link.stop()
    context = door.context("TLS-4")
    with (
        socket.create_connection(("127.0.0.1", door.broker.tls_port)) as raw,
        pytest.raises(ssl.SSLCertVerificationError, match="mismatch"),
    ):
        context.wrap_socket(raw, server_hostname="another.invalid")


async def test_a_link_that_is_refused_says_so_and_keeps_trying(door: Door) -> None:
    link = door.link("TLS-5", [], client_context(door.authority.certificate_file))  # shows nothing
    await link.start()
    await until(lambda: link.counts.connect_failures >= 2)
    assert not link.connected
    assert link.last_error is not None
    await link.stop()


async def test_no_segment_waits_for_company_under_tls_either(door: Door) -> None:
    socks: list[socket.socket] = []

    class Silent(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast(asyncio.Transport, transport)
            self.lost = asyncio.get_running_loop().create_future()

        def connection_lost(self, exc: Exception | None) -> None:
            self.lost.set_result(None)

    def make(sock: socket.socket) -> Silent:
        socks.append(sock)
        return Silent()

    protocol = await dial("127.0.0.1", door.broker.tls_port, door.context("TLS-6"), make)
    assert [sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0 for sock in socks] == [True]
    protocol.transport.abort()
    await protocol.lost


@pytest.mark.parametrize("broken", ["authority", "certificate"])
def test_files_that_cannot_be_used_are_one_reason_in_two_languages(tmp_path: Path, broken: str) -> None:
    (tmp_path / "nonsense").write_text("nonsense", encoding="utf-8")
    with pytest.raises(UserError, match="certificate files cannot be used"):
        client_context(**{broken: tmp_path / "nonsense"})
