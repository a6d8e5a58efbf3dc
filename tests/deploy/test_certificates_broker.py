"""The door for devices with certificates, on a real mosquitto, by the independent client: who gets in, as whom, and who is shown out."""

import os
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import paho.mqtt.client as paho
import pytest
from cryptography import x509
from paho.mqtt.enums import CallbackAPIVersion

from core.errors import UserError
from core.mqtt.tls import client_context
from deploy.embedded.authority import Authority
from deploy.embedded.broker import choose_broker
from deploy.embedded.device_door import RENEW_AFTER_S, DeviceDoor
from deploy.embedded.mosquitto import MosquittoServer
from deploy.embedded.mqtt_probe import ACCEPTED, connect_code
from deploy.embedded.processes import LOOPBACK, free_port
from deploy.embedded.testing import TestBroker, start_test_broker

WAIT = 10.0


class Door:
    """A broker with a TLS listener and its authority."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority.create(folder / "authority")
        self.broker = start_test_broker(folder / "broker", self.authority.folder)
        self._clients: list[Client] = []

    def context(self, account: str, *, of: Authority | None = None, days: int = 30) -> ssl.SSLContext:
        return self.showing((of or self.authority).issue(account, days))

    def showing(self, pems: tuple[bytes, bytes]) -> ssl.SSLContext:
        certificate, key = self.folder / "shown.crt", self.folder / "shown.key"
        certificate.write_bytes(pems[0])
        key.write_bytes(pems[1])
        return client_context(self.authority.certificate_file, certificate, key)

    def admits(self, context: ssl.SSLContext) -> bool:
        return connect_code(LOOPBACK, self.broker.tls_port, tls=context) == ACCEPTED

    def device(self, context: ssl.SSLContext, **options: Any) -> "Client":
        self._clients.append(Client(self.broker.tls_port, context, **options))
        return self._clients[-1]

    def station(self, account: str) -> "Client":
        self._clients.append(Client(self.broker.port, None, account=account, password=self.broker.accounts[account]))
        return self._clients[-1]

    def leave(self) -> None:
        for client in self._clients:
            client.close()
        self._clients.clear()


class Client:
    """A paho client that is connected, says what it is told to say of itself, and hears what its subscriptions bring."""

    def __init__(
        self, port: int, context: ssl.SSLContext | None, *, account: str = "", password: str = "", client_id: str = "", kept: bool = False
    ) -> None:
        self.heard: SimpleQueue[tuple[str, bytes]] = SimpleQueue()
        self.losses: SimpleQueue[str] = SimpleQueue()
        self._granted: SimpleQueue[int] = SimpleQueue()
        come: SimpleQueue[bool] = SimpleQueue()
        self._paho = paho.Client(CallbackAPIVersion.VERSION2, client_id or "unheard", clean_session=not kept, reconnect_on_failure=False)
        if context is not None:
            self._paho.tls_set_context(context)
        if account:
            self._paho.username_pw_set(account, password)
        self._paho.on_connect = lambda client, data, flags, reason, properties: come.put(not reason.is_failure)
        self._paho.on_disconnect = lambda client, data, flags, reason, properties: self.losses.put(str(reason))
        self._paho.on_message = lambda client, data, message: self.heard.put((message.topic, bytes(message.payload)))
        self._paho.on_subscribe = lambda client, data, mid, codes, properties: self._granted.put(mid)
        self._paho.connect(LOOPBACK, port)
        self._paho.loop_start()
        assert come.get(timeout=WAIT)

    def subscribe(self, topic: str) -> None:
        self._paho.subscribe(topic, qos=1)
        self._granted.get(timeout=WAIT)

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 1 and wait for the broker's answer, whatever it thinks of it."""
        self._paho.publish(topic, payload, qos=1).wait_for_publish(WAIT)

    def close(self) -> None:
        self._paho.disconnect()
        self._paho.loop_stop()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    door = Door(Path(tmp_path_factory.mktemp("certificates")))
    yield door
    door.broker.stop()


@pytest.fixture
def door(whole: Door) -> Iterator[Door]:
    yield whole
    whole.leave()


def test_a_certificate_speaks_and_listens_under_its_own_account_alone(door: Door) -> None:
    line = door.station("line")
    device, other = door.device(door.context("X-1")), door.device(door.context("X-2"))
    line.subscribe("gas/v1/+/up/#")
    device.subscribe("gas/v1/+/down/#")
    other.subscribe("gas/v1/X-1/down/#")

    device.publish("gas/v1/X-2/up/alarm", b"as another")
    device.publish("gas/v1/X-1/down/command", b"a command of its own")
    device.publish("gas/station/dispatch", b"as the line")
    device.publish("gas/v1/X-1/up/alarm", b"own")
    line.publish("gas/v1/X-1/down/command", b"close")

    assert line.heard.get(timeout=WAIT) == ("gas/v1/X-1/up/alarm", b"own")
    assert device.heard.get(timeout=WAIT) == ("gas/v1/X-1/down/command", b"close")
    line.publish("gas/v1/X-1/down/ack", b"last")
    assert device.heard.get(timeout=WAIT) == ("gas/v1/X-1/down/ack", b"last")
    assert other.heard.empty()
    assert line.heard.empty()


