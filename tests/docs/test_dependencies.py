"""No dependency without its reason: ``docs/dependencies.md`` has one line for each of ``requirements/*.in`` and none besides."""

import json
import re

from tests.docs.reading import DOCS, ROOT, table_after

_TABLES = ("runtime", "development", "pages", "timescale", "programs")


def _wanted(file: str) -> set[str]:
    lines = (ROOT / "requirements" / file).read_text(encoding="utf-8").splitlines()
    names = (re.match(r"[A-Za-z0-9._-]+", line) for line in lines if not line.startswith(("-", "#")))
    return {found[0].lower() for found in names if found}


def _told(table: str) -> set[str]:
    rows = table_after((DOCS / "dependencies.md").read_text(encoding="utf-8"), f"table: {table}")
    return {row[0].strip("`").lower() for row in rows}


def test_every_runtime_requirement_has_its_line() -> None:
    assert _told("runtime") == _wanted("runtime.in")


def test_every_development_requirement_has_its_line() -> None:
    assert _told("development") == _wanted("dev.in")


def test_every_package_of_the_pages_has_its_line() -> None:
    package = json.loads((ROOT / "console" / "web" / "package.json").read_text(encoding="utf-8"))
    assert _told("pages") == {*package["dependencies"], *package["devDependencies"]}


def test_every_package_of_the_timescale_check_has_its_line() -> None:
    package = json.loads((ROOT / "tests" / "timescale" / "package.json").read_text(encoding="utf-8"))
    assert _told("timescale") == set(package["dependencies"])


def test_the_programs_beside_python_have_theirs() -> None:
    assert "mosquitto" in _told("programs")


def test_every_line_is_complete() -> None:
    text = (DOCS / "dependencies.md").read_text(encoding="utf-8")
    for table in _TABLES:
        for row in table_after(text, f"table: {table}"):
            assert len(row) == 5, row[0]
            assert all(row), f"{row[0]} has an empty cell"
