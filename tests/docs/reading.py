"""Reads the product's own documents: headings, links, marked code blocks and tables. Knows Markdown, judges nothing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
_LEFT_OUT = {".venv", ".git", ".cache", ".data", ".hypothesis", ".pytest_cache", "node_modules"}

_FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,})(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!--\s*(?P<what>example|counterexample):\s*(?P<name>[\w.-]+)\s*-->\s*\Z")
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?(?P<target>[^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_SOURCE = re.compile(r"\b(?:src|href|srcset)=\"(?P<target>[^\"]+)\"")
_HEADING = re.compile(r"^(?P<level>#{1,6})\s+(?P<title>.+?)\s*#*\s*$", re.MULTILINE)
_ANCHOR = re.compile(r"<a\s+(?:id|name)=\"([^\"]+)\"")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, and the mark in the comment before it (``("example", "up.alarm")``), if any."""

    language: str
    text: str
    mark: tuple[str, str] | None
    line: int


def markdown_files() -> list[Path]:
    """Every Markdown file of the tree that is ours."""
    return sorted(path for path in ROOT.rglob("*.md") if not _LEFT_OUT.intersection(path.relative_to(ROOT).parts))


def name(path: Path) -> str:
    """How a test calls a file: relative to the tree."""
    return str(path.relative_to(ROOT))


def blocks(text: str) -> list[Block]:
    """All fenced blocks in order."""
    found = []
    for match in _FENCE.finditer(text):
        mark = _MARK.search(text[: match.start()])
        found.append(
            Block(
                match["language"].strip(),
                match["text"],
                (mark["what"], mark["name"]) if mark else None,
                text.count("\n", 0, match.start()) + 1,
            )
        )
    return found


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    return _FENCE.sub("", text)


def links(text: str) -> list[str]:
    """Targets of links and pictures, in order."""
    plain = re.sub(r"`[^`\n]*`", lambda span: "`" + "x" * (len(span[0]) - 2) + "`", prose(text))
    return [match["target"] for pattern in (_LINK, _SOURCE) for match in pattern.finditer(plain)]


def headings(text: str) -> list[tuple[int, str]]:
    """(level, title) of every heading."""
    return [(len(match["level"]), match["title"]) for match in _HEADING.finditer(prose(text))]


def anchors(text: str) -> set[str]:
    """What may stand behind ``#`` in a link to this text: GitHub's slugs of its headings, and explicit anchors."""
    slugs: dict[str, int] = {}
    found = set(_ANCHOR.findall(text))
    for _, title in headings(text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "").replace("*", "")
        slug = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
        count = slugs.get(slug, 0)
        slugs[slug] = count + 1
        found.add(slug if count == 0 else f"{slug}-{count}")
    return found


def table_after(text: str, comment: str) -> list[list[str]]:
    """Rows of the first table behind an HTML comment, its head and rule left out. Raises LookupError where there is none."""
    _, mark, rest = text.partition(f"<!-- {comment} -->")
    rows = list(_rows(rest)) if mark else []
    if len(rows) < 3:
        raise LookupError(f"no table behind <!-- {comment} -->")
    return rows[2:]


def _rows(text: str) -> Iterator[list[str]]:
    started = False
    for line in text.splitlines():
        if line.startswith("|"):
            started = True
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]
        elif started:
            return
