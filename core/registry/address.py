"""How an address is worded for a person: driven to by estate, building, unit and room.

Decides the words and their order in both languages. Refuses to know how they are spoken (rooms digit by digit: dispatch) and
whether the names have an English form beyond the districts: estates keep their Chinese name, as on their gate.
"""

from typing import Final, Protocol

from core.registry.model import Language

# GB/T 2260 codes of the city: six urban districts, then county and county-level cities.
DISTRICTS_EN: Final = {
    "430102": "Furong District",
    "430103": "Tianxin District",
    "430104": "Yuelu District",
    "430105": "Kaifu District",
    "430111": "Yuhua District",
    "430112": "Wangcheng District",
    "430121": "Changsha County",
    "430181": "Liuyang",
    "430182": "Ningxiang",
}


class Addressed(Protocol):
    """Whatever has the parts of an address; a registry home does."""

    @property
    def district_code(self) -> str: ...
    @property
    def district(self) -> str: ...
    @property
    def estate(self) -> str: ...
    @property
    def building(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def room(self) -> str: ...


def address(home: Addressed, language: Language) -> str:
    """The address of a home, as `芙蓉区 云栖花园 3栋 2单元 501室` or `Room 501, Unit 2, Building 3, 云栖花园, Furong District`.

    A part that is empty is left out; a building, unit or room that is named in words already keeps them.
    """
    if language == "en":
        parts = (
            _counted("Room ", home.room, ""),
            _counted("Unit ", home.unit, ""),
            _counted("Building ", home.building, ""),
            home.estate,
            DISTRICTS_EN.get(home.district_code, home.district),
        )
        return ", ".join(part for part in parts if part)
    parts = (
        home.district,
        home.estate,
        _counted("", home.building, "栋"),
        _counted("", home.unit, "单元"),
        _counted("", home.room, "室"),
    )
    return " ".join(part for part in parts if part)


def _counted(before: str, number: str, after: str) -> str:
    """The number with its counting word; A12, 3-1 and 501 are numbers, 东座 is a name of its own."""
    plain = number.replace("-", "").isascii() and any(character.isdigit() for character in number)
    return f"{before}{number}{after}" if plain else number
