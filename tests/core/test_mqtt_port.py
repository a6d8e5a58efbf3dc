"""The conformance suite of the MQTT port, against a real mosquitto: every implementation tells every story."""

import asyncio
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
import uvloop
from paho.mqtt.enums import MQTTProtocolVersion

from benchmarks.paho_port import PahoPort
from core.errors import LinkError
from core.mqtt.link import Link
from core.mqtt.port import Incoming, RetainHandling, Subscription, Will
from deploy.embedded.testing import TestBroker, start_test_broker
from tests.core.mqtt_stage import PATIENCE_S, Device, Stage, Tls, make_tls, on_stage, until

BOTH_VERSIONS = (MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5)


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestBroker]:
    """A broker that these tests may restart."""
    server = start_test_broker(Path(tmp_path_factory.mktemp("mqtt-port")))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return make_tls(Path(tmp_path_factory.mktemp("mqtt-tls")))


@pytest.fixture(
    params=[
        (Link, asyncio.new_event_loop, False),
        (Link, uvloop.new_event_loop, False),
        (Link, asyncio.new_event_loop, True),
        (Link, uvloop.new_event_loop, True),
        (PahoPort, asyncio.new_event_loop, False),
    ],
    ids=["link-asyncio", "link-uvloop", "link-asyncio-tls", "link-uvloop-tls", "paho"],
)
def stage(request: pytest.FixtureRequest, own_broker: TestBroker, tls: Tls) -> Stage:
    make, loop, encrypted = request.param
    return Stage(own_broker, make, loop, tls if encrypted else None)


async def publish(device: Device, topic: str, *payloads: bytes) -> None:
    for payload in payloads:
        await asyncio.to_thread(device.publish, topic, payload)


@on_stage
async def test_both_protocol_versions_of_an_independent_client_are_understood_both_ways(stage: Stage) -> None:
    link = await stage.link()
    hostile = bytes(range(256)) * 40
    for version in BOTH_VERSIONS:
        device = await stage.device(version)
        await asyncio.to_thread(device.subscribe, f"gas/v1/{stage.name}/down/#")
        await publish(device, stage.topic, b"", hostile)
        await until(lambda: hostile in stage.payloads)
        link.publish(f"gas/v1/{stage.name}/down/command", b"close 0", qos=0)
        link.publish(f"gas/v1/{stage.name}/down/command", b"close 1", qos=1)
        await until(functools.partial(device.has, 2))
        assert set(device.got) == {b"close 0", b"close 1"}
        ups = [m for m in stage.got if m.topic == stage.topic]
        assert [(m.payload, m.qos, m.retain, m.duplicate) for m in ups] == [(b"", 1, False, False), (hostile, 1, False, False)]
        await asyncio.to_thread(device.client.unsubscribe, f"gas/v1/{stage.name}/down/#")
        stage.got.clear()


@on_stage
async def test_held_acks_come_back_with_dup_exactly_the_unacknowledged(stage: Stage) -> None:
    link = await stage.link()
    device = await stage.device()
    await publish(device, stage.topic, *(b"%d" % n for n in range(10)))
    await until(lambda: len(stage.got) == 10)
    assert link.held == 10
    for n in (7, 0, 3):  # out of order
        stage.got[n].ack()
        stage.got[n].ack()
    assert link.held == 7
    # The marker behind the acknowledgements proves that the broker has read them.
    await link.publish(f"gas/v1/{stage.name}/down/ack", b"", qos=1)
    await until(lambda: len(stage.got) == 11)
    stage.got.pop().ack()
    before = list(stage.got)
    stage.got.clear()

    stage.wire.cut()
    await until(lambda: len(stage.got) >= 7)
    assert {m.payload: m.duplicate for m in stage.got if m.payload} == {b"%d" % n: True for n in (1, 2, 4, 5, 6, 8, 9)}
    for message in before:  # of the connection that was lost: nobody may hear of these
        message.ack()
    assert link.counts.acks_of_lost_connections == 7
    for message in stage.got[:2]:
        message.ack()
    again = [m.payload for m in stage.got[2:] if m.payload]
    await link.wait_connected(PATIENCE_S)
    await link.publish(f"gas/v1/{stage.name}/down/ack", b"", qos=1)
    stage.got.clear()

    stage.wire.cut()
    await until(lambda: len([p for p in stage.payloads if p]) >= 5)
    await publish(device, stage.topic, b"last")
    await until(lambda: b"last" in stage.payloads)
    assert [p for p in stage.payloads if p] == [*again, b"last"]


