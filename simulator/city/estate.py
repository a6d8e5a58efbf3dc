"""Estates and their buildings: how many homes stand where, and how they are built.

Decides which communities get estates, how many homes of each are in the programme, and which flats those are. Refuses to know who
lives in them.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from core.registry.datum import Datum, wgs84_to_gcj02
from simulator.city.boundary import Community, Position, communities, districts, moved

HOMES_PER_ESTATE = 150
DISTRICTS = 6

_FIRST_WORDS = (
    "云栖", "听澜", "锦澄", "悦麓", "汀兰", "星岸", "枫晚", "橘隐", "湘岸", "朗庭", "清屿", "鹭洲", "沁园", "竹影",
    "望岳", "棠樾", "澄湖", "松岚", "桂语", "荷汀", "书岚", "晴川", "芷兰", "金桥", "瑞和", "同济", "安居", "和顺",
    "长乐", "玉泉",
)  # fmt: skip
_LAST_WORDS = ("花园", "雅苑", "家园", "名邸", "公馆", "新城", "华庭", "嘉园", "里", "小区", "佳苑", "新村")


@dataclass(frozen=True, slots=True)
class Build:
    """How a building is built: storeys, units side by side, flats a landing, and whether it has a lift."""

    floors: int
    units: int
    flats_per_floor: int
    lift: bool

    @property
    def flats(self) -> int:
        """How many flats one building holds."""
        return self.floors * self.units * self.flats_per_floor


WALK_UP_6 = Build(6, 3, 2, lift=False)
WALK_UP_7 = Build(7, 2, 2, lift=False)
SLAB_11 = Build(11, 2, 2, lift=True)
TOWER_18 = Build(18, 2, 4, lift=True)
TOWER_32 = Build(32, 1, 4, lift=True)
_BUILDS = ((WALK_UP_6, 25), (WALK_UP_7, 25), (SLAB_11, 20), (TOWER_18, 20), (TOWER_32, 10))


@dataclass(frozen=True, slots=True)
class Estate:
    """An invented estate (小区) in a real community: its number in the city, and how many of its homes are in the programme."""

    number: int
    name: str
    community: Community
    homes: int


@dataclass(frozen=True, slots=True)
class Flat:
    """One flat. `stack` counts the flats of a landing: those of one stack hang on one riser (立管)."""

    building: int
    unit: int
    floor: int
    stack: int

    @property
    def room(self) -> str:
        """The number on its door: floor, then two digits (501, 1203)."""
        return f"{self.floor}{self.stack:02d}"


@dataclass(frozen=True, slots=True)
class Block:
    """One building with its place and those of its flats that are in the programme."""

    estate: Estate
    number: int
    build: Build
    position: Position
    datum: Datum
    flats: tuple[Flat, ...]


def plan_estates(homes: int, seed: int) -> list[Estate]:
    """The estates of a city, together `homes` homes, the first six one in each district. Raises ValueError below one home."""
    if homes < 1:
        raise ValueError(f"a city needs at least one home, got {homes}")
    rng = random.Random(f"estates {seed}")
    places = _spread(rng)
    count = min(homes, max(DISTRICTS, homes // HOMES_PER_ESTATE))
    weights = [rng.uniform(0.6, 1.4) for _ in range(count)]
    per_weight = (homes - count) / sum(weights)
    estates, weight_so_far, placed = [], 0.0, 0
    used: dict[str, set[str]] = {}
    for number, weight in enumerate(weights, start=1):
        community = places[(number - 1) % len(places)]
        weight_so_far += weight
        # One home each, the rest by weight; rounding the running total leaves no home over.
        upto = homes if number == count else number + round(per_weight * weight_so_far)
        names = used.setdefault(community.code, set())
        estates.append(Estate(number, _name(names, rng), community, upto - placed))
        placed = upto
    return estates


def _spread(rng: random.Random) -> list[Community]:
    """All communities, shuffled within their district and taken from all districts in step with the district's size."""
    by_district: dict[str, list[Community]] = {}
    for community in communities():
        by_district.setdefault(community.district_code, []).append(community)
    order: list[tuple[float, str, Community]] = []
    for code, members in by_district.items():
        rng.shuffle(members)
        order.extend((place / len(members), code, community) for place, community in enumerate(members))
    return [community for _, _, community in sorted(order, key=lambda entry: entry[:2])]


def _name(used: set[str], rng: random.Random) -> str:
    """An estate name that its community does not have yet."""
    while True:
        name = rng.choice(_FIRST_WORDS) + rng.choice(_LAST_WORDS)
        if name not in used:
            used.add(name)
            return name
        if len(used) >= len(_FIRST_WORDS) * len(_LAST_WORDS) // 2:
            used.add(name := f"{name}{len(used)}期")
            return name


def blocks(estate: Estate, rng: random.Random) -> Iterator[Block]:
    """The buildings of an estate that have homes in the programme, each with its flats from the ground up."""
    district = districts()[estate.community.district_code]
    middle = district.near(estate.community.centre, 250.0, rng)
    (build,) = rng.choices([build for build, _ in _BUILDS], weights=[weight for _, weight in _BUILDS])
    datum: Datum = "GCJ-02" if rng.random() < 0.3 else "WGS-84"
    taking_part = rng.uniform(0.7, 0.98)
    buildings = max(1, -(-estate.homes // int(build.flats * taking_part)))
    chosen = sorted(rng.sample(range(buildings * build.flats), estate.homes))
    start = 0
    for index in range(buildings):
        end = start
        while end < len(chosen) and chosen[end] < (index + 1) * build.flats:
            end += 1
        flats = tuple(_flat(build, index + 1, place - index * build.flats) for place in chosen[start:end])
        start = end
        # Buildings stand in rows of four, 60 m by 45 m.
        position = moved(middle, (index % 4 - 1.5) * 60.0, (index // 4) * 45.0)
        position = position if district.contains(position) else middle
        if flats:
            yield Block(estate, index + 1, build, wgs84_to_gcj02(*position) if datum == "GCJ-02" else position, datum, flats)


def _flat(build: Build, building: int, place: int) -> Flat:
    unit, within = divmod(place, build.floors * build.flats_per_floor)
    floor, stack = divmod(within, build.flats_per_floor)
    return Flat(building, unit + 1, floor + 1, stack + 1)
