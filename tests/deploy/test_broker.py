"""The embedded broker as strangers and devices meet it, by the independent client."""

import json
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import paho.mqtt.client as paho
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from core.registry.credentials import password_hash
from deploy.data_folder import DataFolder, write_private
from deploy.embedded.broker_accounts import BrokerAccounts
from deploy.embedded.mosquitto_files import configuration, password_lines
from deploy.embedded.mqtt_probe import ACCEPTED, connect_code
from deploy.embedded.processes import LOOPBACK, free_port
from deploy.embedded.rumqttd import RumqttdServer
from deploy.embedded.testing import TestBroker

WAIT = 10.0


class Client:
    """A paho client that is connected, and hears what its subscriptions bring from then on: what other tests left retained at the broker
    that they share is not its business.
    """

    def __init__(
        self,
        port: int,
        account: str,
        password: str,
        version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311,
        *,
        session: str = "",
    ) -> None:
        """``session`` names a session that the broker keeps; without one it is a passing visitor."""
        self.heard: SimpleQueue[tuple[str, bytes]] = SimpleQueue()
        self._granted: SimpleQueue[int] = SimpleQueue()
        kept: dict[str, Any] = {"client_id": session, "clean_session": False} if session else {}
        self._paho = paho.Client(CallbackAPIVersion.VERSION2, protocol=version, **kept)
        self._paho.username_pw_set(account, password)
        self._paho.on_message = lambda client, data, message: self._hear(message)
        self._paho.on_subscribe = lambda client, data, mid, codes, properties: self._granted.put(mid)
        self._paho.connect(LOOPBACK, port)
        self._paho.loop_start()

    def subscribe(self, topic: str) -> None:
        self._paho.subscribe(topic, qos=1)
        self._granted.get(timeout=WAIT)

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 1 and wait for the broker's answer, whatever it thinks of it."""
        self._paho.publish(topic, payload, qos=1).wait_for_publish(WAIT)

    def _hear(self, message: paho.MQTTMessage) -> None:
        if not message.retain:
            self.heard.put((message.topic, bytes(message.payload)))

    def close(self) -> None:
        self._paho.disconnect()
        self._paho.loop_stop()


@pytest.fixture
def clients(broker: TestBroker) -> Iterator["Clients"]:
    clients = Clients(broker)
    yield clients
    for client in clients.made:
        client.close()


class Clients:
    """Makes clients of one broker."""

    def __init__(self, broker: TestBroker) -> None:
        self._broker = broker
        self.made: list[Client] = []

    def of(self, account: str) -> Client:
        client = Client(self._broker.port, account, self._broker.account(account))
        self.made.append(client)
        return client


def test_anonymous_and_wrong_password_are_refused(broker: TestBroker) -> None:
    assert connect_code(broker.host, broker.port) not in (ACCEPTED, -1)
    assert connect_code(broker.host, broker.port, "line", "wrong") not in (ACCEPTED, -1)
    assert connect_code(broker.host, broker.port, "line", broker.accounts["line"]) == ACCEPTED


def test_a_device_speaks_and_listens_under_its_own_name_alone(clients: Clients) -> None:
    line, device, other = clients.of("line"), clients.of("ACL-1"), clients.of("ACL-2")
    line.subscribe("gas/v1/+/up/#")
    device.subscribe("gas/v1/+/down/#")
    other.subscribe("gas/v1/ACL-1/down/#")

    device.publish("gas/v1/ACL-2/up/alarm", b"as another")
    device.publish("gas/v1/ACL-1/down/command", b"a command of its own")
    device.publish("gas/station/dispatch", b"as the line")
    device.publish("gas/v1/ACL-1/up/alarm", b"own")
    line.publish("gas/v1/ACL-1/down/command", b"close")
    line.publish("gas/v1/ACL-2/down/command", b"for the other")

    # Each publisher is heard in its order: what was denied would have come before.
    assert line.heard.get(timeout=WAIT) == ("gas/v1/ACL-1/up/alarm", b"own")
    assert device.heard.get(timeout=WAIT) == ("gas/v1/ACL-1/down/command", b"close")
    line.publish("gas/v1/ACL-1/down/ack", b"last")
    assert device.heard.get(timeout=WAIT) == ("gas/v1/ACL-1/down/ack", b"last")
    assert other.heard.empty()
    assert line.heard.empty()


