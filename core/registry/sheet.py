"""A registry file on its way in: its encoding, its header and its rows, before anybody asks what they mean.

Decides what is a row and collects what is wrong, by line. Refuses to know what a home or a crew is. Rows are streamed: a file of
192,000 homes is never held in memory.
"""

import codecs
import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from core.errors import Problem, RegistryError

MOST_PROBLEMS: Final = 100
LONGEST_CELL: Final = 200

Complain = Callable[[str, str], None]
"""Notes what is wrong with the row at hand, in Chinese and in English."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass
class Problems:
    """What is wrong with a file so far. One hundred are enough for a person to see; then reading stops."""

    found: list[Problem] = field(default_factory=list)

    def add(self, line: int, zh: str, en: str) -> None:
        """Note a problem. Raises RegistryError when it is the hundredth."""
        self.found.append(Problem(line, zh, en))
        if len(self.found) >= MOST_PROBLEMS:
            self.refuse()

    def refuse(self) -> None:
        """Raise RegistryError if anything is wrong."""
        if self.found:
            raise RegistryError(self.found)

    def at(self, line: int) -> Complain:
        """A way to complain about one line."""
        return lambda zh, en: self.add(line, zh, en)


def rows(path: Path, columns: Sequence[str], problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV file as (line, cells in the order of `columns`), cells stripped; 1 is the header's line.

    Empty rows are passed over; bad ones, and a file without rows, are noted in `problems`. Raises RegistryError at once where the
    header, the encoding or the quoting is wrong, OSError where the file cannot be read.
    """
    with path.open("rb") as file:
        reader = csv.reader(_lines(file, problems), strict=True)
        try:
            places = _places(next(reader, []), columns, problems)
            empty = True
            for cells in reader:
                if any(cells):
                    empty = False
                    if _is_sound(cells, len(columns), problems.at(reader.line_num)):
                        yield reader.line_num, [cells[place].strip() for place in places]
        except csv.Error as error:
            problems.add(reader.line_num, f"不是有效的 CSV：{error}", f"this is not valid CSV: {error}")
            problems.refuse()
    if empty:
        # An empty file with --retire-missing would retire the whole city.
        problems.add(1, "文件中没有数据行", "the file has no rows")


def _lines(file: Iterator[bytes], problems: Problems) -> Iterator[str]:
    for number, raw in enumerate(file, start=1):
        try:
            text = raw.removeprefix(codecs.BOM_UTF8).decode("utf-8") if number == 1 else raw.decode("utf-8")
        except UnicodeDecodeError:
            problems.add(
                number,
                "不是 UTF-8 编码（可能是 GBK：请在 Excel 中另存为“CSV UTF-8”）",
                "this is not UTF-8 (GBK perhaps: save it from Excel as 'CSV UTF-8')",
            )
            problems.refuse()
        yield text


def _places(header: list[str], columns: Sequence[str], problems: Problems) -> list[int]:
    """Where each wanted column stands; columns may stand in any order."""
    names = [name.strip() for name in header]
    complain = problems.at(1)
    for zh, en, wrong in (
        ("缺少列", "missing columns", [name for name in columns if name not in names]),
        ("未知的列", "unknown columns", [name for name in names if name not in columns]),
        ("重复的列", "columns named twice", sorted({name for name in names if names.count(name) > 1})),
    ):
        if wrong:
            complain(f"{zh}：{'、'.join(wrong)}", f"{en}: {', '.join(wrong)}")
    problems.refuse()
    return [names.index(name) for name in columns]


def _is_sound(cells: list[str], expected: int, complain: Complain) -> bool:
    if len(cells) != expected:
        complain(f"应有 {expected} 列，实有 {len(cells)} 列", f"{expected} cells expected, {len(cells)} found")
        return False
    if _CONTROL.search("".join(cells)):
        complain("含有换行或控制字符", "a cell holds a line break or a control character")
        return False
    if max(map(len, cells)) > LONGEST_CELL:
        complain(f"有单元格超过 {LONGEST_CELL} 个字符", f"a cell is longer than {LONGEST_CELL} characters")
        return False
    return True
