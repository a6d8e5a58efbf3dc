"""Columns of a terminal: a Chinese character takes two. Pure."""

import unicodedata
from collections.abc import Sequence


def columns(text: str) -> int:
    """How many columns a text takes."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def padded(text: str, width: int) -> str:
    """Filled with spaces to ``width`` columns."""
    return text + " " * max(0, width - columns(text))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, every column as wide as its widest entry."""
    widths = [max(columns(row[at]) for row in (head, *rows)) for at in range(len(head))]
    return ["  ".join(padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)]