def test_the_stations_talk_to_each_other_and_dispatch_commands_no_meter(clients: Clients) -> None:
    line, dispatch, device = clients.of("line"), clients.of("dispatch"), clients.of("ACL-3")
    line.subscribe("gas/station/line")
    dispatch.subscribe("gas/station/dispatch")
    device.subscribe("gas/v1/ACL-3/down/#")

    dispatch.publish("gas/v1/ACL-3/down/command", b"not its business")
    dispatch.publish("gas/station/line", b"taken")
    line.publish("gas/station/dispatch", b"order")
    line.publish("gas/v1/ACL-3/down/command", b"close")

    assert line.heard.get(timeout=WAIT) == ("gas/station/line", b"taken")
    assert dispatch.heard.get(timeout=WAIT) == ("gas/station/dispatch", b"order")
    assert device.heard.get(timeout=WAIT) == ("gas/v1/ACL-3/down/command", b"close")


def test_the_fleet_account_plays_every_device(clients: Clients) -> None:
    line, fleet = clients.of("line"), clients.of("fleet")
    line.subscribe("gas/v1/+/up/#")
    fleet.subscribe("gas/v1/+/down/#")
    fleet.publish("gas/v1/D-77/up/alarm", b"leak")
    line.publish("gas/v1/D-77/down/command", b"close")
    assert line.heard.get(timeout=WAIT) == ("gas/v1/D-77/up/alarm", b"leak")
    assert fleet.heard.get(timeout=WAIT) == ("gas/v1/D-77/down/command", b"close")


@pytest.mark.parametrize(
    "account", ["line", "dispatch", "fleet", "canary", "canary-meter", "line-telemetry", "_anything", "a b", "", "x" * 33, "a:b", "a\nline"]
)
def test_a_device_row_never_becomes_a_station(account: str) -> None:
    hashed = password_hash("mine")
    lines = password_lines({"line": "$7$101$c3RhdGlvbg==$c3RhdGlvbg=="}, {account: hashed, "D-1": hashed})
    assert lines.splitlines() == ["line:$7$101$c3RhdGlvbg==$c3RhdGlvbg==", f"D-1:{hashed}"]


@pytest.mark.parametrize("hashed", ["", "plain", "$7$101$abcd", "$7$101$YWFh\n$YWFh", "$7$101$YWFhYQ==$YWFhYQ==\nline:x", "$6$a$b"])
def test_what_is_no_hash_gets_no_line(hashed: str) -> None:
    assert password_lines({}, {"D-1": hashed}).strip() == ""


def test_accounts_reach_the_broker_from_the_database(broker: TestBroker, database: str) -> None:
    given: SimpleQueue[dict[str, str]] = SimpleQueue()
    keeper = BrokerAccounts(lambda: database, lambda hashes: given.put(dict(hashes)))
    keeper.start()
    try:
        assert given.get(timeout=WAIT) == {}
        hashed = password_hash("hub's own")
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("INSERT INTO broker_accounts VALUES ('HUB-9', %s)", (hashed,))
            connection.execute("NOTIFY broker_accounts")
        assert given.get(timeout=WAIT) == {"HUB-9": hashed}
    finally:
        keeper.stop()
    with pytest.raises(Empty):
        given.get_nowait()


def test_new_accounts_cost_nobody_a_session_a_connection_or_a_message(broker: TestBroker, clients: Clients) -> None:
    password = broker.account("ACL-5")
    absent = Client(broker.port, "ACL-5", password, session="ACL-5")
    absent.subscribe("gas/v1/ACL-5/down/#")
    absent.close()
    line, device = clients.of("line"), clients.of("ACL-6")
    line.subscribe("gas/v1/+/up/#")
    line.publish("gas/v1/ACL-5/down/command", b"close")
    for n in range(30):
        if n % 10 == 5:
            broker.account(f"ACL-7{n}")  # a reload
        device.publish("gas/v1/ACL-6/up/alarm", b"%d" % n)
    assert [line.heard.get(timeout=WAIT)[1] for _ in range(30)] == [b"%d" % n for n in range(30)]
    back = Client(broker.port, "ACL-5", password, session="ACL-5")
    assert back.heard.get(timeout=WAIT) == ("gas/v1/ACL-5/down/command", b"close")
    back.close()


