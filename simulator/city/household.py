"""Who lives in a flat and what hangs on its wall, as far as the registry knows it.

Decides people, flags, language, set-point and the age of the devices. Names carry the mark of the generator, and
telephone numbers begin with 000, which no numbering plan uses: no country code begins with 0, so that no provider can
route them.
"""

import random
from dataclasses import dataclass
from datetime import date, timedelta

from core.registry.model import Role

SURNAMES = ("秦", "柳", "顾", "沈", "陆", "江", "白", "叶", "苏", "程", "温", "黎", "骆", "简", "虞", "燕", "桑", "阮", "祁", "纪")
GIVEN = (
    "晓禾", "知远", "若溪", "明岚", "子衿", "一诺", "书瑶", "景行", "安然", "思源", "雨桐", "望舒", "清和", "乐山",
    "亦凡", "念初", "星野", "沐阳",
)  # fmt: skip
ENGLISH_FIRST = ("Avery", "Robin", "Morgan", "Casey", "Jordan", "Quinn", "Rowan", "Skyler")
ENGLISH_LAST = ("Finch", "Marsh", "Holt", "Vale", "Reed", "Lark", "Brook", "Stone")

_SECOND_ROLES: tuple[Role, ...] = ("family", "family", "owner", "property", "neighbour", "grid_officer")

# Devices are as old as they were on the day that the programme counts from; a fixed day keeps the city the same tomorrow.
PROGRAMME_DAY = date(2026, 4, 1)
METER_LIFE_DAYS = 3653
DETECTOR_LIFE_DAYS = 1827


@dataclass(frozen=True, slots=True)
class Person:
    """A contact of a home."""

    name: str
    role: str
    phone: str


NOBODY = Person("", "", "")


@dataclass(frozen=True, slots=True)
class Household:
    """The people of a home and its devices."""

    first: Person
    second: Person
    language: str
    flags: str
    alarm_lel: str
    meter_location: str
    meter_made_on: str
    detectors_made_on: tuple[str, ...]


def invented_name(language: str, rng: random.Random) -> str:
    """A name that says itself that it was made up."""
    if language == "en":
        return f"Sim {rng.choice(ENGLISH_FIRST)} {rng.choice(ENGLISH_LAST)}"
    return f"模拟·{rng.choice(SURNAMES)}{rng.choice(GIVEN)}"


def simulated_phone(kind: int, number: int, position: int) -> str:
    """The SIP address of a simulated telephone; `kind` 1 = home, 2 = property office, 3 = grid officer, 9 = crew."""
    return f"sip:000{kind}{number:07d}{position}@sim.invalid"


def household(home: int, estate: int, rng: random.Random) -> Household:
    """The household of home number `home` in estate number `estate`."""
    language = "en" if rng.random() < 1 / 60 else "zh"
    return Household(
        first=Person(invented_name(language, rng), _first_role(rng), simulated_phone(1, home, 1)),
        second=_second(home, estate, language, rng),
        language=language,
        flags=_flags(rng),
        alarm_lel=rng.choices(("10", "5", "8", "15", "20"), weights=(92, 2, 2, 2, 2))[0],
        meter_location=rng.choices(("厨房", "楼道表箱", "生活阳台", "厨房橱柜内"), weights=(45, 25, 20, 10))[0],
        meter_made_on=_made_on(METER_LIFE_DAYS, 0.04, rng),
        detectors_made_on=tuple(_made_on(DETECTOR_LIFE_DAYS, 0.03, rng) for _ in range(2 if rng.random() < 0.015 else 1)),
    )


def _first_role(rng: random.Random) -> Role:
    return "owner" if rng.random() < 0.4 else "resident"


def _second(home: int, estate: int, language: str, rng: random.Random) -> Person:
    if rng.random() < 0.15:
        return NOBODY
    role = rng.choice(_SECOND_ROLES)
    if role == "property":
        return Person(f"模拟物业{estate}号值班室", role, simulated_phone(2, estate, 0))
    if role == "grid_officer":
        return Person(f"模拟网格员{estate}号", role, simulated_phone(3, estate, 0))
    return Person(invented_name(language, rng), role, simulated_phone(1, home, 2))


def _flags(rng: random.Random) -> str:
    chances = (("lives_alone", 0.08), ("infirm", 0.04), ("infant", 0.05), ("hard_of_hearing", 0.02))
    return ";".join(flag for flag, chance in chances if rng.random() < chance)


def _made_on(life_days: int, over_age: float, rng: random.Random) -> str:
    """A day of making: within the last year and a half, or for a share of them up to two years beyond the device's life."""
    days = life_days + rng.randrange(1, 730) if rng.random() < over_age else rng.randrange(20, 550)
    return (PROGRAMME_DAY - timedelta(days=days)).isoformat()
