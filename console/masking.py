"""What is shown of a person: who reads names, telephone numbers and what people need in clear, and what everybody else is shown instead.

Every name and number that the API gives passes here, whether in a list, a single thing, the story of an incident or the event stream.
Pure: takes rows as they were read and gives rows to show. Refuses to know tables, routes and what is asked for with a reason
(``console.api.people``, where it is recorded).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from console.access.who import Who

Row = dict[str, Any]

_SIP = re.compile(r"sip:([^@\s;]+)(?:@[\w.-]+)?", re.IGNORECASE)
# Numbers in text that people wrote: not inside a longer word, id or number.
_E164 = re.compile(r"(?<![\w+])\+\d{8,15}(?!\w)")
_MOBILE = re.compile(r"(?<![\w+.-])1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?![\w-])")
_LANDLINE = re.compile(r"(?<![\w+.-])0\d{2,3}[ -]?\d{7,8}(?![\w-])")
_SEPARATORS = re.compile(r"[ -]")

# A name that says itself that it was made up, in the simulated city: that much of it is of nobody.
_MADE_UP = re.compile(r"模拟·?")
# What is known of a person's health and life; a device has flags too, which are none of it.
_SENSITIVE: Final = frozenset({"lives_alone", "infirm", "infant", "hard_of_hearing"})

_NAMES: Final = frozenset({"name", "caller_name"})
_NUMBERS: Final = frozenset({"phone", "caller_phone", "address", "exclude_phone"})
# What a machine reads by its exact value, and what is no text of a person.
_IDS = re.compile(r"(^|_)(id|ids|no|account|number|code)$")


def sees_people(who: Who, *, home_open: bool) -> bool:
    """Whether ``who`` reads names and numbers of a home in clear: by his role, and while an incident of that home is open."""
    # The platform's own token alone has both: what it runs on this machine plays the simulated telephones and judges their calls.
    return who.may("read_people") and (home_open or (who.via == "token" and who.may("unmask")))


def sees_crew(who: Who, crew_id: str, *, on_order: bool) -> bool:
    """Whether ``who`` reads the names and numbers of a crew in clear: his own crew, who sends crews out, and while it is on an order."""
    return who.crew_id == crew_id or who.may("assign") or (on_order and who.may("read_people"))


def name(text: str) -> str:
    """A name, as its first character: ``张**``, and ``模拟·张**`` where it was made up. Its length is not told."""
    mark = made_up[0] if (made_up := _MADE_UP.match(text)) else ""
    return f"{mark}{text[len(mark) : len(mark) + 1]}**" if text else text


def number(text: str) -> str:
    """A telephone number or SIP address: ``+86138****1234``, ``sip:1***1``."""
    if found := _SIP.match(text):
        user = found[1]
        return f"sip:{user[0]}***{user[-1]}" if len(user) > 2 else "sip:***"
    digits = _SEPARATORS.sub("", text)
    if len(digits) < 8:
        return "****" if digits else ""
    return f"{digits[:-8]}****{digits[-4:]}"


def text(words: str) -> str:
    """A text that people wrote, with the telephone numbers in it masked. A name in it cannot be told from any other word."""
    for pattern in (_SIP, _E164, _MOBILE, _LANDLINE):
        words = pattern.sub(lambda found: number(found[0]), words)
    return words


def detail(values: Mapping[str, Any]) -> Row:
    """A JSON object that a station wrote: names and numbers by their keys, numbers in every other text."""
    return {key: _value(key, value) for key, value in values.items()}


def _value(key: str, value: Any) -> Any:
    match value:
        case str() if key in _NAMES:
            return name(value)
        case str() if key in _NUMBERS:
            return number(value)
        case str() if not _IDS.search(key):
            return text(value)
        case dict():
            return detail(value)
        case list() | tuple():
            return [_value(key, each) for each in value if not (key == "flags" and each in _SENSITIVE)]
        case _:
            return value


def _texts(row: Row, *columns: str) -> Row:
    return {column: text(row[column]) for column in columns if isinstance(row.get(column), str)}


def call(row: Row) -> Row:
    """A row of ``calls``, or of what is told of one."""
    shown = {**row, "name": name(row["name"]), **_texts(row, "reason")}
    if "address" in row:
        shown["address"] = number(row["address"])
    if "said" in row:
        shown["said"] = [text(sentence) for sentence in row["said"]]
    return shown


def contact(row: Row) -> Row:
    """A row of ``contacts`` or ``technicians``."""
    return {**row, "name": name(row["name"]), "phone": number(row["phone"])}


def task(row: Row) -> Row:
    """A row of ``tasks``."""
    return {**row, "detail": detail(row["detail"]), **_texts(row, "note")}


def order(row: Row) -> Row:
    """A row of ``work_orders``. The address stays: without it nobody can be sent."""
    # What its people need is not told, nor that it is nothing.
    place = {**detail(row["place"]), **({"flags": None} if "flags" in row["place"] else {})}
    return {**row, "place": place, **_texts(row, "cause_note")}


def remark(row: Row) -> Row:
    """A row of ``incident_remarks``."""
    return {**row, **_texts(row, "note")}


def entry(row: Row) -> Row:
    """A row of ``incident_events`` or ``order_steps``."""
    return {**row, "detail": detail(row["detail"])}


def command(row: Row) -> Row:
    """A row of ``commands``."""
    return {**row, **_texts(row, "reason", "detail")}


def hold(row: Row) -> Row:
    """A row of ``valve_holds``."""
    return {**row, **_texts(row, "cause", "lifted_why")}


def way_in(row: Row) -> Row:
    """A row of ``homes``: how to get in, and to the meter, is for everybody who sees the home; a number in it is somebody's."""
    return {**row, **_texts(row, "access_note", "meter_location")}


def home(row: Row) -> Row:
    """A row of ``homes``. What its people need is not told, nor that it is nothing: no list would say that."""
    return {**way_in(row), "flags": None}


def incident(row: Row) -> Row:
    """A row of ``incidents``; an address told to the hotline is a text of a person."""
    where: Mapping[str, Any] = row["home"] if isinstance(row["home"], dict) else {}
    return {**row, **_texts(row, "told_place"), "home": {**where, **_texts(dict(where), "address_zh", "address_en")}}


Masked = Callable[[Row], Row]


def shown(row: Row, mask: Masked, *, clear: bool) -> Row:
    """``row`` as it is, or as it is shown to those who may not see people."""
    return row if clear else mask(row)
