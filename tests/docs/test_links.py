"""Every link in the documents leads somewhere: files, headings in them, and tests that are named by their name."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.reading import ROOT, anchors, links, markdown_files, name, prose

_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_FOLDERS = "core|gateway|alarm_engine|dispatch|console|simulator|deploy|tests|benchmarks|docs"
_FILE_SPAN = re.compile(rf"`((?:{_FOLDERS})/[\w./-]+\.\w+)`")


@pytest.mark.parametrize("path", markdown_files(), ids=name)
def test_links_lead_to_files_and_headings_that_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    broken = [target for target in links(text) if not _resolves(path, target)]
    assert broken == []


@pytest.mark.parametrize("path", markdown_files(), ids=name)
def test_files_named_in_prose_exist(path: Path) -> None:
    named = _FILE_SPAN.findall(prose(path.read_text(encoding="utf-8")))
    assert [file for file in named if not (ROOT / file).exists()] == []


@pytest.mark.parametrize("path", markdown_files(), ids=name)
def test_tests_named_in_prose_exist(path: Path) -> None:
    missing = []
    for file, test in _TEST.findall(path.read_text(encoding="utf-8")):
        source = ROOT / file
        if not source.is_file() or not re.search(rf"\b(?:def|class) {test}\b", source.read_text(encoding="utf-8")):
            missing.append(f"{file}::{test}")
    assert missing == []


def _resolves(path: Path, target: str) -> bool:
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return True
    file, _, anchor = unquote(target).partition("#")
    found = (path.parent / file).resolve() if file else path
    if not found.exists() or not found.is_relative_to(ROOT):
        return False
    return not anchor or found.suffix != ".md" or anchor in anchors(found.read_text(encoding="utf-8"))
