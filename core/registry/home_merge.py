"""The statements that bring the homes of a file into the tables: set-based, in one transaction, touching only what changed.

Decides what counts as changed, which devices move, which are retired and what a conflict with the stored registry is.
Refuses to read files: `file_rows` is filled by COPY before. All tables made here vanish with the transaction.

A file speaks for the homes that it names. Without `retire_missing` a device that it does not name stays where it is (a leak
from it still closes the valve), except a meter whose place another one takes: one valve meter a home.
"""

from dataclasses import dataclass
from typing import Any, Final

from psycopg import Cursor

from core.registry.sheet import Problems

_HOME_FIELDS: Final = {
    "household_no": "text", "district_code": "text", "district": "text", "subdistrict": "text", "community": "text",
    "estate": "text", "building": "text", "unit": "text", "floor": "text", "room": "text", "riser_id": "text", "lon": "float8",
    "lat": "float8", "coord_datum": "text", "meter_location": "text", "access_note": "text", "language": "text",
    "flags": "text[]", "alarm_lel": "float8", "simulated": "bool",
}  # fmt: skip

STAGED: Final = (
    {"line": "int4", "first": "bool", "home_id": "text"}
    | _HOME_FIELDS
    | {f"contact{ordinal}_{what}": "text" for ordinal in (1, 2) for what in ("name", "role", "phone")}
    | {"meter_id": "text", "meter_made_on": "date", "detector_id": "text", "detector_made_on": "date", "hub_id": "text"}
)
"""The columns of the staging table and their types, one row a line of the file."""

STAGE: Final = f"CREATE TEMP TABLE file_rows ({', '.join(f'{name} {kind}' for name, kind in STAGED.items())}) ON COMMIT DROP"
COPY: Final = "COPY file_rows FROM STDIN (FORMAT binary)"

_FIELDS: Final = ", ".join(_HOME_FIELDS)
_FILE_FIELDS: Final = ", ".join(f"f.{name}" for name in _HOME_FIELDS)

_UNFOLD: Final = """
CREATE TEMP TABLE file_devices ON COMMIT DROP AS
    SELECT line, meter_id AS device_id, 'meter' AS kind, home_id, coalesce(hub_id, meter_id) AS account, meter_made_on AS made_on
      FROM file_rows WHERE first AND meter_id IS NOT NULL
    UNION ALL
    SELECT line, detector_id, 'detector', home_id, coalesce(hub_id, detector_id), detector_made_on
      FROM file_rows WHERE detector_id IS NOT NULL
    UNION ALL
    SELECT min(line), hub_id, 'hub', NULL, hub_id, NULL
      FROM file_rows WHERE hub_id IS NOT NULL GROUP BY hub_id;
CREATE TEMP TABLE file_contacts ON COMMIT DROP AS
    SELECT home_id, 1::smallint AS position, contact1_name AS name, contact1_role AS role, contact1_phone AS phone
      FROM file_rows WHERE first AND contact1_phone IS NOT NULL
    UNION ALL
    SELECT home_id, 2::smallint, contact2_name, contact2_role, contact2_phone
      FROM file_rows WHERE first AND contact2_phone IS NOT NULL;
CREATE UNIQUE INDEX ON file_rows (home_id) WHERE first;
CREATE UNIQUE INDEX ON file_devices (device_id);
ANALYZE file_rows;
ANALYZE file_devices;
ANALYZE file_contacts;
CREATE TEMP TABLE touched_homes (home_id text PRIMARY KEY) ON COMMIT DROP;
"""

_OTHER_KIND: Final = """
SELECT f.line, f.kind, f.device_id, d.kind FROM file_devices f JOIN devices d USING (device_id)
 WHERE d.kind <> f.kind ORDER BY f.line LIMIT 100
"""

