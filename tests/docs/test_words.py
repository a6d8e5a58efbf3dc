"""One word for one thing: what docs/glossary.md calls it is what pages, messages, spoken notices and documents call it."""

import re
from collections.abc import Iterator
from typing import Final

import pytest

from tests.docs.reading import DOCS, ROOT, name

_PARTS: Final = ("alarm_engine", "benchmarks", "console", "core", "deploy", "dispatch", "docs", "gateway", "simulator")
_SUFFIXES: Final = {".html", ".md", ".py", ".svg", ".toml", ".ts", ".vue"}
# What is built, brought in from elsewhere, or written down for good.
_LEFT_OUT: Final = {"node_modules", "pages", "migrations"}

NOT_SAID: Final = {
    "抢修员": "抢修人员",
    "技术员": "抢修人员",
    "维修人员": "抢修人员",
    "维修员": "抢修人员",
    "报警器": "探测器",
    "传感器": "探测器",
    "表具": "燃气表",
    "房主": "业主",
    "户主": "业主",
    "居民": "住户",
    "工单": "抢修单",
    "维修单": "抢修单",
    "维修队": "抢修队",
    "班组": "抢修队",
    "关阀指令": "切断指令",
    "关阀命令": "切断指令",
    "切断命令": "切断指令",
    "气密性": "严密性",
    "检漏": "查漏",
    "恢复供气": "复气",
    "告警": "报警",
    "警报": "报警",
    "值班台": "值班室（人）、工作台（页面）",
    "坐席": "值班员",
    "无应答": "没有回应",
    "本地切断": "就地切断",
    "安全锁定": "安全保持",
}
"""What is not said, and what is said instead."""

NOT_SAID_IN_ENGLISH: Final = {
    "customers?": "resident, household",
    "tenants?": "resident",
    "occup(ant|ier)s?": "resident",
    "house(holder|owner)s?|homeowners?": "owner",
    "gas alarms?": "detector",
    "(repair|emergency) (team|squad)s?": "crew",
    "repairm[ae]n|fitters?|plumbers?": "technician",
    "tickets?": "order",
    "gas ?tightness": "tightness",
}

ALLOWED: Final = {("core/registry/cell.py", "户主")}
"""The registry takes lists as they come, in another word too."""


def _ours() -> Iterator[tuple[str, str]]:
    found = [path for part in _PARTS for path in (ROOT / part).rglob("*") if path.suffix in _SUFFIXES]
    for path in (*found, *ROOT.glob("README*.md")):
        if not _LEFT_OUT.intersection(path.relative_to(ROOT).parts):
            yield name(path), path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def ours() -> dict[str, str]:
    """Every text of the product, by its path."""
    found = dict(_ours())
    assert {"README.zh.md", "docs/glossary.md", "dispatch/wording.py", "console/web/src/field/messages.ts"} <= found.keys()
    return found


@pytest.mark.parametrize("word", NOT_SAID)
def test_a_thing_has_one_word(ours: dict[str, str], word: str) -> None:
    said = [path for path, text in ours.items() if word in text and (path, word) not in ALLOWED]
    assert said == [], f"the word is {NOT_SAID[word]}"


@pytest.mark.parametrize("word", NOT_SAID_IN_ENGLISH)
def test_a_thing_has_one_word_in_english(ours: dict[str, str], word: str) -> None:
    told = re.compile(rf"\b({word})\b", re.IGNORECASE)
    said = [f"{path}: {found[0]}" for path, text in ours.items() for found in told.finditer(text)]
    assert said == [], f"the word is {NOT_SAID_IN_ENGLISH[word]}"


def test_the_words_that_are_said_stand_in_the_glossary() -> None:
    glossary = (DOCS / "glossary.md").read_text(encoding="utf-8")
    wanted = {
        "抢修人员",
        "探测器",
        "燃气表",
        "业主",
        "住户",
        "抢修单",
        "抢修队",
        "切断指令",
        "严密性",
        "查漏",
        "复气",
        "报警",
        "值班室",
        "工作台",
        "没有回应",
        "就地切断",
    }
    assert {word for word in wanted if word not in glossary} == set()