@on_stage
async def test_redelivery_that_comes_together_with_connack_is_seen(stage: Stage) -> None:
    await stage.link()
    device = await stage.device()
    sent = [bytes([65 + n]) * 200 for n in range(3)]
    await publish(device, stage.topic, *sent)
    await until(lambda: len(stage.got) == 3)
    stage.got.clear()
    stage.wire.hold_back(3 * 200 + 4)
    stage.wire.cut()
    await until(lambda: len(stage.got) == 3)
    assert stage.wire.largest_gush > 3 * 200  # CONNACK and the messages were one read
    assert stage.payloads == sent
    assert all(m.duplicate for m in stage.got)


@on_stage
async def test_what_is_published_while_the_broker_is_down_arrives_after_its_restart(stage: Stage) -> None:
    seen: list[bool] = []
    link = await stage.link(on_state=seen.append)
    listener = await stage.device(keeps_session=True)
    await asyncio.to_thread(listener.subscribe, f"gas/v1/{stage.name}/down/#")
    port = stage.broker.port
    stage.broker.server.stop()
    await until(lambda: not link.connected)
    futures = [link.publish(f"gas/v1/{stage.name}/down/command", b"close %d" % n, qos=1) for n in range(5)]
    link.publish(f"gas/v1/{stage.name}/down/command", b"open", qos=0)
    assert link.counts.dropped_qos0 == 1
    stage.broker.server.start(port)
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*futures)
    await until(lambda: len(listener.got) >= 5)
    assert listener.got == [b"close %d" % n for n in range(5)]
    await link.wait_connected(PATIENCE_S)
    assert seen == [True, False, True]


@on_stage
async def test_a_publish_that_was_not_confirmed_is_sent_again(stage: Stage) -> None:
    link = await stage.link(subscriptions=[])
    listener = await stage.device()
    await asyncio.to_thread(listener.subscribe, f"gas/v1/{stage.name}/down/#")
    stage.wire.freeze()
    future = link.publish(f"gas/v1/{stage.name}/down/command", b"close", qos=1)
    stage.wire.cut()
    async with asyncio.timeout(PATIENCE_S):
        await future
    await until(lambda: listener.got)
    assert set(listener.got) == {b"close"}


@on_stage
async def test_subscriptions_are_there_after_a_reconnect_to_a_lost_session(stage: Stage) -> None:
    link = await stage.link()
    stage.wire.cut(admits=False)
    await until(lambda: not link.connected)
    await stage.lose_session()
    stage.wire.admits = True
    await link.wait_connected(PATIENCE_S)
    device = await stage.device()
    await publish(device, stage.topic, b"leak")
    await until(lambda: stage.payloads == [b"leak"])


@on_stage
async def test_retained_status_comes_once_a_session_and_does_not_flood_a_reconnect(stage: Stage) -> None:
    device = await stage.device()
    status = f"gas/v1/{stage.name}/up/status"
    await asyncio.to_thread(device.publish, status, b"online", retain=True)
    link = await stage.link(subscriptions=[Subscription(status, 1, RetainHandling.NEW), stage.topic])
    await until(lambda: stage.got)
    assert [(m.payload, m.retain) for m in stage.got] == [(b"online", True)]
    stage.got.pop().ack()
    await link.publish(f"gas/v1/{stage.name}/down/ack", b"", qos=1)

    stage.wire.cut()
    await until(lambda: not link.connected)
    await link.wait_connected(PATIENCE_S)
    await publish(device, stage.topic, b"marker")
    await until(lambda: stage.got)
    assert stage.payloads == [b"marker"]
    stage.got.pop().ack()

    stage.wire.cut(admits=False)
    await until(lambda: not link.connected)
    await stage.lose_session()
    stage.wire.admits = True
    await until(lambda: stage.got)
    assert [(m.payload, m.retain) for m in stage.got] == [(b"online", True)]
    await asyncio.to_thread(device.publish, status, b"", retain=True)


@on_stage
async def test_a_live_message_with_a_wrong_retain_flag_is_live_unless_the_flag_is_asked_for(stage: Stage) -> None:
    other = f"gas/v1/{stage.name}/up/telemetry"
    await stage.link(subscriptions=[stage.topic, Subscription(other, keep_retain_flag=True)])
    device = await stage.device()
    for topic in (stage.topic, other):
        await asyncio.to_thread(device.publish, topic, b"live", retain=True)
        await asyncio.to_thread(device.publish, topic, b"", retain=True)
    await until(lambda: len(stage.got) == 4)
    assert [(m.topic == other, m.payload, m.retain) for m in stage.got if m.payload] == [(False, b"live", False), (True, b"live", True)]


