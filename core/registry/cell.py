"""What single cells of a registry file may say: ids, dates, positions, words from a closed list.

Each function gives the value, or complains in both languages and gives None (or the default). Refuses to know rows and tables.
"""

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Final

from core.ids import is_account, is_reserved
from core.registry.datum import Datum
from core.registry.model import DATUMS, FLAGS, ROLES
from core.registry.phone import PhoneRefused, stored_phone
from core.registry.sheet import Complain

Place = tuple[float | None, float | None, Datum | None]

# Lists kept in Chinese are common; they are stored in the contract's words.
_ROLE_WORDS: Final[Mapping[str, str]] = {
    "住户": "resident",
    "业主": "owner",
    "户主": "owner",
    "家属": "family",
    "邻居": "neighbour",
    "物业": "property",
    "网格员": "grid_officer",
} | {role: role for role in ROLES}
_FLAG_WORDS: Final[Mapping[str, str]] = {
    "独居": "lives_alone",
    "行动不便": "infirm",
    "婴幼儿": "infant",
    "听障": "hard_of_hearing",
} | {flag: flag for flag in FLAGS}
_TRUTH: Final[Mapping[str, bool]] = {"true": True, "false": False}
_DISTRICT_CODE = re.compile(r"[0-9]{6}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,16})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def required(column: str, text: str, complain: Complain) -> str:
    """A text that must be there."""
    if not text:
        complain(f"{column} 不能为空", f"{column} is empty")
    return text


def identifier(column: str, text: str, complain: Complain) -> str:
    """An id of a home, device, hub, crew or technician: a valid account name that is not kept for the platform."""
    if not is_account(text):
        complain(
            f"{column} “{text}”无效：须为 1–32 位字母、数字、_ 或 -",
            f"{column} '{text}' is not valid: 1-32 of letters, digits, _ and -",
        )
    elif is_reserved(text):
        complain(f"{column} “{text}”为平台保留", f"{column} '{text}' is reserved for the platform")
    return text


def district_code(text: str, complain: Complain) -> str:
    """A district's code of GB/T 2260."""
    if _DISTRICT_CODE.fullmatch(text) is None:
        complain(
            f"district_code 须为 6 位行政区划代码，不是“{text}”",
            f"district_code must be the 6 digits of GB/T 2260, not '{text}'",
        )
    return text


def truth(column: str, text: str, complain: Complain) -> bool:
    """`true` or `false`, always said; what cannot be read counts as simulated, which dials nobody."""
    value = _TRUTH.get(text.lower())
    if value is None:
        complain(f"{column} 须为 true 或 false，不是“{text}”", f"{column} must be true or false, not '{text}'")
        return True
    return value


def one_of(column: str, text: str, allowed: tuple[str, ...], complain: Complain) -> str:
    """A word of a closed list; the first one where the cell is empty."""
    if not text:
        return allowed[0]
    if text not in allowed:
        complain(f"{column} “{text}”无效，可用：{'、'.join(allowed)}", f"{column} '{text}' is none of {', '.join(allowed)}")
    return text


def flags(column: str, text: str, complain: Complain) -> list[str]:
    """Flags separated by `;`, in the order of the closed list, each once."""
    if not text:
        return []
    words = [word.strip() for word in text.replace("；", ";").split(";") if word.strip()]
    for word in words:
        if word not in _FLAG_WORDS:
            complain(f"{column} “{word}”无效，可用：{'、'.join(FLAGS)}", f"{column} '{word}' is none of {', '.join(FLAGS)}")
    given = {_FLAG_WORDS.get(word) for word in words}
    return [flag for flag in FLAGS if flag in given]


def number(column: str, text: str, lowest: float, highest: float, complain: Complain) -> float | None:
    """A number within bounds; None where the cell is empty or wrong."""
    if not text:
        return None
    value = float(text) if _DECIMAL.fullmatch(text) else None
    if value is None or not lowest <= value <= highest:
        complain(
            f"{column} 须为 {lowest:g} 至 {highest:g} 之间的数，不是“{text}”",
            f"{column} must be a number from {lowest:g} to {highest:g}, not '{text}'",
        )
        return None
    return value


def day(column: str, text: str, complain: Complain) -> date | None:
    """A day written YYYY-MM-DD; None where the cell is empty or wrong."""
    if not text:
        return None
    value = _day(text)
    if value is None:
        complain(f"{column} 须为 YYYY-MM-DD，不是“{text}”", f"{column} must be a day as YYYY-MM-DD, not '{text}'")
    return value


@lru_cache(maxsize=20_000)
def _day(text: str) -> date | None:
    if _DAY.fullmatch(text) is None:
        return None
    try:
        value = date.fromisoformat(text)
    except ValueError:
        return None
    return value if 1980 <= value.year < 2100 else None


def place(lon: str, lat: str, datum: str, complain: Complain) -> Place:
    """A position with the datum that it is given in; all three or none."""
    if not lon and not lat and not datum:
        return None, None, None
    if not (lon and lat and datum):
        complain("lon、lat、coord_datum 须同时填写或同时为空", "lon, lat and coord_datum go together: all three or none")
        return None, None, None
    named: Datum | None = next((known for known in DATUMS if known == datum), None)
    if named is None:
        complain(f"coord_datum “{datum}”无效，可用：{'、'.join(DATUMS)}", f"coord_datum '{datum}' is none of {', '.join(DATUMS)}")
    return number("lon", lon, -180, 180, complain), number("lat", lat, -90, 90, complain), named


def phone(column: str, text: str, complain: Complain, *, simulated: bool) -> str | None:
    """A telephone number as it is stored; None where it may not stand there."""
    try:
        return stored_phone(text, simulated=simulated)
    except PhoneRefused as refused:
        complain(f"{column}：{refused.zh}", f"{column}: {refused.en}")
        return None


def contact(
    ordinal: int, name: str, role: str, number_text: str, complain: Complain, *, simulated: bool
) -> tuple[str | None, str | None, str | None]:
    """A contact's name, role and telephone number; three None where none is given."""
    if not name and not role and not number_text:
        return None, None, None
    column = f"contact{ordinal}"
    required(f"{column}_name", name, complain)
    known = _ROLE_WORDS.get(role)
    if known is None:
        complain(f"{column}_role “{role}”无效，可用：{'、'.join(ROLES)}", f"{column}_role '{role}' is none of {', '.join(ROLES)}")
    required(f"{column}_phone", number_text, complain)
    return name, known, phone(f"{column}_phone", number_text, complain, simulated=simulated) if number_text else None
