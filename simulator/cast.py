"""Who plays: the homes of the platform's registry that a scenario or the simulated district takes, as the API gives them.

Decides which home a story happens in, by seed. Refuses to play a home that is not simulated, or that somebody else is playing.
"""

import asyncio
import random
from collections.abc import Mapping
from typing import Any

from core.errors import UserError
from simulator.platform import PlatformApi
from simulator.world.home import DevicePlace, HomePlan, SimulatedHome

IN_USE_MS = 300_000
"""A home whose device is online and was heard this recently is being played by somebody else."""

USUAL_SET_POINT_LEL = 10.0

_MOST_HOMES = 1_000
_AT_ONCE = 8


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
    )


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
    places = (*plan.detectors, *((plan.meter,) if plan.meter else ()))
    return (
        len(plan.detectors) == 1
        and plan.meter is not None
        and plan.set_point_lel == USUAL_SET_POINT_LEL
        and all(place.account == place.device_id for place in places)
        and len(set(plan.phones)) == len(plan.phones) == 2
    )


def _valve_closed(home: Mapping[str, Any]) -> bool:
    return any(device["state"] is not None and device["state"]["valve"] == "closed" for device in home["devices"])


async def simulated_homes(api: PlatformApi, most: int = _MOST_HOMES) -> list[str]:
    """Ids of the platform's simulated homes, sorted, at most ``most``. Raises UserError when there is none."""
    found: list[str] = []
    async for home in api.every("homes", simulated=True):
        found.append(home["home_id"])
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


async def cast(api: PlatformApi, *, homes: int, seed: int, purpose: str, now_ms: int) -> list[Mapping[str, Any]]:
    """``homes`` homes by seed and purpose as the API gives them, the first one fit for a story.

    Raises UserError when there are too few free ones.
    """
    ids = await simulated_homes(api)
    random.Random(f"{seed}/{purpose}/cast").shuffle(ids)
    story: Mapping[str, Any] | None = None
    others: list[Mapping[str, Any]] = []
    taken = 0
    for start in range(0, len(ids), _AT_ONCE * 4):
        for home in await details(api, ids[start : start + _AT_ONCE * 4]):
            if played_elsewhere(home, now_ms) or home["open_incident_id"] is not None:
                taken += 1
            elif story is None and fit_for_a_story(home_plan(home)) and not _valve_closed(home):
                story = home
            else:
                others.append(home)
        if story is not None and len(others) >= homes - 1:
            return [story, *others[: homes - 1]]
    raise UserError(
        f"可用的模拟住户不足 {homes} 户（共 {len(ids)} 户，{taken} 户正被另一个模拟使用或有未结事件）",
        f"fewer than {homes} simulated homes are free (of {len(ids)}, {taken} are played by another simulation or have an open incident)",
    )
