"""Who plays: the homes of the platform's registry that a scenario or the simulated district takes, as the API gives them.

Decides which home a story happens in, by seed, and how each home is made. Refuses to play a home that is not simulated, or that
somebody else is playing. A scenario asks :func:`engage`.
"""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.errors import UserError
from simulator.platform import PlatformApi
from simulator.scenarios import Scenario
from simulator.world.home import SimulatedHome
from simulator.world.plan import DevicePlace, HomePlan, Traits, varied

IN_USE_MS = 300_000
"""A home whose device is online and was heard this recently is being played by somebody else."""

USUAL_SET_POINT_LEL = 10.0

_MOST_HOMES = 1_000
_AT_ONCE = 8
_PSM_INTERVAL_S = 30.0


def home_plan(home: Mapping[str, Any]) -> HomePlan:
    """A home of ``GET /homes/{home_id}`` as the world needs it."""
    devices = [device for device in home["devices"] if not device["retired"]]
    meters = [DevicePlace(device["device_id"], device["account"]) for device in devices if device["kind"] == "meter"]
    return HomePlan(
        home_id=home["home_id"],
        detectors=tuple(DevicePlace(d["device_id"], d["account"]) for d in devices if d["kind"] == "detector"),
        meter=meters[0] if meters else None,
        set_point_lel=float(home["alarm_lel"]),
        address_zh=home["address_zh"],
        address_en=home["address_en"],
        phones=tuple(contact["phone"] for contact in home["contacts"]),
        building=building_of(home),
    )


def building_of(home: Mapping[str, Any]) -> str:
    """What names the building of a home of the API."""
    return "/".join((home["district_code"], home["estate"], home["building"]))


def resume(home: SimulatedHome, found: Mapping[str, Any]) -> None:
    """Go on where the platform last heard this home: its register never runs back, and a closed valve is still closed."""
    for device in found["devices"]:
        state = device["state"]
        if device["kind"] == "meter" and not device["retired"] and state is not None:
            home.resume(closed=state["valve"] == "closed", cause=state["cause"], index_m3=state["volume_m3"] or 0.0)


def played_elsewhere(home: Mapping[str, Any], now_ms: int) -> bool:
    """Whether one of the home's devices is on the air."""
    states = [device["state"] for device in home["devices"] if device["state"] is not None]
    return any(state["online"] and now_ms - state["heard_ms"] < IN_USE_MS for state in states)


def fit_for_a_story(plan: HomePlan) -> bool:
    """Whether a scenario may happen here: one detector at the usual set-point, a meter, no hub, two contacts."""
    return (
        len(plan.detectors) == 1
        and plan.meter is not None
        and plan.set_point_lel == USUAL_SET_POINT_LEL
        and all(place.hub is None for place in plan.places)
        and len(set(plan.phones)) == len(plan.phones) == 2
    )


def fit_behind_a_hub(plan: HomePlan) -> bool:
    """Whether the story of a hub may happen here: as above, but a hub speaks for all its devices."""
    own = replace(
        plan,
        detectors=tuple(DevicePlace(place.device_id, place.device_id) for place in plan.detectors),
        meter=None if plan.meter is None else DevicePlace(plan.meter.device_id, plan.meter.device_id),
    )
    return fit_for_a_story(own) and all(place.hub is not None for place in plan.places)


def fit_to_leak(plan: HomePlan) -> bool:
    """Whether one of many leaks may happen here: something that detects, something that closes, somebody to ring."""
    return bool(plan.detectors) and plan.meter is not None and bool(plan.phones)


def leaking_traits(scenario: Scenario, plan: HomePlan, seed: int, *, story: bool) -> Traits:
    """How a home that leaks is made: as the scenario says, one room and radio of its own, and in a storm as its mixture has it.

    The story's home is never of the mixture's.
    """
    home, mixture = scenario.home, scenario.mixture
    told = home.model_dump(exclude={"leak_m3h", "gather_shown_s"})
    traits = replace(varied(seed, plan.home_id, Traits()), **told)
    if mixture is None:
        return traits
    dice = random.Random(f"{seed}/{plan.home_id}/mixture")
    drawn, room_wake_s = dice.random(), round(dice.uniform(0.0, 1.0), 2)
    traits = replace(traits, wake_s=home.wake_s + room_wake_s)
    if story:
        return traits
    if drawn < mixture.no_linkage:
        return replace(traits, linkage=False)
    drawn -= mixture.no_linkage
    if drawn < mixture.psm:
        return replace(traits, linkage=False, psm=True, meter_telemetry_s=home.meter_telemetry_s or _PSM_INTERVAL_S)
    if drawn - mixture.psm < mixture.slow_valve:
        return replace(traits, linkage=False, travel_s=3 * home.travel_s)
    return traits


def _valve_closed(home: Mapping[str, Any]) -> bool:
    return any(device["state"] is not None and device["state"]["valve"] == "closed" for device in home["devices"])


async def simulated_homes(api: PlatformApi, most: int = _MOST_HOMES) -> list[str]:
    """Ids of the platform's simulated homes, sorted, at most ``most``. Raises UserError when there is none."""
    return [home["home_id"] for home in await _listed(api, most)]


