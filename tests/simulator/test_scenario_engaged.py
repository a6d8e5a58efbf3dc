"""Who is engaged for a scenario: asked of an API over HTTP, chosen by seed, made as the scenario says."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from core.errors import UserError
from simulator.cast import Cast, engage, fit_behind_a_hub, home_plan, leaking_traits
from simulator.platform import PlatformApi
from simulator.scenarios import Scenario, load
from simulator.world.plan import Traits

NOW = 1_775_000_000_000

Home = dict[str, Any]


def home(number: int, *, hub: str | None = None, building: str = "1", **changes: Any) -> Home:
    def device(kind: str, device_id: str) -> dict[str, Any]:
        return {"device_id": device_id, "kind": kind, "account": hub or device_id, "retired": False, "state": None}

    return {
        "home_id": f"H{number:04d}",
        "address_zh": "一号",
        "address_en": "number one",
        "district_code": "430102",
        "estate": "云栖花园",
        "building": building,
        "alarm_lel": 10.0,
        "devices": [device("detector", f"D{number:04d}"), device("meter", f"M{number:04d}")],
        "contacts": [{"phone": f"sip:1{number}@sim.invalid"}, {"phone": f"sip:2{number}@sim.invalid"}],
        "open_incident_id": None,
        **changes,
    }


@contextmanager
def platform(homes: list[Home], more: Callable[[str], Any] = lambda path: None) -> Iterator[str]:
    """An API that knows these homes, and what ``more`` knows by its path; its address."""
    by_id = {found["home_id"]: found for found in homes}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0].removeprefix("/api/v1/")
            found: Any = {"items": homes, "next": None} if path == "homes" else by_id.get(path.removeprefix("homes/"), more(path))
            self._answer(found)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(more(self.path.removeprefix("/api/v1/")))

        def _answer(self, found: Any) -> None:
            body = json.dumps(found).encode()
            self.send_response(200 if found is not None else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def engaged(homes: list[Home], scenario: Scenario, seed: int = 7) -> Cast:
    with platform(homes) as url:
        async with PlatformApi(url) as api:
            return await engage(api, scenario, seed=seed, now_ms=NOW)


def changed(name: str, **changes: Any) -> Scenario:
    return Scenario.model_validate({**load(name).model_dump(), **changes})


async def test_the_story_happens_in_a_plain_home_that_is_made_as_the_scenario_says() -> None:
    homes = [home(number, alarm_lel=5.0) for number in range(1, 20)] + [home(99)]
    cast = await engaged(homes, load("stuck-valve"))
    assert (cast.leaking, cast.story.home_id, len(cast.homes)) == (("H0099",), "H0099", 12)
    story = cast.homes[0]
    assert story.meter is not None
    assert (story.meter.make.stuck_tries, story.meter.make.linkage_delay_s, story.traits.telemetry_s) == (2, None, 15.0)
    assert {around.traits.stuck_tries for around in cast.homes[1:]} == {0}


async def test_the_same_seed_engages_the_same_homes() -> None:
    homes = [home(number) for number in range(1, 40)]
    casts = [await engaged(homes, load("single-leak"), seed) for seed in (7, 7, 8)]
    ids = [[played.plan.home_id for played in cast.homes] for cast in casts]
    assert ids[0] == ids[1] != ids[2]


async def test_a_home_that_is_played_or_has_an_open_incident_is_left_alone() -> None:
    busy = [home(number, open_incident_id="an incident") for number in range(1, 8)]
    with pytest.raises(UserError, match=r"fewer than 12 simulated homes.*7 are played"):
        await engaged([*busy, *(home(number) for number in range(10, 21))], load("single-leak"))


async def test_a_hub_story_plays_the_homes_of_one_hub() -> None:
    homes = [home(number, hub=f"HUB-{number % 2}") for number in range(1, 40)] + [home(50)]
    cast = await engaged(homes, load("hub-down"))
    hubs = {place.hub for played in cast.homes for place in played.plan.places}
    assert (len(hubs), len(cast.homes), fit_behind_a_hub(cast.story)) == (1, 12, True)


async def test_a_building_plays_as_a_whole_and_reports_as_often_as_the_story() -> None:
    homes = [home(number, building="1" if number <= 15 else "2") for number in range(1, 39)]
    cast = await engaged(homes, load("power-cut"))
    assert {played.plan.building for played in cast.homes} == {"430102/云栖花园/2"}
    assert len(cast.homes) == 23
    assert {played.traits.telemetry_s for played in cast.homes} == {15.0}


async def test_a_building_of_which_a_part_is_busy_does_not_play() -> None:
    homes = [home(number, open_incident_id="an incident" if number == 3 else None) for number in range(1, 30)]
    with pytest.raises(UserError, match="fewer than 20"):
        await engaged(homes, load("power-cut"))


async def test_a_storm_takes_so_many_homes_that_can_leak_and_mixes_them() -> None:
    bare = [home(number, contacts=[]) for number in range(1, 30)]
    cast = await engaged([*bare, *(home(number, alarm_lel=8.0) for number in range(30, 300)), home(300)], load("storm-50"))
    assert (len(cast.leaking), len(set(cast.leaking)), len(cast.homes)) == (50, 50, 60)
    made = {played.plan.home_id: played.traits for played in cast.homes}
    assert all(int(home_id[1:]) >= 30 for home_id in cast.leaking)
    kinds = [(traits.linkage, traits.psm, traits.travel_s) for traits in (made[home_id] for home_id in cast.leaking)]
    assert kinds[0] == (True, False, 3.0)
    assert set(kinds) == {(True, False, 3.0), (False, False, 3.0), (False, True, 3.0), (False, False, 9.0)}


def test_the_shares_of_a_mixture_are_kept() -> None:
    storm, plans = load("storm-1000"), [home_plan(home(number)) for number in range(2_000)]
    made: list[Traits] = [leaking_traits(storm, plan, 7, story=False) for plan in plans]
    assert storm.mixture is not None
    assert abs(sum(traits.psm for traits in made) / 2_000 - storm.mixture.psm) < 0.02
    assert abs(sum(traits.travel_s > 3 for traits in made) / 2_000 - storm.mixture.slow_valve) < 0.03
    assert all(traits.meter_interval_s <= 30 for traits in made if traits.psm)


def test_every_way_a_leaking_home_may_be_made_is_a_trait_of_the_world() -> None:
    plan = home_plan(home(1))
    everything = changed("single-leak", home={**load("single-leak").home.model_dump(), "stuck_tries": 3, "psm": True, "credit_cny": 4.0})
    made = leaking_traits(everything, plan, 7, story=True)
    told = everything.home.model_dump(exclude={"leak_m3h", "gather_shown_s"})
    assert {name: getattr(made, name) for name in told} == told
