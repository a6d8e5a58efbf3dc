"""Brings a database to the newest schema by dbmate over ``core/store/migrations``. Knows no table."""

import shutil
import subprocess
import sys
from pathlib import Path

from core.errors import UserError

MIGRATIONS = Path(__file__).resolve().parents[1] / "core" / "store" / "migrations"


def dbmate_program() -> Path:
    """The dbmate that the set-up installed beside this Python, or one on PATH. Raises UserError when there is none."""
    beside = Path(sys.executable).parent / "dbmate"
    if beside.is_file():
        return beside
    found = shutil.which("dbmate")
    if found is None:
        raise UserError("没有找到 dbmate：请执行 make setup", "dbmate was not found: run 'make setup'")
    return Path(found)


def migrate(dsn: str, migrations: Path = MIGRATIONS) -> None:
    """Create the database if missing and apply every migration it has not seen. Raises UserError with dbmate's reason."""
    done = subprocess.run(
        [str(dbmate_program()), "--url", dsn, "--migrations-dir", str(migrations), "--no-dump-schema", "--migration-lock", "up"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or [f"dbmate: {done.returncode}"]
        raise UserError(f"数据库结构升级失败：{said[0]}", f"the database schema could not be brought up to date: {said[0]}")
