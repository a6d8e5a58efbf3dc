"""A table as CSV that a spreadsheet opens as it is meant: in Chinese, with times, and with no cell that it would carry out. Pure.

UTF-8 with a byte order mark, without which Excel in China reads another encoding. What people wrote may begin like a formula (a telephone
number does): such a cell begins with an apostrophe, and is text. Refuses to know what the rows are.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from console.vocabulary import Words
from core.local_time import local

BOM: Final = "\ufeff"
_CARRIED_OUT: Final = re.compile(r"[\s]*[=+\-@＝＋－＠]|[\t\r\n]")
# A spreadsheet makes a figure of it: the zeros before it and all that is behind its fifteenth digit are lost.
_LONG_NUMBER: Final = re.compile(r"0\d+|\d{12,}")
_YES: Final = {True: Words(zh="是", en="yes"), False: Words(zh="否", en="no")}

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class At:
    """A moment, Unix ms; None while it has not come."""

    ms: int | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name, and what stands in it: text, Words, a number, yes or no, ``At`` or None."""

    name: Words
    of: Callable[[Mapping[str, Any]], Any]


def column(zh: str, en: str, of: Callable[[Mapping[str, Any]], Any]) -> Column:
    """A column by its names in both languages."""
    return Column(Words(zh=zh, en=en), of)


def heading(columns: Sequence[Column], language: Language) -> str:
    """The first line, with the byte order mark before it."""
    return BOM + _lines([[cell(each.name, language) for each in columns]])


def lines(columns: Sequence[Column], rows: Iterable[Mapping[str, Any]], language: Language) -> str:
    """One line for each row."""
    return _lines([cell(each.of(row), language) for each in columns] for row in rows)


def cell(value: Any, language: Language) -> str:
    """What stands in one cell. A time is Beijing time to the millisecond."""
    match value:
        case None:
            return ""
        case Words():
            return text(value.zh if language == "zh" else value.en)
        case At():
            return "" if value.ms is None else _time(value.ms)
        case bool():
            return cell(_YES[value], language)
        case int() | float():
            return f"{value:.15g}"
        case _:
            return text(str(value))


def text(words: str) -> str:
    """Text that a spreadsheet shows and does not carry out."""
    return f"'{words}" if _CARRIED_OUT.match(words) or _LONG_NUMBER.fullmatch(words) else words


def _time(ms: int) -> str:
    return f"{local(ms):%Y-%m-%d %H:%M:%S}.{ms % 1000:03}"


def _lines(rows: Iterable[Sequence[str]]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(rows)
    return written.getvalue()
