"""The control port of the district, asked over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from core.clock import ManualClock
from core.errors import UserError
from simulator.demo.port import ControlPort
from simulator.demo.ringing import KEPT, Rings
from simulator.demo.taken import LEASE_S, LEFT_S, Taken
from simulator.phones.lines import PhoneReport
from tests.simulator.test_demo_leaks import Stage, plan


class Asked:
    """A port and who asks it."""

    def __init__(self, stage: Stage, rings: Rings, clock: ManualClock, http: httpx.AsyncClient) -> None:
        self.stage = stage
        self.clock = clock
        self.rings = rings
        self.http = http

    async def get(self, path: str, **query: Any) -> Any:
        response = await self.http.get(path, params=query)
        assert response.status_code == 200
        return response.json()


@pytest.fixture
async def asked() -> AsyncIterator[Asked]:
    stage, rings, clock = Stage(plan(1), plan(2), plan(3, phones=0)), Rings(), ManualClock()
    port = ControlPort(stage.leaks, rings, Taken(clock), "127.0.0.1:0")
    async with port, httpx.AsyncClient(trust_env=False) as http:
        http.base_url = httpx.URL(port.url)
        yield Asked(stage, rings, clock, http)


async def test_homes_are_found_by_their_address_those_that_can_leak_first(asked: Asked) -> None:
    await asked.stage.asked("H1")
    found = await asked.get("/homes")
    assert [(home["home_id"], home["busy"]) for home in found["items"]] == [("H2", False), ("H3", False), ("H1", True)]
    busy = found["items"][2]
    assert (busy["why"]["reason"], busy["kinds"]) == ("leaks_already", [])
    assert (busy["estate"], busy["building"], busy["district_code"]) == ("云栖花园", "3", "430102")
    assert found["items"][1]["kinds"] == ["plain", "stuck_valve", "before_meter"]
    found = await asked.get("/homes", q="云栖花园 201室")
    assert [home["home_id"] for home in found["items"]] == ["H2"]
    assert (await asked.get("/homes", limit=1))["found"] == 3


async def test_buildings_say_how_many_of_their_homes_can_leak(asked: Asked) -> None:
    await asked.stage.asked("H1")
    (building,) = (await asked.get("/buildings"))["items"]
    assert building == {"district_code": "430102", "estate": "云栖花园", "building": "3", "homes": 3, "free": 2}


async def test_a_leak_is_begun_and_a_second_one_refused(asked: Asked) -> None:
    begun = await asked.http.post("/leak", json={"home_id": "H1", "kind": "stuck_valve"})
    assert (begun.status_code, begun.json()["kind"], begun.json()["home_id"]) == (200, "stuck_valve", "H1")
    again = await asked.http.post("/leak", json={"home_id": "H1"})
    assert (again.status_code, again.json()["reason"]) == (409, "leaks_already")
    assert again.json()["zh"]
    unknown = await asked.http.post("/leak", json={"home_id": "H9"})
    assert (unknown.status_code, unknown.json()["reason"]) == (404, "not_simulated")
    asked.stage.incidents = None
    away = await asked.http.post("/leak", json={"home_id": "H2"})
    assert (away.status_code, away.json()["reason"]) == (503, "platform_away")


async def test_a_building_is_asked_for_by_name(asked: Asked) -> None:
    begun = await asked.http.post("/building-leak", json={"estate": "云栖花园", "building": "3"})
    assert (begun.status_code, begun.json()) == (200, {"leaking": ["H1", "H2", "H3"], "left_out": []})
    nowhere = await asked.http.post("/building-leak", json={"estate": "别处", "building": "3"})
    assert (nowhere.status_code, nowhere.json()["reason"]) == (404, "no_building")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"home_id": 5}', b'{"home_id": "H1", "kind": "flood"}', b'{"home_id": "H1", "x": 1}']
)
async def test_a_body_that_is_not_understood_does_nothing(asked: Asked, body: bytes) -> None:
    found = await asked.http.post("/leak", content=body, headers={"Content-Type": "application/json"})
    assert (found.status_code, found.json()["reason"]) == (422, "invalid")
    assert asked.stage.scene.town.record.leaks == []


async def test_what_a_foreign_page_could_send_is_refused(asked: Asked) -> None:
    leak = json.dumps({"home_id": "H1"}).encode()
    simple = await asked.http.post("/leak", content=leak, headers={"Content-Type": "text/plain"})
    rebound = await asked.http.get("/homes", headers={"Host": "evil.example"})
    assert (simple.status_code, rebound.status_code) == (415, 421)
    assert asked.stage.scene.town.record.leaks == []


async def test_other_methods_addresses_and_sizes_are_refused(asked: Asked) -> None:
    statuses = [
        (await asked.http.get("/leak")).status_code,
        (await asked.http.get("/nowhere")).status_code,
        (await asked.http.get("/homes", params={"limit": "many"})).status_code,
        (await asked.http.post("/leak", content=b"x" * 10_000, headers={"Content-Type": "application/json"})).status_code,
    ]
    assert statuses == [405, 404, 422, 413]


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"GET /homes\r\n\r\n", b"\r\n\r\n", b"A" * 20_000])
async def test_what_is_no_http_ends_its_own_connection_alone(asked: Asked, sent: bytes) -> None:
    url = asked.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(sent)
    answer = await reader.read()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 422")
    writer.close()
    assert len((await asked.get("/homes"))["items"]) == 3


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "192.0.2.1:80", "localhost:80", "127.0.0.1", "127.0.0.1:x", "::1:70000"])
def test_the_port_is_on_loopback_only(listen: str) -> None:
    stage = Stage(plan(1))
    with pytest.raises(UserError):
        ControlPort(stage.leaks, Rings(), Taken(ManualClock()), listen)


# --- crews that people play -------------------------------------------------------------------------------------


async def test_a_crew_is_a_persons_until_somewhat_after_the_last_sign_of_life(asked: Asked) -> None:
    assert await asked.get("/crews") == {"items": []}
    taken = await asked.http.post("/crews", json={"crew_id": "芙蓉-1"})
    assert (taken.status_code, taken.json()) == (200, {"crew_id": "芙蓉-1", "left_s": LEASE_S})
    await asked.clock.advance(60)
    await asked.http.post("/crews", json={"crew_id": "岳麓-2"})
    assert await asked.get("/crews") == {"items": [{"crew_id": "岳麓-2", "left_s": LEASE_S}, {"crew_id": "芙蓉-1", "left_s": LEASE_S - 60}]}
    await asked.clock.advance(LEASE_S - 60)
    assert [crew["crew_id"] for crew in (await asked.get("/crews"))["items"]] == ["岳麓-2"]
    assert (await asked.http.post("/crews", json={"crew_id": ""})).status_code == 422


async def test_a_page_that_closes_gives_its_crew_back_at_once_and_one_that_is_read_again_keeps_it(asked: Asked) -> None:
    for crew_id in ("芙蓉-1", "岳麓-2"):
        await asked.http.post("/crews", json={"crew_id": crew_id})
        left = await asked.http.post("/crews", json={"crew_id": crew_id, "plays": False})
        assert (left.status_code, left.json()) == (200, {"crew_id": crew_id, "left_s": LEFT_S})
    await asked.clock.advance(LEFT_S / 2)
    await asked.http.post("/crews", json={"crew_id": "岳麓-2"})
    await asked.clock.advance(LEFT_S / 2)
    assert [crew["crew_id"] for crew in (await asked.get("/crews"))["items"]] == ["岳麓-2"]
    late = await asked.http.post("/crews", json={"crew_id": "芙蓉-1", "plays": False})
    assert late.json()["left_s"] == 0
    assert [crew["crew_id"] for crew in (await asked.get("/crews"))["items"]] == ["岳麓-2"]


# --- the telephones ---------------------------------------------------------------------------------------------


def _report(event: Any, at_ms: int, call: str = "c1", **more: Any) -> PhoneReport:
    return PhoneReport(event=event, number="8011", call=call, at_ms=at_ms, **more)


async def test_a_ring_is_told_from_its_first_sound_to_its_end(asked: Asked) -> None:
    states = []
    for report in (
        _report("ringing", 1),
        _report("answered", 2),
        _report("pressed", 3, digit="1"),
        _report("heard", 4, heard_s=6.5),
        _report("hung_up", 5, by="caller"),
    ):
        asked.rings.follow(report, "H1", 1)
        states.append((await asked.get("/phones"))["items"][0]["state"])
    assert states == ["ringing", "answered", "pressed", "pressed", "over"]
    (ring,) = (await asked.get("/phones"))["items"]
    assert ring == {
        "ring_id": "c1", "home_id": "H1", "position": 1, "number": "8011", "state": "over", "ringing_ms": 1, "answered_ms": 2, "key": "1",
        "key_ms": 3, "ended_ms": 5, "ended_by": "caller", "sip_code": None, "heard_s": 6.5,
    }  # fmt: skip


def test_a_call_that_is_not_taken_says_so_to_the_end() -> None:
    rings = Rings()
    for report in (_report("ringing", 1), _report("refused", 2, sip_code=486), _report("hung_up", 3, by="phone")):
        rings.follow(report, "H1", 2)
    (ring,) = rings.latest()
    assert (ring.state, ring.sip_code, ring.position) == ("refused", 486, 2)


def test_the_last_fifty_are_kept_the_newest_first() -> None:
    rings = Rings()
    for number in range(KEPT + 10):
        rings.follow(_report("ringing", number, call=f"c{number}"), "H1", 1)
    found = [ring.ring_id for ring in rings.latest()]
    assert (len(found), found[0], found[-1]) == (KEPT, f"c{KEPT + 9}", "c10")