def test_the_canarys_two_accounts_have_the_rights_of_a_device(clients: Clients) -> None:
    line, detector, meter = clients.of("line"), clients.of("canary-detector"), clients.of("canary-meter")
    line.subscribe("gas/v1/+/up/#")
    meter.subscribe("gas/v1/+/down/#")
    detector.publish("gas/v1/D-1/up/alarm", b"as another")
    detector.publish("gas/v1/canary-meter/down/command", b"not its business")
    detector.publish("gas/v1/canary-detector/up/alarm", b"leak")
    line.publish("gas/v1/canary-meter/down/command", b"close")
    assert line.heard.get(timeout=WAIT) == ("gas/v1/canary-detector/up/alarm", b"leak")
    assert meter.heard.get(timeout=WAIT) == ("gas/v1/canary-meter/down/command", b"close")
    assert line.heard.empty()


def test_an_older_folder_gets_the_passwords_that_it_lacks_and_keeps_the_others(tmp_path: Path) -> None:
    write_private(tmp_path / "secrets.json", json.dumps({"line": "old", "dispatch": "older", "fleet": "oldest"}))
    passwords = DataFolder(tmp_path).station_passwords()
    assert {name: passwords[name] for name in ("line", "dispatch", "fleet")} == {"line": "old", "dispatch": "older", "fleet": "oldest"}
    assert len({passwords["canary-detector"], passwords["canary-meter"]} - {"old", "older", "oldest", ""}) == 2
    assert DataFolder(tmp_path).station_passwords() == passwords


def test_rumqttd_carries_messages_and_refuses_strangers(tmp_path: Path) -> None:
    server = RumqttdServer(tmp_path, {"line": "one", "fleet": "two"})
    server.start(free_port())
    try:
        assert server.access_control is False
        assert connect_code(LOOPBACK, server.port_311) != ACCEPTED
        assert connect_code(LOOPBACK, server.port_311, "line", "two") != ACCEPTED
        line = Client(server.port, "line", "one", MQTTProtocolVersion.MQTTv5)
        fleet = Client(server.port_311, "fleet", "two")
        line.subscribe("gas/v1/+/up/#")
        fleet.publish("gas/v1/D-1/up/alarm", b"leak")
        assert line.heard.get(timeout=WAIT) == ("gas/v1/D-1/up/alarm", b"leak")
        line.close()
        fleet.close()
    finally:
        server.stop()
    assert not server.running()


@pytest.mark.parametrize(("saved_bytes", "seconds"), [(0, 1), (5_000_000, 1), (5_000_001, 5), (10**9, 5)])
def test_the_broker_saves_every_second_until_a_save_is_felt(tmp_path: Path, saved_bytes: int, seconds: int) -> None:
    assert f"\nautosave_interval {seconds}\n" in configuration(tmp_path, 1883, None, saved_bytes=saved_bytes)


def test_sessions_survive_a_restart_of_the_broker(broker: TestBroker) -> None:
    # On the run's own broker: it comes back on its port, with what was waiting.
    password = broker.account("ACL-9")
    first = Client(broker.port, "ACL-9", password, session="ACL-9")
    first.subscribe("gas/v1/ACL-9/down/#")
    first.close()
    line = Client(broker.port, "line", broker.accounts["line"])
    line.publish("gas/v1/ACL-9/down/command", b"close")
    line.close()

    broker.server.stop()
    broker.server.start(broker.port)

    again = Client(broker.port, "ACL-9", password, session="ACL-9")
    assert again.heard.get(timeout=WAIT) == ("gas/v1/ACL-9/down/command", b"close")
    again.close()
