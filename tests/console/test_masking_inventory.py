"""The inventory of personal data names what the database has: nothing that is not there, and no table is forgotten."""

import re
from pathlib import Path

import psycopg
import pytest

from console.access.rights import ALL_RIGHTS
from console.settings import ConsoleSettings
from dispatch.settings import DispatchSettings
from dispatch.voice.settings import VoiceSettings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "privacy.md").read_text(encoding="utf-8")
INVENTORY = PAGE.split("## 清单", 1)[1].split("## 尚未做到", 1)[0]


def schema(dsn: str) -> dict[str, set[str]]:
    """Table -> its columns; partitions count as their table."""
    with psycopg.connect(dsn) as db:
        rows = db.execute(
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0"
            " AND NOT a.attisdropped"
        ).fetchall()
    found: dict[str, set[str]] = {}
    for table, column in rows:
        found.setdefault(table, set()).add(column)
    return found


def test_every_table_is_in_the_inventory_and_every_field_of_it_in_the_database(database: str) -> None:
    tables = schema(database)
    named = set(re.findall(r"`([a-z_]+)`", INVENTORY)) | {table for table, _ in re.findall(r"`([a-z_]+)\.([a-z_]+|\*)`", INVENTORY)}
    assert set(tables) - named == set(), "say what they hold of persons"
    for table, column in re.findall(r"`([a-z_]+)\.([a-z_]+|\*)`", INVENTORY):
        assert table in tables, table
        assert column == "*" or column in tables[table], f"{table}.{column}"


def test_every_setting_and_right_that_it_names_is_one() -> None:
    known = {f"GAS_SENTINEL_{name.upper()}" for each in (ConsoleSettings, DispatchSettings, VoiceSettings) for name in each.model_fields}
    assert set(re.findall(r"GAS_SENTINEL_[A-Z_]+", PAGE)) <= known
    for right in ("read", "read_people", "unmask", "assign", "export", "audit", "handover", "users", "tokens"):
        assert f"`{right}`" in PAGE
        assert right in ALL_RIGHTS


@pytest.mark.parametrize("line", [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line])
def test_every_line_is_in_both_languages(line: str) -> None:
    assert re.search(r"[\u4e00-\u9fff]", line)
    assert re.search(r"[A-Za-z]{2}", line)
