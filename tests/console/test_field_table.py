"""The technician's page foretells steps and tests by tables of its own: they must say what dispatch says."""

import re
from pathlib import Path
from typing import Final

from dispatch.judgement.order_table import EMERGENCY, VISIT, OrderEvent, Table

FIELD: Final = Path(__file__).resolve().parents[2] / "console" / "web" / "src" / "field"
STEPS: Final[dict[str, OrderEvent]] = {
    "accept": "accept",
    "on-site": "arrive",
    "no-access": "find_nobody",
    "made-safe": "make_safe",
    "cause": "record_cause",
    "tightness-test": "pass_test",
    "restore": "restore",
    "archive": "archive",
}


def _rows(source: str, name: str) -> dict[tuple[str, str], str]:
    body = re.search(rf"const {name}: Table = \{{(.*?)\n?\}};", source, re.DOTALL)
    assert body is not None, name
    found = {(state, STEPS[step]): after for state, step, after in re.findall(r'"(\w+) ([\w-]+)": "(\w+)"', body[1])}
    return found | (_rows(source, "SENT") if "...SENT" in body[1] else {})


def _by_people(table: Table) -> dict[tuple[str, str], str]:
    return {(state, event): after for (state, event), after in table.items() if event in STEPS.values()}


def test_the_page_s_table_is_dispatch_s() -> None:
    source = (FIELD / "work" / "orderTable.ts").read_text(encoding="utf-8")
    assert _rows(source, "EMERGENCY") == _by_people(EMERGENCY)
    assert _rows(source, "VISIT") == _by_people(VISIT)


def test_the_service_worker_keeps_no_answer_of_the_api() -> None:
    worker = (FIELD.parents[1] / "public" / "field" / "sw.js").read_text(encoding="utf-8")
    assert "/api/" not in worker


def test_the_page_is_built_without_the_desk_s_components() -> None:
    sources = [path.read_text(encoding="utf-8") for path in FIELD.rglob("*") if path.suffix in {".ts", ".vue"}]
    assert sources
    assert not any("element-plus" in source or "echarts" in source for source in sources)
