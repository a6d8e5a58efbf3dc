"""Crews and technicians into a real database."""

import csv
import io
from pathlib import Path
from typing import Any

import psycopg
import pytest

from core.errors import RegistryError
from core.registry.crews import CREW_COLUMNS, import_crews
from simulator.city import crews_csv

BASE = {
    "name": "模拟·甲", "phone": "sip:0009@sim.invalid", "district_code": "430102", "lon": "113.02", "lat": "28.2",
    "coord_datum": "WGS-84", "shift_start": "00:00", "shift_end": "24:00", "simulated": "true",
}  # fmt: skip


def person(crew: int, technician: int, **cells: str) -> dict[str, str]:
    return BASE | {"crew_id": f"C{crew}", "technician_id": f"T{technician}"} | cells


def file_of(folder: Path, *rows: dict[str, str]) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, CREW_COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    path = folder / "crews.csv"
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def query(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(statement.encode()).fetchall()


def counts(dsn: str, path: Path, **options: bool) -> tuple[int, int, int, int]:
    report = import_crews(dsn, path, **options)
    return report.added, report.changed, report.unchanged, report.retired


def test_crews_are_added_changed_and_left_alone(database: str, tmp_path: Path) -> None:
    assert counts(database, file_of(tmp_path, person(1, 1), person(1, 2), person(2, 3), person(3, 4))) == (3, 0, 0, 0)
    moved = (person(1, 1, lon="113.5"), person(1, 2, lon="113.5"), person(2, 3, name="模拟·乙"), person(3, 4))
    assert counts(database, file_of(tmp_path, *moved)) == (0, 2, 1, 0)
    assert query(database, "SELECT crew_id, lon, version FROM crews ORDER BY 1") == [("C1", 113.5, 2), ("C2", 113.02, 2), ("C3", 113.02, 1)]
    assert query(database, "SELECT name FROM technicians WHERE technician_id = 'T3'") == [("模拟·乙",)]


def test_a_crews_rows_are_the_truth_about_its_people(database: str, tmp_path: Path) -> None:
    import_crews(database, file_of(tmp_path, person(1, 1), person(1, 2), person(2, 3)))
    assert counts(database, file_of(tmp_path, person(1, 1), person(2, 3), person(2, 4))) == (0, 2, 0, 0)
    assert query(database, "SELECT technician_id FROM technicians WHERE retired_at IS NOT NULL") == [("T2",)]
    assert counts(database, file_of(tmp_path, person(1, 1), person(1, 2), person(2, 4), person(2, 3))) == (0, 1, 1, 0)
    assert query(database, "SELECT count(*) FROM technicians WHERE retired_at IS NULL") == [(4,)]


def test_a_technician_may_change_crews(database: str, tmp_path: Path) -> None:
    import_crews(database, file_of(tmp_path, person(1, 1), person(1, 2), person(2, 3)))
    assert counts(database, file_of(tmp_path, person(1, 1), person(2, 2), person(2, 3))) == (0, 2, 0, 0)
    assert query(database, "SELECT crew_id, retired_at FROM technicians WHERE technician_id = 'T2'") == [("C2", None)]


def test_missing_crews_stay_unless_retired(database: str, tmp_path: Path) -> None:
    import_crews(database, file_of(tmp_path, person(1, 1), person(2, 2)))
    assert counts(database, file_of(tmp_path, person(1, 1))) == (0, 0, 1, 0)
    assert counts(database, file_of(tmp_path, person(1, 1)), retire_missing=True) == (0, 0, 1, 1)
    assert query(database, "SELECT technician_id FROM technicians WHERE retired_at IS NOT NULL") == [("T2",)]


def test_a_city_s_crews_import(database: str, tmp_path: Path) -> None:
    path = tmp_path / "crews.csv"
    path.write_text(crews_csv(200, 7), encoding="utf-8")
    assert import_crews(database, path).added == 12
    assert query(database, "SELECT bool_and(simulated) FROM crews") == [(True,)]


@pytest.mark.parametrize(
    ("rows", "line", "why"),
    [
        ([person(1, 1, crew_id="dispatch")], 2, "reserved"),
        ([person(1, 1, technician_id="")], 2, "technician_id"),
        ([person(1, 1, name="")], 2, "name is empty"),
        ([person(1, 1, phone="")], 2, "phone is empty"),
        ([person(1, 1, phone="13800000000")], 2, "real number"),
        ([person(1, 1, simulated="false")], 2, "not simulated"),
        ([person(1, 1, simulated="maybe", phone="13800000000")], 2, "true or false"),
        ([person(1, 1, lon="", lat="", coord_datum="")], 2, "position"),
        ([person(1, 1, shift_start="24:00")], 2, "shift_start"),
        ([person(1, 1, shift_end="8:00")], 2, "shift_end"),
        ([person(1, 1), person(1, 2, lon="113.5")], 3, "other cells"),
        ([person(1, 1), person(2, 1)], 3, "already"),
    ],
)
def test_a_bad_row_refuses_the_file(database: str, tmp_path: Path, rows: list[dict[str, str]], line: int, why: str) -> None:
    with pytest.raises(RegistryError) as refused:
        import_crews(database, file_of(tmp_path, *rows))
    (found,) = refused.value.problems
    assert (found.line, why in found.en) == (line, True)
    assert query(database, "SELECT count(*) FROM crews") == [(0,)]
