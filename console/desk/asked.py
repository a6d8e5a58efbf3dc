"""What a text in the search field may mean: an address, a household, a device, an order, a telephone, an incident; often several.

Decides how people write these: with or without blanks, with 栋 单元 室 or dashes, in full or half width, in Chinese or English.
Refuses to know what is there: the database is asked for every meaning, and what it finds is ranked.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from core.registry.address import DISTRICTS_EN
from core.registry.phone import PhoneRefused, stored_phone

_DASHES = re.compile(r"[\u2010-\u2015\u2212\u30fc\uff0d]")
_BREAKS = re.compile(r"[\s,，.。;；:：、/\\#()（）\[\]【】\"'“”‘’]+")
_WORD = re.compile(r"[\u3400-\u9fff]+(?:\d+期[\u3400-\u9fff]*)?|[0-9a-z_]+(?:-[0-9a-z_]+)*")
_HAN = re.compile(r"[\u3400-\u9fff]")

_DIGITS: Final = {"零": 0, "〇": 0, "一": 1, "幺": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_SPELT = re.compile(r"[零〇一幺二两三四五六七八九十百]+(?=\s*(?:号楼|号栋|栋|幢|单元|楼|层|室|房))")

_BUILDING = re.compile(r"(?:\bbuilding|\bbldg\.?|\bblock)\s*([0-9a-z]+(?:-[0-9]+)?)|([0-9a-z]+(?:-[0-9]+)?)\s*(?:号楼|号栋|栋|幢|座)")
_NAMED_BUILDING = re.compile(r"([东南西北中甲乙丙丁])\s*(座|栋|幢|楼)")
_UNIT = re.compile(r"\bunit\s*([0-9a-z]+)|([0-9a-z]+)\s*单元")
_FLOOR = re.compile(r"\bfloor\s*([0-9a-z]+)|([0-9]+)\s*(?:楼|层)")
_ROOM = re.compile(r"(?:\broom|\bflat|\bapt\.?)\s*([0-9a-z]+)|([0-9a-z]+)\s*(?:号房|室|房|户|号)")

_ORDER = re.compile(r"(?:([a-z]{2})\s*-?\s*)?(\d{6})\s*-?\s*(\d{1,6})")
_ORDER_PREFIXES: Final = ("QX", "XJ", "HC")
_DEVICE = re.compile(r"(?=.*\d)[a-z0-9_-]{3,32}")
_HOUSEHOLD = re.compile(r"\d{4,20}")
_DIALLED = re.compile(r"\+?[\d\s()-]{7,24}")
_SIP = re.compile(r"sip:(\d{3,32})(?:@sim\.invalid)?|(\d{7,32})(?:@sim\.invalid)?")
_LONGEST_NUMBER_IN_ADDRESS = 5
_PARTS_MAX = 12


@dataclass(frozen=True, slots=True)
class Address:
    """Parts of an address as they were typed. Each of ``words`` is to be found in the names around the home, in that order.

    ``building``, ``unit``, ``floor`` and ``room`` are the ways in which the part may be stored; empty = not asked for. ``loose`` is
    one number that may be a building or a room. ``whole`` is the text without blanks: an estate may carry numbers in its own name.
    """

    words: tuple[str, ...] = ()
    district_code: str | None = None
    building: tuple[str, ...] = ()
    unit: tuple[str, ...] = ()
    floor: tuple[str, ...] = ()
    room: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    whole: str = ""

    @property
    def numbered(self) -> bool:
        """Whether anything narrows it down beyond its names."""
        return bool(self.building or self.unit or self.floor or self.room or self.loose)


@dataclass(frozen=True, slots=True)
class Asked:
    """Every meaning of one text; what is empty or None it cannot mean. ``device`` is in upper case, ``home_ids`` as they may be stored."""

    address: Address | None
    household_no: str | None
    device: str | None
    home_ids: tuple[str, ...]
    order_nos: tuple[str, ...]
    phones: tuple[str, ...]
    incident_id: UUID | None


def read(text: str) -> Asked:
    """What ``text`` may mean."""
    plain = _DASHES.sub("-", unicodedata.normalize("NFKC", text)).strip()
    low = plain.lower()
    packed = "".join(_BREAKS.split(low))
    order_nos, phones, incident_id = _orders(packed), _phones(plain), _uuid(plain)
    # A number that is another thing as a whole is not taken apart into a building, a unit and a room.
    whole = (order_nos or phones or incident_id) and not _HAN.search(low)
    return Asked(
        address=None if whole else _address(low),
        household_no=packed if _HOUSEHOLD.fullmatch(packed) else None,
        device=packed.upper() if _DEVICE.fullmatch(packed) else None,
        home_ids=tuple(dict.fromkeys((plain, plain.upper()))) if _DEVICE.fullmatch(packed) else (),
        order_nos=order_nos,
        phones=phones,
        incident_id=incident_id,
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _orders(packed: str) -> tuple[str, ...]:
    found = _ORDER.fullmatch(packed)
    if found is None:
        return ()
    prefix, day, number = found.groups()
    return tuple(f"{each}-{day}-{int(number):04}" for each in ([prefix.upper()] if prefix else _ORDER_PREFIXES))


def _phones(plain: str) -> tuple[str, ...]:
    simulated = _SIP.fullmatch(plain.lower())
    found = [f"sip:{simulated[1] or simulated[2]}@sim.invalid"] if simulated else []
    if _DIALLED.fullmatch(plain):
        digits = re.sub(r"[\s()-]", "", plain)
        if digits.startswith(("00", "86")):
            digits = f"+{digits.removeprefix('00')}"
        # What is no number of a telephone may still be all the other things.
        with suppress(PhoneRefused):
            found.append(stored_phone(digits, simulated=False))
    return tuple(dict.fromkeys(found))


def _address(low: str) -> Address | None:
    code, rest = _district(low)
    rest = _SPELT.sub(lambda spelt: _number(spelt[0]), rest)
    building, rest = _part(_BUILDING, rest)
    if not building and (named := _NAMED_BUILDING.search(rest)):
        building = (named[0].replace(" ", ""), named[1])
        rest = f"{rest[: named.start()]} {rest[named.end() :]}"
    unit, rest = _part(_UNIT, rest)
    floor, rest = _part(_FLOOR, rest)
    room, rest = _part(_ROOM, rest)
    words, bare = _rest(rest)
    building, unit, room, loose = _placed(bare, building, unit, room)
    whole = "".join(_BREAKS.split(low))
    found = Address(words, code, building, unit, floor, room, loose, whole if _HAN.search(whole) else "")
    if words or code:
        return found
    # A single number names no home in a city.
    return found if sum(map(bool, (building, unit, floor, room))) >= 2 else None


def _district(low: str) -> tuple[str | None, str]:
    for code, name in DISTRICTS_EN.items():
        if (at := low.find(name.lower())) >= 0:
            return code, f"{low[:at]} {low[at + len(name) :]}"
    return None, low


def _part(pattern: re.Pattern[str], text: str) -> tuple[tuple[str, ...], str]:
    found = pattern.search(text)
    if found is None:
        return (), text
    return _ways(found[1] or found[2]), f"{text[: found.start()]} {text[found.end() :]}"


def _ways(number: str) -> tuple[str, ...]:
    """How a part may be stored: as typed, in capitals, without leading zeros."""
    return tuple(dict.fromkeys((number, number.upper(), number.lstrip("0") or number)))


def _rest(text: str) -> tuple[tuple[str, ...], list[str]]:
    words, bare = [], []
    for part in _BREAKS.split(text):
        for word in _WORD.findall(part):
            if any(character.isdigit() for character in word) and not _HAN.search(word):
                bare += word.split("-")
            else:
                words.append(word)
    return tuple(words[:_PARTS_MAX]), [number for number in bare if len(number) <= _LONGEST_NUMBER_IN_ADDRESS][:_PARTS_MAX]


_Ways = tuple[str, ...]


def _placed(bare: Sequence[str], building: _Ways, unit: _Ways, room: _Ways) -> tuple[_Ways, _Ways, _Ways, _Ways]:
    """(building, unit, room, loose) with the numbers that stand alone put where people mean them: the last is the room."""
    left = list(bare)
    if len(left) >= 4 and not building:
        left = [f"{left[0]}-{left[1]}", *left[2:]]
    if len(left) == 1 and not (building or unit or room):
        return (), (), (), _ways(left[0])
    if left and not room and (len(left) > 1 or building or unit):
        room = _ways(left.pop())
    if left and not building:
        building = _ways(left.pop(0))
    if left and not unit:
        unit = _ways(left.pop(0))
    return building, unit, room, ()


def _number(spelt: str) -> str:
    """三 -> 3, 十二 -> 12, 一百零二 -> 102, 五零幺 -> 501."""
    if not set(spelt) & {"十", "百"}:
        return "".join(str(_DIGITS[digit]) for digit in spelt)
    total, waiting = 0, 0
    for character in spelt:
        if character in _DIGITS:
            waiting = _DIGITS[character]
        else:
            total += (waiting or 1) * (10 if character == "十" else 100)
            waiting = 0
    return str(total + waiting)


def runs_through(text: str, characters: Iterable[str]) -> bool:
    """Whether all ``characters`` come in ``text`` in that order, others between."""
    left = iter(text)
    return all(character in left for character in characters)
