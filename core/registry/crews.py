"""`gas-sentinel crews import`: crews and their technicians into the tables, whole or not at all.

Decides what a row of the file may say (one row a technician, a crew repeats its own cells) and what changes. A crew's
rows are the truth about its people: a technician whom they no longer name is retired. Refuses to know orders and who is
free.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import Cursor

from core.registry import cell
from core.registry.change import begin_change, record_change
from core.registry.model import ImportReport
from core.registry.sheet import Complain, Problems, rows

CREW_COLUMNS: Final = (
    "crew_id", "technician_id", "name", "phone", "district_code", "lon", "lat", "coord_datum", "shift_start", "shift_end",
    "simulated",
)  # fmt: skip

_START = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_END = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00")

Crew = tuple[str, str, float | None, float | None, str | None, str, str, bool]
Technician = tuple[str, str, str, str | None]

_STAGE: Final = """
CREATE TEMP TABLE file_crews ON COMMIT DROP AS
    SELECT crew_id, district_code, lon, lat, coord_datum, shift_start, shift_end, simulated FROM crews WITH NO DATA;
CREATE TEMP TABLE file_technicians ON COMMIT DROP AS
    SELECT technician_id, crew_id, name, phone FROM technicians WITH NO DATA;
CREATE TEMP TABLE touched_crews (crew_id text PRIMARY KEY) ON COMMIT DROP;
"""

_ADD_CREWS: Final = """
INSERT INTO crews (crew_id, district_code, lon, lat, coord_datum, shift_start, shift_end, simulated, version)
SELECT f.*, %(version)s FROM file_crews f WHERE NOT EXISTS (SELECT FROM crews c WHERE c.crew_id = f.crew_id)
"""

_CHANGE_CREWS: Final = """
WITH changed AS (
    UPDATE crews c
       SET (district_code, lon, lat, coord_datum, shift_start, shift_end, simulated, retired_at)
         = ROW (f.district_code, f.lon, f.lat, f.coord_datum, f.shift_start, f.shift_end, f.simulated, NULL)
      FROM file_crews f
     WHERE c.crew_id = f.crew_id
       AND ((c.district_code, c.lon, c.lat, c.coord_datum, c.shift_start, c.shift_end, c.simulated)
            IS DISTINCT FROM (f.district_code, f.lon, f.lat, f.coord_datum, f.shift_start, f.shift_end, f.simulated)
            OR c.retired_at IS NOT NULL)
    RETURNING c.crew_id)
INSERT INTO touched_crews SELECT crew_id FROM changed
"""

# Both crews of a technician who moves are touched, and the one that he leaves keeps no row of his.
_TECHNICIANS: Final = """
CREATE TEMP TABLE changed_technicians ON COMMIT DROP AS
SELECT f.*, t.crew_id AS old_crew_id FROM file_technicians f LEFT JOIN technicians t USING (technician_id)
 WHERE t.technician_id IS NULL OR t.retired_at IS NOT NULL OR (t.crew_id, t.name, t.phone) <> (f.crew_id, f.name, f.phone);
INSERT INTO touched_crews
SELECT crew_id FROM changed_technicians
UNION
SELECT old_crew_id FROM changed_technicians WHERE old_crew_id IS NOT NULL
ON CONFLICT DO NOTHING;
INSERT INTO technicians (technician_id, crew_id, name, phone)
SELECT technician_id, crew_id, name, phone FROM changed_technicians
ON CONFLICT (technician_id) DO UPDATE
   SET crew_id = EXCLUDED.crew_id, name = EXCLUDED.name, phone = EXCLUDED.phone, retired_at = NULL;
WITH retired AS (
    UPDATE technicians t SET retired_at = now() FROM file_crews f
     WHERE t.crew_id = f.crew_id AND t.retired_at IS NULL
       AND NOT EXISTS (SELECT FROM file_technicians named WHERE named.technician_id = t.technician_id)
    RETURNING t.crew_id)
INSERT INTO touched_crews SELECT DISTINCT crew_id FROM retired ON CONFLICT DO NOTHING;
"""

_RETIRE_MISSING: Final = """
WITH gone AS (
    UPDATE crews c SET retired_at = now(), version = %(version)s
     WHERE retired_at IS NULL AND NOT EXISTS (SELECT FROM file_crews f WHERE f.crew_id = c.crew_id)
    RETURNING c.crew_id),