def test_what_a_device_says_of_itself_beside_its_certificate_is_not_heard(door: Door) -> None:
    line = door.station("line")
    line.subscribe("gas/v1/+/up/#")
    liar = door.device(door.context("X-3"), account="line", password=door.broker.accounts["line"])
    liar.publish("gas/v1/X-9/down/command", b"open")
    liar.publish("gas/v1/X-3/up/alarm", b"own")
    assert line.heard.get(timeout=WAIT) == ("gas/v1/X-3/up/alarm", b"own")
    assert line.heard.empty()


def test_a_device_cannot_take_the_session_of_the_line_or_of_another_device(door: Door) -> None:
    password = door.broker.accounts["line"]
    line = Client(door.broker.port, None, account="line", password=password, client_id="line", kept=True)
    victim = door.device(door.context("X-4"), kept=True)
    try:
        for name in ("line", "X-4"):
            door.device(door.context("X-5"), client_id=name)
        line.subscribe("gas/v1/X-4/up/#")
        victim.publish("gas/v1/X-4/up/alarm", b"still here")
        assert line.heard.get(timeout=WAIT) == ("gas/v1/X-4/up/alarm", b"still here")
        assert line.losses.empty()
        assert victim.losses.empty()
    finally:
        line.close()


def _nothing(door: Door, folder: Path) -> ssl.SSLContext:
    return client_context(door.authority.certificate_file)


def _expired(door: Door, folder: Path) -> ssl.SSLContext:
    return door.context("X-6", days=0)


def _foreign(door: Door, folder: Path) -> ssl.SSLContext:
    return door.context("X-6", of=Authority.create(folder / "foreign"))


def _namesake(door: Door, folder: Path) -> ssl.SSLContext:
    """An authority that bears the very name of ours."""
    return door.context("X-6", of=Authority.create(folder / "namesake", "Gas Sentinel"))


def _the_brokers(door: Door, folder: Path) -> ssl.SSLContext:
    return door.showing(door.authority.issue_server([LOOPBACK]))


def _revoked(door: Door, folder: Path) -> ssl.SSLContext:
    context = door.context("X-7")
    assert door.admits(context)
    assert door.authority.revoke("X-7") == 1
    door.broker.server.renew_door()
    return context


@pytest.mark.parametrize("shown", [_nothing, _expired, _foreign, _namesake, _the_brokers, _revoked])
def test_who_is_refused(door: Door, tmp_path: Path, shown: Callable[[Door, Path], ssl.SSLContext]) -> None:
    context = shown(door, tmp_path)
    assert not door.admits(context)
    # A password is no way round.
    line = door.broker.accounts["line"]
    assert connect_code(LOOPBACK, door.broker.tls_port, "line", line, tls=context) != ACCEPTED
    assert door.admits(door.context("X-8"))


def test_the_plain_listener_asks_for_passwords_as_ever(door: Door) -> None:
    assert connect_code(LOOPBACK, door.broker.port) not in (ACCEPTED, -1)
    assert connect_code(LOOPBACK, door.broker.port, "line", door.broker.accounts["line"]) == ACCEPTED
    assert connect_code(LOOPBACK, door.broker.tls_port, "line", door.broker.accounts["line"]) != ACCEPTED


def test_revoking_ends_a_connection_and_leaves_the_close_that_waits_to_the_next_certificate(door: Door) -> None:
    line = door.station("line")
    thief = door.device(door.context("R-1"), kept=True)
    thief.subscribe("gas/v1/R-1/down/#")
    neighbour = door.device(door.context("R-2"), kept=True)
    neighbour.subscribe("gas/v1/R-2/down/#")

    door.authority.revoke("R-1")
    # The server's own watch may have been quicker.
    assert door.broker.server.renew_door() in (["R-1"], [])
    assert thief.losses.get(timeout=WAIT)
    line.publish("gas/v1/R-1/down/command", b"close")
    line.publish("gas/v1/R-2/down/command", b"close 2")
    assert neighbour.heard.get(timeout=WAIT) == ("gas/v1/R-2/down/command", b"close 2")
    assert neighbour.losses.empty()

    lawful = door.device(door.context("R-1"), kept=True)
    assert lawful.heard.get(timeout=WAIT) == ("gas/v1/R-1/down/command", b"close")
    assert thief.heard.empty()
    # Nothing of the showing out is left: the account has no password.
    assert "R-1" not in (door.broker.server.folder / "passwords").read_text(encoding="utf-8")


