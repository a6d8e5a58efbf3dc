"""`gas-sentinel homes import`: a registry file into the tables, whole or not at all.

Decides the order: check every row while it streams into a staging table, merge, issue credentials, record, commit. A reader never
sees half of it. What a row may say is `home_row`'s business, what changes is `home_merge`'s.
"""

from pathlib import Path
from typing import Any

import psycopg
from psycopg import Cursor

from core.registry.change import begin_change, record_change
from core.registry.credentials import issue_credentials
from core.registry.home_merge import COPY, STAGE, STAGED, merge_homes
from core.registry.home_row import HOME_COLUMNS, Roll, home_row
from core.registry.model import ImportReport
from core.registry.sheet import Problems, rows


def import_homes(dsn: str, path: Path, *, retire_missing: bool = False, credentials_out: Path | None = None) -> ImportReport:
    """Upsert the homes of a CSV file by `home_id`, with their contacts and devices, in one transaction.

    `retire_missing` retires homes and devices that the file does not name (they are never deleted). `credentials_out` gets an
    `account,password` line for every account that had none. Raises RegistryError with the bad rows (at most 100), OSError for
    a file that cannot be read or written, psycopg.Error where the database is away; then nothing was changed.
    """
    problems = Problems()
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        _stage(cursor, path, problems)
        problems.refuse()
        version = begin_change(cursor)
        merged = merge_homes(cursor, version, problems, retire_missing=retire_missing)
        changed = merged.touched - merged.added
        if credentials_out is not None:
            issue_credentials(cursor, credentials_out)
        record_change(cursor, version, "homes", added=merged.added, changed=changed, retired=merged.retired)
    return ImportReport(merged.added, changed, merged.named - merged.touched, merged.retired, version)


def _stage(cursor: Cursor[Any], path: Path, problems: Problems) -> None:
    """Check the rows one by one and copy them while all of them are right; after the first bad one only go on checking."""
    cursor.execute(STAGE)
    roll = Roll()
    with cursor.copy(COPY) as copy:
        copy.set_types(list(STAGED.values()))
        for line, cells in rows(path, HOME_COLUMNS, problems):
            row = home_row(line, cells, roll, problems.at(line))
            if not problems.found:
                copy.write_row(row)