people AS (UPDATE technicians t SET retired_at = now() FROM gone WHERE t.crew_id = gone.crew_id AND t.retired_at IS NULL)
SELECT crew_id FROM gone
"""

_MARK: Final = """
UPDATE crews c SET version = %(version)s FROM touched_crews t WHERE c.crew_id = t.crew_id AND c.version <> %(version)s
"""


@dataclass
class _Read:
    """The crews and technicians of a file, by id, with the line that named them first."""

    crews: dict[str, tuple[int, Crew]] = field(default_factory=dict)
    technicians: dict[str, tuple[int, Technician]] = field(default_factory=dict)


def import_crews(dsn: str, path: Path, *, retire_missing: bool = False) -> ImportReport:
    """Upsert the crews of a CSV file by `crew_id`, with their technicians, in one transaction.

    `retire_missing` retires crews that the file does not name, with their technicians. Counts are in crews. Raises
    RegistryError with the bad rows (at most 100), OSError for a file that cannot be read, psycopg.Error where the database is
    away; then nothing changed.
    """
    read = _read(path)
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        _stage(cursor, read)
        version = begin_change(cursor)
        given = {"version": version}
        added = cursor.execute(_ADD_CREWS, given).rowcount
        cursor.execute(_CHANGE_CREWS)
        cursor.execute(_TECHNICIANS)
        retired = cursor.execute(_RETIRE_MISSING, given).rowcount if retire_missing else 0
        cursor.execute(_MARK, given)
        (touched,) = cursor.execute("SELECT count(*) FROM touched_crews JOIN file_crews USING (crew_id)").fetchone() or (0,)
        record_change(cursor, version, "crews", added=added, changed=touched - added, retired=retired)
    return ImportReport(added, touched - added, len(read.crews) - touched, retired, version)


def _stage(cursor: Cursor[Any], read: _Read) -> None:
    cursor.execute(_STAGE)
    with cursor.copy("COPY file_crews FROM STDIN") as copy:
        for _, crew in read.crews.values():
            copy.write_row(crew)
    with cursor.copy("COPY file_technicians FROM STDIN") as copy:
        for _, technician in read.technicians.values():
            copy.write_row(technician)


def _read(path: Path) -> _Read:
    problems, read = Problems(), _Read()
    for line, cells in rows(path, CREW_COLUMNS, problems):
        _take(line, dict(zip(CREW_COLUMNS, cells, strict=True)), read, problems.at(line))
    problems.refuse()
    return read


def _take(line: int, raw: dict[str, str], read: _Read, complain: Complain) -> None:
    crew, technician = _crew(raw, complain), _technician(raw, complain)
    first_line, first = read.crews.setdefault(crew[0], (line, crew))
    if first != crew:
        complain(
            f"抢修队 {crew[0]} 的内容与第 {first_line} 行不同",
            f"crew {crew[0]} stands on line {first_line} with other cells",
        )
    taken_line, _ = read.technicians.setdefault(technician[0], (line, technician))
    if taken_line != line:
        complain(
            f"人员 {technician[0]} 已在第 {taken_line} 行",
            f"technician {technician[0]} stands on line {taken_line} already",
        )


def _crew(raw: dict[str, str], complain: Complain) -> Crew:
    lon, lat, datum = cell.place(raw["lon"], raw["lat"], raw["coord_datum"], complain)
    if not (raw["lon"] or raw["lat"] or raw["coord_datum"]):
        complain("抢修队须有位置 lon、lat、coord_datum", "a crew needs its position: lon, lat and coord_datum")
    return (
        cell.identifier("crew_id", raw["crew_id"], complain),
        cell.district_code(raw["district_code"], complain),
        *(lon, lat, datum),
        _time("shift_start", raw["shift_start"], _START, complain),
        _time("shift_end", raw["shift_end"], _END, complain),
        cell.truth("simulated", raw["simulated"], complain),
    )


def _technician(raw: dict[str, str], complain: Complain) -> Technician:
    cell.required("phone", raw["phone"], complain)
    simulated = raw["simulated"].lower() == "true"
    return (
        cell.identifier("technician_id", raw["technician_id"], complain),
        raw["crew_id"],
        cell.required("name", raw["name"], complain),
        cell.phone("phone", raw["phone"], complain, simulated=simulated) if raw["phone"] else None,
    )


def _time(column: str, text: str, shape: re.Pattern[str], complain: Complain) -> str:
    if shape.fullmatch(text) is None:
        complain(f"{column} 须为 HH:MM，不是“{text}”", f"{column} must be HH:MM, not '{text}'")
    return text
