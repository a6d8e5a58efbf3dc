"""The ``gas-sentinel`` command: complete help, and one line instead of a traceback for what a person can put right."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).parents[2]


def _run(*arguments: str, language: str = "C", cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": language, "PYTHONUTF8": "1", "COLUMNS": "200", "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    "command",
    [
        "",
        "up",
        "run",
        "simulate",
        "simulate city",
        "simulate run",
        "simulate district",
        "homes import",
        "crews import",
        "contract schema",
        "certificates",
        "certificates issue",
        "users",
        "users add",
        "conformance",
        "settings",
        "version",
    ],
)
def test_every_command_explains_itself_in_both_languages(command: str) -> None:
    done = _run(*command.split(), "--help")
    assert done.returncode == 0
    assert "·" in done.stdout
    assert any("\u4e00" <= character <= "\u9fff" for character in done.stdout)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["homes", "import", "absent.csv"], "is the platform running?"),
        (["crews", "import", "absent.csv", "--postgres", "postgresql://nobody@127.0.0.1:1/x"], "absent.csv"),
        (["up", "--homes", "absent.csv", "--data", "data"], "there is no file absent.csv"),
        (["up", "--clock-rate", "0", "--data", "data"], "--clock-rate must be above 0"),
        (["simulate", "run", "no-such-story"], "there is no scenario no-such-story"),
        (["simulate", "run", "single-leak", "--platform", "absent.json"], "absent.json is not there"),
        (["simulate", "city", "--homes", "3", "--seed", "1", "--out", "absent/folder.csv"], "cannot be written"),
        (["simulate", "run"], "name a scenario (--list lists them)"),
        (["simulate", "run", "single-leak", "--platform", "absent.json", "--json", "absent/report.json"], "there is no folder"),
        (["simulate", "run", "single-leak", "--platform", "absent.json", "--json", "."], ". is a folder: name a file in it"),
        (["simulate", "run", "single-leak", "--platform", "absent.json", "--json", "/proc/report.json"], "cannot be written"),
        (["simulate", "scenarios", "single-leak", "--folder", "/proc/nope"], "/proc/nope cannot be written"),
        (["simulate", "scenarios", "single-leak", "--folder", "a-file/reports"], "cannot be written"),
        (["conformance", "--account", "M1", "--mqtt", "127.0.0.1:1", "--json", "."], ". is a folder: name a file in it"),
        (["conformance", "--account", "M1", "--mqtt", "127.0.0.1:1", "--json", "/proc/report.json"], "cannot be written"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(arguments: list[str], says: str, tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    done = _run(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert [path.name for path in tmp_path.iterdir()] == ["a-file"]
    assert "Traceback" not in done.stderr
    reasons = [line for line in done.stderr.splitlines() if line.startswith("cannot go on: ")]
    assert len(reasons) == 1
    assert says in reasons[0]
    # Nothing had been started, so that nothing is said of stopping it.
    assert "stopped" not in done.stderr


def test_the_reason_comes_in_the_language_of_the_terminal(tmp_path: Path) -> None:
    done = _run("homes", "import", "absent.csv", language="zh_CN.UTF-8", cwd=tmp_path)
    assert done.stderr.startswith("无法继续：")


def test_a_city_goes_in_whole_and_a_bad_row_keeps_it_out(tmp_path: Path, database: str) -> None:
    homes, crews, credentials = tmp_path / "homes.csv", tmp_path / "crews.csv", tmp_path / "accounts.csv"
    made = _run("simulate", "city", "--homes", "12", "--seed", "4", "--out", str(homes), "--crews-out", str(crews))
    assert made.returncode == 0, made.stderr
    done = _run("homes", "import", str(homes), "--postgres", database, "--credentials-out", str(credentials))
    assert done.returncode == 0, done.stderr
    assert "12 added" in done.stderr
    assert _run("crews", "import", str(crews), "--postgres", database).returncode == 0
    assert credentials.read_text(encoding="utf-8").startswith("account,password\n")

    lines = homes.read_text(encoding="utf-8").splitlines()
    broken = tmp_path / "broken.csv"
    broken.write_text("\n".join([lines[0], *lines[1:], lines[1].replace(lines[1].split(",")[0], "H-NEW", 1)]) + "\n", encoding="utf-8")
    refused = _run("homes", "import", str(broken), "--postgres", database)
    assert refused.returncode == 2
    assert f"line {len(lines) + 1}: " in refused.stderr
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM homes").fetchone() == (12,)


def test_settings_mask_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAS_SENTINEL_MQTT_PASSWORD", "very-secret")
    monkeypatch.setenv("GAS_SENTINEL_MQTT_PORT", "18830")
    shown = _run("settings").stdout
    assert "very-secret" not in shown
    assert "GAS_SENTINEL_MQTT_PASSWORD=********" in shown
    assert "GAS_SENTINEL_MQTT_PORT=18830" in shown


def test_schemas_are_written_one_a_message(tmp_path: Path) -> None:
    done = _run("contract", "schema", "--out", str(tmp_path / "schemas"))
    assert done.returncode == 0
    assert sorted(done.stdout.splitlines()) == sorted(str(path) for path in (tmp_path / "schemas").iterdir())
    assert all(path.name.endswith(".schema.json") for path in (tmp_path / "schemas").iterdir())
