"""The figures that the page on metrics names are counted somewhere."""

import re

from tests.docs.reading import DOCS, ROOT

PAGE = (DOCS / "how-to" / "look-at-metrics-and-health.md").read_text(encoding="utf-8")
STATIONS = ("gateway", "alarm_engine", "dispatch", "console")


def test_every_metric_on_the_page_is_declared() -> None:
    named = set(re.findall(r"`((?:gas_line|gas_sentinel|dispatch)_\w+)`", PAGE))
    code = "".join(path.read_text(encoding="utf-8") for station in STATIONS for path in (ROOT / station).rglob("*.py"))
    assert named
    assert [metric for metric in sorted(named) if f'"{metric}"' not in code] == []