# The stored home is not in the file: the registry and the file together would have the device in two homes.
_ELSEWHERE: Final = """
SELECT f.line, f.kind, f.device_id, d.home_id
  FROM file_devices f JOIN devices d USING (device_id) JOIN homes h ON h.home_id = d.home_id
 WHERE d.kind = f.kind AND d.retired_at IS NULL AND h.retired_at IS NULL AND d.home_id <> f.home_id
   AND NOT EXISTS (SELECT FROM file_rows r WHERE r.first AND r.home_id = d.home_id)
 ORDER BY f.line LIMIT 100
"""

_ADD_HOMES: Final = f"""
INSERT INTO homes (home_id, {_FIELDS}, version)
SELECT f.home_id, {_FILE_FIELDS}, %(version)s FROM file_rows f
 WHERE f.first AND NOT EXISTS (SELECT FROM homes h WHERE h.home_id = f.home_id)
"""

_CHANGE_HOMES: Final = f"""
WITH changed AS (
    UPDATE homes h SET ({_FIELDS}, retired_at) = ROW ({_FILE_FIELDS}, NULL) FROM file_rows f
     WHERE f.first AND h.home_id = f.home_id
       AND (({", ".join(f"h.{name}" for name in _HOME_FIELDS)}) IS DISTINCT FROM ({_FILE_FIELDS}) OR h.retired_at IS NOT NULL)
    RETURNING h.home_id)
INSERT INTO touched_homes SELECT home_id FROM changed
"""

_CONTACTS: Final = """
CREATE TEMP TABLE changed_contacts ON COMMIT DROP AS
WITH stored AS (
    SELECT c.home_id, c.position, c.name, c.role, c.phone
      FROM contacts c JOIN file_rows f ON f.first AND f.home_id = c.home_id)
SELECT home_id FROM (TABLE stored EXCEPT TABLE file_contacts) AS gone
UNION
SELECT home_id FROM (TABLE file_contacts EXCEPT TABLE stored) AS came;
INSERT INTO touched_homes SELECT home_id FROM changed_contacts ON CONFLICT DO NOTHING;
DELETE FROM contacts c USING changed_contacts WHERE c.home_id = changed_contacts.home_id;
INSERT INTO contacts SELECT f.* FROM file_contacts f JOIN changed_contacts USING (home_id);
"""

_CHANGED_DEVICES: Final = """
CREATE TEMP TABLE changed_devices ON COMMIT DROP AS
SELECT f.*, d.home_id AS old_home_id, d.device_id IS NOT NULL AS known
  FROM file_devices f LEFT JOIN devices d USING (device_id)
 WHERE d.device_id IS NULL OR d.retired_at IS NOT NULL
    OR (d.home_id, d.account, d.made_on) IS DISTINCT FROM (f.home_id, f.account, f.made_on);
INSERT INTO touched_homes
SELECT home_id FROM changed_devices WHERE home_id IS NOT NULL
UNION
SELECT old_home_id FROM changed_devices WHERE old_home_id IS NOT NULL
ON CONFLICT DO NOTHING;
"""

# Meters leave their old homes before any of them moves in: two meters may change places.
_DETACH_METERS: Final = """
UPDATE devices d SET home_id = NULL FROM changed_devices c
 WHERE d.device_id = c.device_id AND c.kind = 'meter' AND d.home_id IS DISTINCT FROM c.home_id
"""

_RETIRE_DISPLACED: Final = """
WITH displaced AS (
    UPDATE devices d SET retired_at = now(), version = %(version)s FROM file_devices f
     WHERE f.kind = 'meter' AND d.kind = 'meter' AND d.home_id = f.home_id AND d.device_id <> f.device_id AND d.retired_at IS NULL
       AND NOT EXISTS (SELECT FROM file_devices named WHERE named.device_id = d.device_id)
    RETURNING d.home_id)
INSERT INTO touched_homes SELECT home_id FROM displaced ON CONFLICT DO NOTHING
"""

_CHANGE_DEVICES: Final = """
UPDATE devices d
   SET home_id = c.home_id, account = c.account, made_on = c.made_on, retired_at = NULL, version = %(version)s
  FROM changed_devices c WHERE c.known AND d.device_id = c.device_id
"""