async def _listed(api: PlatformApi, most: int) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    async for home in api.every("homes", simulated=True):
        found.append(home)
        if len(found) == most:
            break
    if not found:
        raise UserError(
            "平台里没有模拟住户：先用 gas-sentinel simulate city 生成并导入",
            "the platform has no simulated homes: make some with 'gas-sentinel simulate city' and import them",
        )
    return found


async def details(api: PlatformApi, home_ids: list[str]) -> list[Mapping[str, Any]]:
    """These homes in their order, asked a few at a time."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(home_id: str) -> Mapping[str, Any]:
        async with gate:
            found: Mapping[str, Any] = await api.get(f"homes/{home_id}")
            return found

    return list(await asyncio.gather(*(one(home_id) for home_id in home_ids)))


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays: the homes, built and made as the scenario says, and which of them leak when a step says so, the story's first."""

    homes: tuple[SimulatedHome, ...]
    leaking: tuple[str, ...]

    @property
    def story(self) -> HomePlan:
        """The story's home."""
        return next(home.plan for home in self.homes if home.plan.home_id == self.leaking[0])


async def engage(api: PlatformApi, scenario: Scenario, *, seed: int, now_ms: int) -> Cast:
    """The cast of a scenario by seed. Raises UserError when too few homes that fit are free."""
    listed = await _listed(api, max(_MOST_HOMES, scenario.registry_homes))
    random.Random(f"{seed}/{scenario.name}/cast").shuffle(listed)
    groups = _buildings(listed, scenario.homes) if scenario.where == "building" else [[home["home_id"] for home in listed]]
    taken = 0
    for group in groups:
        found = await _chosen(api, scenario, group, now_ms)
        if isinstance(found, int):
            taken += found
            continue
        leaking = found[: scenario.leaking]
        return Cast(tuple(_built(scenario, home, seed, leaking) for home in found), tuple(home["home_id"] for home in leaking))
    raise UserError(
        f"可用的模拟住户不足 {scenario.homes} 户（共 {len(listed)} 户，{taken} 户正被另一个模拟使用或有未结事件）",
        f"fewer than {scenario.homes} simulated homes that fit are free"
        f" (of {len(listed)}, {taken} are played by another simulation or have an open incident)",
    )


def _buildings(listed: list[Mapping[str, Any]], least: int) -> list[list[str]]:
    """The homes of each building that has so many, in the order of ``listed``."""
    found: dict[str, list[str]] = {}
    for home in listed:
        found.setdefault(building_of(home), []).append(home["home_id"])
    return [home_ids for home_ids in found.values() if len(home_ids) >= least]


async def _chosen(api: PlatformApi, scenario: Scenario, home_ids: list[str], now_ms: int) -> list[Mapping[str, Any]] | int:
    """The homes that play, the leaking ones first and the story's before them; how many were taken where there are too few.

    Of a building all its homes play, for what happens to it happens to all of them.
    """
    fits = {"plain": fit_for_a_story, "hub": fit_behind_a_hub, "building": fit_to_leak}[scenario.where]
    story: Mapping[str, Any] | None = None
    leaking: list[Mapping[str, Any]] = []
    others: list[Mapping[str, Any]] = []
    taken = 0
    for start in range(0, len(home_ids), _AT_ONCE * 4):
        for home in await details(api, home_ids[start : start + _AT_ONCE * 4]):
            plan = home_plan(home)
            if played_elsewhere(home, now_ms) or home["open_incident_id"] is not None:
                taken += 1
            elif story is None and fits(plan) and not _valve_closed(home):
                story = home
            elif scenario.leaking > 1 and fit_to_leak(plan) and not _valve_closed(home):
                leaking.append(home)
            else:
                others.append(home)
        found = None if story is None or scenario.where == "building" else _gathered(scenario, story, leaking, others)
        if found is not None:
            return found
    if scenario.where == "building" and story is not None and taken == 0:
        return [story, *leaking, *others]
    return taken


def _gathered(
    scenario: Scenario, story: Mapping[str, Any], leaking: list[Mapping[str, Any]], others: list[Mapping[str, Any]]
) -> list[Mapping[str, Any]] | None:
    """All that play, once there are enough."""
    if scenario.where == "hub":
        hubs = {place.hub for place in home_plan(story).places}
        others = [home for home in others if hubs & {place.hub for place in home_plan(home).places}]
    if len(leaking) < scenario.leaking - 1 or len(leaking) + len(others) < scenario.homes - 1:
        return None
    return [story, *leaking, *others][: scenario.homes]


def _built(scenario: Scenario, found: Mapping[str, Any], seed: int, leaking: list[Mapping[str, Any]]) -> SimulatedHome:
    plan = home_plan(found)
    if found in leaking:
        traits = leaking_traits(scenario, plan, seed, story=found is leaking[0])
    else:
        traits = varied(seed, plan.home_id, Traits())
        if scenario.where != "plain":
            # Those around the story's home are in its story too: they report as often.
            traits = replace(traits, telemetry_s=scenario.home.telemetry_s)
    home = SimulatedHome(plan, traits, seed)
    resume(home, found)
    return home