@on_stage
async def test_a_message_that_its_handler_dies_of_holds_nobody(stage: Stage) -> None:
    poison = {b"poison"}

    def handler(message: Incoming) -> None:
        stage.got.append(message)
        if message.payload in poison:
            raise RuntimeError("cannot stomach this")
        message.ack()

    link = await stage.link(handler)
    device = await stage.device()
    await publish(device, stage.topic, b"1", b"poison", b"2", b"3")
    await until(lambda: len(stage.got) == 4)
    assert (link.connected, link.counts.connects, link.counts.handler_errors, link.held) == (True, 1, 1, 1)
    await link.publish(f"gas/v1/{stage.name}/down/ack", b"", qos=1)
    await until(lambda: len(stage.got) == 5)
    poison.clear()
    stage.got.clear()
    stage.wire.cut()
    await until(lambda: b"poison" in stage.payloads)
    assert [(m.payload, m.duplicate) for m in stage.got if m.payload] == [(b"poison", True)]


@on_stage
async def test_stop_writes_the_last_acknowledgements_and_no_will_is_sent(stage: Stage) -> None:
    watcher = await stage.device()
    await asyncio.to_thread(watcher.subscribe, f"gas/v1/{stage.name}/up/status")
    will = Will(f"gas/v1/{stage.name}/up/status", b"gone")
    link = await stage.link(stage.keep_and_ack, subscriptions=[stage.topic], will=will)
    await publish(watcher, stage.topic, b"1", b"2")
    await until(lambda: len(stage.got) == 2)
    await link.stop()
    assert not link.connected
    stage.got.clear()
    second = await stage.link(subscriptions=[stage.topic], will=will)
    await publish(watcher, stage.topic, b"3")
    await until(lambda: stage.got)
    assert stage.payloads == [b"3"]
    assert watcher.got == []
    stage.wire.cut(admits=False)
    await until(lambda: watcher.got)
    assert watcher.got == [b"gone"]
    await second.stop()


@on_stage
async def test_a_stopped_link_fails_what_the_broker_never_confirmed(stage: Stage) -> None:
    link = await stage.link()
    stage.wire.cut(admits=False)
    await until(lambda: not link.connected)
    future = link.publish(stage.topic, b"x", qos=1)
    await link.stop()
    with pytest.raises(LinkError):
        await future


@on_stage
async def test_the_newest_is_refused_when_too_much_is_unconfirmed(stage: Stage) -> None:
    link = await stage.link(unconfirmed_bound=3)
    stage.wire.cut(admits=False)
    await until(lambda: not link.connected)
    futures = [link.publish(stage.topic, b"%d" % n, qos=1) for n in range(3)]
    with pytest.raises(LinkError):
        link.publish(stage.topic, b"3", qos=1)
    assert link.counts.refused_full == 1
    stage.wire.admits = True
    await asyncio.gather(*futures)
    await until(lambda: len(stage.got) == 3)
    assert stage.payloads == [b"0", b"1", b"2"]


@on_stage
async def test_a_refused_link_says_why_and_comes_when_it_is_let_in(stage: Stage) -> None:
    options: dict[str, Any] = {"username": stage.name, "password": "wrong", "subscriptions": [f"gas/v1/{stage.name}/down/#"]}
    link = await stage.link(wait=False, **options)
    assert not link.connected
    with pytest.raises(LinkError, match=r"(?i)not authori[sz]ed"):
        await link.wait_connected(0.01)
    await link.stop()
    options["password"] = await asyncio.to_thread(stage.broker.account, stage.name)
    again = await stage.link(**options)
    assert again.connected


@on_stage
async def test_a_broker_that_is_not_there_is_waited_for(stage: Stage) -> None:
    stage.wire.admits = False
    link = await stage.link(wait=False)
    assert not link.connected
    stage.wire.admits = True
    await link.wait_connected(PATIENCE_S)


@on_stage
async def test_a_peer_that_fell_silent_is_left_and_found_again(stage: Stage) -> None:
    link = await stage.link(keep_alive_s=1)
    stage.wire.freeze()
    await until(lambda: not link.connected, "the silence was not noticed")
    stage.wire.cut()
    await link.wait_connected(PATIENCE_S)
    device = await stage.device()
    await publish(device, stage.topic, b"leak")
    await until(lambda: b"leak" in stage.payloads)


@on_stage
async def test_large_messages_and_bursts_arrive_whole_and_in_order(stage: Stage) -> None:
    link = await stage.link(stage.keep_and_ack)
    device = await stage.device(MQTTProtocolVersion.MQTTv5)
    big = b"m" * 1_500_000
    await publish(device, stage.topic, big)

    def burst() -> None:
        infos: list[paho.MQTTMessageInfo] = [device.client.publish(stage.topic, b"%d" % n, 1) for n in range(3_000)]
        for info in infos:
            info.wait_for_publish(PATIENCE_S)

    await asyncio.to_thread(burst)
    await until(lambda: len(stage.got) == 3_001)
    assert stage.payloads[0] == big
    assert stage.payloads[1:] == [b"%d" % n for n in range(3_000)]
    assert link.held == 0
