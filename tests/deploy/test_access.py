"""How people get in from the outside of the console: the links that a start makes, ``gas-sentinel users``, and what ``--tls`` refuses."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from core.errors import UserError
from deploy.access import WebTls, new_doors, tls_settings

ROOT = Path(__file__).parents[2]


def _users(database: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", "users", *arguments, "--postgres", database],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_start_makes_new_secrets_and_a_setup_link_only_while_there_is_no_user(database: str) -> None:
    first, second = new_doors(database, demo=False), new_doors(database, demo=True)
    assert first.api_token.startswith("gs_")
    assert len({first.api_token, second.api_token, first.setup, second.setup}) == 4
    assert first.links("http://127.0.0.1:1") == {"setup_link": f"http://127.0.0.1:1/setup#{first.setup}"}
    assert second.links("http://127.0.0.1:1")["demo_link"] == f"http://127.0.0.1:1/demo#{second.demo}"
    assert _users(database, "add", "zhou", "--role", "operator").returncode == 0
    assert new_doors(database, demo=False).links("http://127.0.0.1:1") == {}


def test_users_by_command(database: str) -> None:
    added = _users(database, "add", "Zhou", "--role", "operator", "--role", "dispatcher", "--display", "周敏", "--district", "430102")
    assert added.returncode == 0, added.stderr
    assert added.stdout.startswith("/setup#")
    assert _users(database, "list").stdout.split("\t") == ["zhou", "operator,dispatcher", "430102", "-", "no password yet", "周敏\n"]
    again = _users(database, "add", "zhou", "--role", "operator")
    assert (again.returncode, "taken" in again.stderr) == (2, True)
    assert _users(database, "disable", "zhou").returncode == 0
    assert "disabled" in _users(database, "list").stdout
    link = _users(database, "password", "ZHOU")
    assert link.stdout.startswith("/setup#")
    assert "no password yet" in _users(database, "list").stdout, "he may sign in again"
    with psycopg.connect(database) as db:
        noted = db.execute("SELECT what, via FROM audit ORDER BY audit_no").fetchall()
    assert noted == [("user_made", "command"), ("user_changed", "command"), ("password_link_made", "command")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["add", "x", "--role", "operator"], "name"),
        (["add", "zhou", "--role", "king"], "roles"),
        (["add", "zhou", "--role", "technician"], "technician_id"),
        (["disable", "nobody"], "there is no user nobody"),
        (["password", "nobody"], "there is no user nobody"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused_in_one_line(database: str, arguments: list[str], says: str) -> None:
    done = _users(database, *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_tls_is_looked_at_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no file"):
        WebTls(tmp_path / "cert.pem", tmp_path / "key.pem").check()
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("no", encoding="utf-8")
    with pytest.raises(UserError, match="pair of PEM files"):
        WebTls(tmp_path / "cert.pem", tmp_path / "key.pem").check()
    assert tls_settings(None) == {}
    settings = tls_settings(WebTls(Path("c"), Path("k"), "0.0.0.0", 8443, ("a.cn", "b.cn")))
    assert settings["GAS_SENTINEL_HTTP_NAMES"] == "a.cn,b.cn"
    assert Path(settings["GAS_SENTINEL_TLS_CERT"]).is_absolute()
