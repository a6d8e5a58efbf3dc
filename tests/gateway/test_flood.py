"""A flooding account: its first leaks are acted on, the rest is counted, and nobody else waits for it."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from core import topics
from tests.gateway.door_stage import Door


@pytest.fixture
async def door() -> Door:
    return Door()


def flooded() -> float:
    return REGISTRY.get_sample_value("gas_line_flooded_items_total") or 0.0


async def test_ten_items_a_second_are_no_flood(door: Door) -> None:
    before = flooded()
    for _ in range(30):
        for _ in range(10):
            door.say("D1", "alarm", door.item(event="fault"))
        await door.clock.advance(1.0)
    assert (flooded(), door.tasks(), len(door.promises("D1"))) == (before, [], 300)


async def test_a_hub_may_send_as_much_for_each_device_that_it_serves(door: Door) -> None:
    before = flooded()
    assert len([d for d in door.state.registry.devices.values() if d.account == "HUB" and d.kind != "hub"]) == 6
    door.say("HUB", "alarm", *(door.item(device_id="D3", event="fault") for _ in range(60)))
    assert (flooded(), door.tasks()) == (before, [])
    door.say("HUB", "alarm", door.item(device_id="D3", event="fault"))
    assert (flooded(), [task.kind for task in door.tasks()]) == (before + 1, ["account_flooding"])


async def test_in_a_flood_the_first_leak_of_each_device_is_acted_on_and_the_rest_counted(door: Door) -> None:
    before = flooded()
    door.say("HUB", "alarm", *(door.item(device_id="D3", event="fault") for _ in range(100)))
    promised = len(door.promises("HUB"))
    assert (promised, flooded()) == (60, before + 40)
    door.say("HUB", "alarm", door.item(device_id="D4", event="leak"), door.item(device_id="D5", ch4_lel=30.0, event="tamper"))
    assert [c.device_id for c in door.commands("HUB")] == ["M4", "M5"]
    assert len(door.promises("HUB")) == promised + 2
    for _ in range(50):
        message = door.say("HUB", "alarm", door.item(device_id="D4", event="leak"), door.item(device_id="D4", event="valve_closed"))
        assert message.acks == 1
    assert len(door.promises("HUB")) == promised + 2
    assert flooded() == before + 40 + 100
    (task,) = door.tasks()
    assert (task.kind, task.home_id, task.simulated) == ("account_flooding", "H3", True)
    assert task.detail == {"account": "HUB", "items_per_s": 60.0}


async def test_methane_below_the_set_point_does_not_use_up_the_first_leak(door: Door) -> None:
    door.say("D1", "alarm", *(door.item(event="fault", ch4_lel=5.0) for _ in range(50)))
    assert door.commands("M1") == []
    door.say("D1", "alarm", door.item(event="fault", ch4_lel=12.0))
    assert len(door.commands("M1")) == 1


async def test_a_leak_that_lasts_is_let_through_again_so_that_an_opened_valve_closes(door: Door) -> None:
    async def flood(seconds: int) -> None:
        for _ in range(seconds):
            door.say("D1", "alarm", *(door.item(event="leak") for _ in range(20)))
            await door.clock.advance(1.0)

    await flood(1)
    close = door.commands("M1")[-1]
    about = {"command_id": str(close.command_id), "order_no": close.order_no, "command": "close_valve", "valve": "closed"}
    door.say("M1", "ack", door.item(result="done", **about))
    assert door.state.open_by_place["H1"].is_closed
    await flood(5)
    sent = len(door.commands("M1"))
    door.say("M1", "telemetry", door.item(volume_m3=1.1, flow_m3h=0.4, valve="open"))
    await flood(10)
    assert len({c.command_id for c in door.commands("M1")}) > len({c.command_id for c in door.commands("M1")[:sent]})


async def test_it_is_reported_once_an_hour_and_ends_when_the_account_is_quiet(door: Door) -> None:
    for _ in range(3):
        door.say("D1", "alarm", *(door.item(event="fault") for _ in range(100)))
        await door.clock.advance(5.0)
    assert len(door.tasks()) == 1
    await door.clock.advance(20.0)
    promised = len(door.promises("D1"))
    door.say("D1", "alarm", door.item(event="fault"))
    assert len(door.promises("D1")) == promised + 1
    await door.clock.advance(3_600.0)
    door.say("D1", "alarm", *(door.item(event="fault") for _ in range(100)))
    assert len(door.tasks()) == 2
    assert len({task.message_id for task in door.tasks()}) == 2


@pytest.mark.parametrize("hostile", ["D2", "HUB", "STRANGER"])
async def test_a_hostile_account_is_bounded_in_memory_and_hides_nobodys_leak(door: Door, hostile: str) -> None:
    """10,000 alarms with made-up devices and garbage; in their midst another home leaks."""

    def hostile_message(number: int) -> bytes | dict[str, Any]:
        match number % 4:
            case 0:
                return door.item(device_id=f"made-up-{number}", event="leak")
            case 1:
                return b"garbage %d" % number
            case 2:
                return json.dumps([{"device_id": f"X{number}", "noise": number}, number, None]).encode()
            case _:
                return {"event": "leak", "device_id": f"../{number}", "ts": "now", "boot": -1}

    for number in range(5_000):
        assert door.say(hostile, "alarm", hostile_message(number)).acks == 1
    leak = door.item(event="leak")
    assert door.say("D1", "alarm", leak).acks == 1
    (close,) = door.commands("M1")
    assert (close.device_id, close.command) == ("M1", "close_valve")
    assert [p.seq for p in door.promises("D1")] == [leak["seq"]]
    for number in range(5_000, 10_000):
        assert door.say(hostile, "alarm", hostile_message(number)).acks == 1
    assert [task.kind for task in door.tasks()] == ["account_flooding"]
    assert door.quarantine.waiting < 50
    assert door.lane._flood.remembered < 10
    assert len(door.state.alarms._by_device) < 50
    assert len(door.state.devices.views) < 20
    assert len(door.keeper.rows) < 100
    assert len(door.state.incidents) <= 4
    assert {o.incident_kind for o in door.orders()} <= {"leak", "unknown_sender", "garbled_alarm"}


_WHAT = st.sampled_from(["leak", "over", "under", "garbage", "made-up", "nameless"])
_SAID = st.tuples(
    st.sampled_from(["HUB", "D1", "D2", "STRANGER"]), st.integers(1, 5), _WHAT, st.integers(1, 40), st.sampled_from([0.0, 0.1, 3.0])
)


@settings(max_examples=60, deadline=None)
@given(said=st.lists(_SAID, min_size=1, max_size=40))
def test_whatever_floods_the_first_leak_of_a_placed_device_is_never_delayed(said: list[tuple[str, int, str, int, float]]) -> None:
    """After each message, every home of which it tells a leak has its incident and its close."""

    async def play() -> None:
        door = Door()
        for account, number, what, times, pause_s in said:
            device = {} if what == "nameless" else {"device_id": f"X{number}" if what == "made-up" else f"D{number}"}
            about: dict[str, dict[str, Any]] = {"leak": {"event": "leak"}, "over": {"event": "fault", "ch4_lel": 11.0}}
            more = about.get(what, {"event": "leak" if what in ("made-up", "nameless") else "fault", "ch4_lel": 1.0})
            items: list[Any] = [7 if what == "garbage" else door.item(**device, **more) for _ in range(times)]
            message = door.say(account, "alarm", *items)
            assert message.acks == 1
            if what in ("leak", "over") and account != "STRANGER":
                assert f"H{number}" in door.state.open_by_place
                served = "HUB" if number > 2 else f"M{number}"
                assert f"M{number}" in {close.device_id for close in door.commands(served)}
            await door.clock.advance(pause_s)

    asyncio.run(play())


async def test_accounts_that_nobody_can_count_are_forgotten(door: Door) -> None:
    for number in range(10_500):
        door.lane._flood.counts(f"A{number}", door.clock.now_ms())
    assert door.lane._flood.remembered <= 10_000
    await door.clock.advance(60.0)
    door.lane._flood.counts("NEW", door.clock.now_ms())
    assert door.lane._flood.remembered < 10


async def test_no_close_waits_for_the_report_of_a_flood_nor_for_a_walk_over_the_registry(door: Door) -> None:
    class City(dict[str, Any]):
        """A registry that is too large to be walked over."""

        def __iter__(self) -> Any:
            raise AssertionError

        keys = values = items = __iter__

    door.state.registry.devices = City(door.state.registry.devices)
    faults = [door.item(device_id="D3", event="fault") for _ in range(60)]
    door.say("HUB", "alarm", *faults, door.item(device_id="D4", event="leak"))
    (task,) = door.tasks()
    assert (task.kind, task.home_id, task.detail) == ("account_flooding", "H3", {"account": "HUB", "items_per_s": 60.0})
    sent = [(topic, b"account_flooding" in payload) for topic, payload, _ in door.wire.sent]
    assert sent.index((topics.down_command("HUB"), False)) < sent.index((topics.TO_DISPATCH, True))
    rows = [(bool(rows.incidents), "account_flooding" in str(rows.outbox)) for rows in door.keeper.rows]
    assert rows.index((True, False)) < rows.index((False, True))


async def test_the_flood_of_one_account_is_no_concern_of_another(door: Door) -> None:
    door.say("D1", "alarm", *(door.item(event="fault") for _ in range(100)))
    fault = door.item(event="fault")
    door.say("D2", "alarm", fault)
    assert [p.seq for p in door.promises("D2")] == [fault["seq"]]