def test_revoking_is_noticed_by_a_running_broker_without_being_told(door: Door) -> None:
    thief = door.device(door.context("R-3"))
    door.authority.revoke("R-3")
    assert thief.losses.get(timeout=WAIT)


def test_several_revoked_at_once_and_one_after_the_other_within_a_second_are_all_refused(door: Door) -> None:
    contexts = [door.context(f"R-4{n}") for n in range(4)]
    for n in range(4):
        door.authority.revoke(f"R-4{n}")
        if n % 2:
            door.broker.server.renew_door()
    assert [door.admits(context) for context in contexts] == [False] * 4


def test_a_reload_loses_no_message_and_no_connection(door: Door) -> None:
    line, device = door.station("line"), door.device(door.context("R-5"))
    line.subscribe("gas/v1/R-5/up/#")
    for n in range(60):
        if n % 20 == 10:
            door.context(f"R-6{n}")
            door.authority.revoke(f"R-6{n}")
            door.broker.server.renew_door()
        device.publish("gas/v1/R-5/up/alarm", b"%d" % n)
    assert [line.heard.get(timeout=WAIT)[1] for _ in range(60)] == [b"%d" % n for n in range(60)]
    assert device.losses.empty()
    assert line.losses.empty()


def test_a_revocation_outlives_the_broker(door: Door) -> None:
    context = door.context("R-7")
    door.authority.revoke("R-7")
    server = door.broker.server
    assert server.pid is not None
    _kill(server)
    server.start(door.broker.port)
    assert not door.admits(context)
    assert door.admits(door.context("R-8"))


def test_the_broker_comes_back_with_the_files_that_it_has_when_the_authority_is_gone(door: Door) -> None:
    revoked, standing = door.context("R-71"), door.context("R-72")
    door.authority.revoke("R-71")
    door.broker.server.renew_door()
    kept = door.authority.revocations_file.read_bytes()
    door.authority.revocations_file.unlink()
    try:
        _kill(door.broker.server)
        door.broker.server.start(door.broker.port)
        assert not door.admits(revoked)
        assert door.admits(standing)
    finally:
        door.authority.revocations_file.write_bytes(kept)


def test_a_first_start_without_a_list_is_refused(tmp_path: Path) -> None:
    Authority.create(tmp_path / "authority").revocations_file.unlink()
    with pytest.raises(UserError, match="cannot be used"):
        start_test_broker(tmp_path / "broker", tmp_path / "authority")


def test_a_list_of_another_authority_is_not_carried_to_the_broker(door: Door, tmp_path: Path) -> None:
    known = door.context("R-9")
    stranger = Authority.create(tmp_path / "stranger", "Gas Sentinel")
    kept = door.authority.revocations_file.read_bytes()
    server = door.broker.server
    assert server.door is not None
    watched = DeviceDoor(door.authority.folder, server.door.port)
    watched.files()
    for wrong in (stranger.revocations_file.read_bytes(), b"nonsense"):
        door.authority.revocations_file.write_bytes(wrong)
        with pytest.raises(UserError, match="cannot be used"):
            watched.news()
        assert watched.news() == ({}, [])  # said once, until it changes again
    assert door.admits(known)
    door.authority.revocations_file.write_bytes(kept)
    for _ in range(2):  # until somebody says that the broker has it
        assert watched.news()[0].keys() == {"revoked.crl"}
    watched.delivered()
    assert watched.news() == ({}, [])


def test_the_brokers_own_certificate_is_renewed_long_before_it_ends(tmp_path: Path) -> None:
    Authority.create(tmp_path / "authority")
    now = time.time()
    clock = [now]
    broker = start_test_broker(tmp_path / "broker")
    broker.server.stop()
    try:
        broker.server.door = DeviceDoor(tmp_path / "authority", free_port(), clock=lambda: clock[0])
        broker.server.start(broker.port)
        first = _shown(broker)
        assert broker.server.renew_door() == []
        assert _shown(broker).serial_number == first.serial_number
        clock[0] += RENEW_AFTER_S + 1
        broker.server.renew_door()
        deadline = time.monotonic() + WAIT
        while _shown(broker).serial_number == first.serial_number:
            assert time.monotonic() < deadline, "the broker still shows its first certificate"
        assert first.not_valid_after_utc.timestamp() > clock[0] + RENEW_AFTER_S
    finally:
        broker.stop()


def test_without_mosquitto_there_is_no_such_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Authority.create(tmp_path / "authority")
    monkeypatch.setattr("deploy.embedded.broker.obtain", lambda say: None)
    with pytest.raises(UserError, match="rumqttd knows no client certificates"):
        choose_broker(tmp_path, {"line": "x"}, door=DeviceDoor(tmp_path / "authority", 0))


def _kill(server: MosquittoServer) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    deadline = time.monotonic() + WAIT
    while server.running():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _shown(broker: TestBroker) -> x509.Certificate:
    return x509.load_pem_x509_certificate(ssl.get_server_certificate((LOOPBACK, broker.tls_port)).encode())