_ADD_DEVICES: Final = """
INSERT INTO devices (device_id, kind, home_id, account, made_on, version)
SELECT device_id, kind, home_id, account, made_on, %(version)s FROM changed_devices WHERE NOT known ORDER BY line
"""

# The platform's own (the canary's home and devices) come from no file.
_RETIRE_MISSING_DEVICES: Final = r"""
WITH retired AS (
    UPDATE devices d SET retired_at = now(), version = %(version)s
     WHERE retired_at IS NULL AND device_id NOT LIKE '\_%%' AND device_id <> 'canary'
       AND NOT EXISTS (SELECT FROM file_devices f WHERE f.device_id = d.device_id)
    RETURNING home_id)
INSERT INTO touched_homes SELECT DISTINCT home_id FROM retired WHERE home_id IS NOT NULL ON CONFLICT DO NOTHING
"""

_RETIRE_MISSING_HOMES: Final = r"""
UPDATE homes h SET retired_at = now(), version = %(version)s
 WHERE retired_at IS NULL AND home_id NOT LIKE '\_%%' AND home_id <> 'canary'
   AND NOT EXISTS (SELECT FROM file_rows f WHERE f.first AND f.home_id = h.home_id)
"""

# A home carries the version of whatever changed about it: its row, its contacts or its devices.
_MARK: Final = """
UPDATE homes h SET version = %(version)s FROM touched_homes t
 WHERE h.home_id = t.home_id AND h.version <> %(version)s
"""

_COUNT: Final = """
SELECT (SELECT count(*) FROM file_rows WHERE first),
       (SELECT count(*) FROM touched_homes JOIN file_rows USING (home_id) WHERE first)
"""

_REFRESH: Final = "ANALYZE homes, devices, contacts"


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did, in homes: `named` by the file, of them `added` and `touched` (added ones included); `retired` beside."""

    named: int
    added: int
    touched: int
    retired: int


def merge_homes(cursor: Cursor[Any], version: int, problems: Problems, *, retire_missing: bool) -> Merged:
    """Bring the staged rows into the tables under `version`. Raises RegistryError where they contradict what is stored."""
    given = {"version": version}
    cursor.execute(_UNFOLD)
    _refuse_conflicts(cursor, problems, retire_missing=retire_missing)
    added = cursor.execute(_ADD_HOMES, given).rowcount
    cursor.execute(_CHANGE_HOMES)
    cursor.execute(_CONTACTS)
    cursor.execute(_CHANGED_DEVICES)
    cursor.execute(_DETACH_METERS)
    cursor.execute(_RETIRE_DISPLACED, given)
    cursor.execute(_CHANGE_DEVICES, given)
    cursor.execute(_ADD_DEVICES, given)
    retired = 0
    if retire_missing:
        cursor.execute(_RETIRE_MISSING_DEVICES, given)
        retired = cursor.execute(_RETIRE_MISSING_HOMES, given).rowcount
    cursor.execute(_MARK, given)
    named, touched = cursor.execute(_COUNT).fetchone() or (0, 0)
    cursor.execute(_REFRESH)
    return Merged(named, added, touched, retired)


def _refuse_conflicts(cursor: Cursor[Any], problems: Problems, *, retire_missing: bool) -> None:
    for line, kind, device_id, stored_kind in cursor.execute(_OTHER_KIND).fetchall():
        problems.add(
            line,
            f"设备 {device_id} 已登记为 {stored_kind}，不能改为 {kind}",
            f"device {device_id} is registered as a {stored_kind} and cannot become a {kind}",
        )
    for line, kind, device_id, home_id in [] if retire_missing else cursor.execute(_ELSEWHERE).fetchall():
        problems.add(
            line,
            f"{kind} {device_id} 现属住户 {home_id}，而文件中没有该住户：请一并写入该住户的行",
            f"{kind} {device_id} belongs to home {home_id}, which is not in the file: add that home's row too",
        )
    problems.refuse()
