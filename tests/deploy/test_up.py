"""``up`` as a process: it gets ready, keeps its parts running, and leaves nothing behind, however it ends."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.embedded.mqtt_probe import ACCEPTED, connect_code
from deploy.embedded.processes import alive
from deploy.embedded.testing import reachable_folder, remove_folder
from deploy.station import ask_health

PATIENCE = 60.0
SCRIPT = Path(__file__).with_name("up_with_stubs.py")
ROOT = Path(__file__).parents[2]


class Up:
    """One run of ``up`` with stub stations."""

    def __init__(self, data: Path, *dying: str, http_port: int = 0, mqtt_port: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(data), str(http_port), str(mqtt_port), *dying],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def line(self) -> dict[str, Any]:
        """The line that it prints when it is ready."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        text = self.process.stdout.readline() if ready else ""
        assert text, self.process.stderr.read() if self.process.stderr else ""
        line: dict[str, Any] = json.loads(text)
        return line

    def end(self, with_signal: int = signal.SIGTERM) -> tuple[int, str]:
        """Signal it; returns its exit status and what it said on stderr."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        _, said = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    folder = reachable_folder(tmp_path) / "data"
    yield folder
    remove_folder(folder)


@pytest.fixture
def start(data: Path) -> Iterator[Callable[..., Up]]:
    running: list[Up] = []

    def begin(*dying: str, http_port: int = 0, mqtt_port: int = 0) -> Up:
        running.append(Up(data, *dying, http_port=http_port, mqtt_port=mqtt_port))
        return running[-1]

    yield begin
    for one in running:
        one.end()


def _gone(pid: int) -> bool:
    return not alive(pid)


def _until(what: Callable[[], bool], why: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, why
        time.sleep(0.02)


def _accepts(line: dict[str, Any]) -> bool:
    door = line["mqtt"]
    return connect_code(door["host"], door["port"], door["username"], door["password"]) == ACCEPTED


def test_ready_means_ready_and_sigterm_leaves_nothing(start: Callable[..., Up], data: Path) -> None:
    up = start()
    line = up.line()
    assert line["mqtt"]["username"] == "fleet"
    assert line["api_token"].startswith("gs_")
    assert line["setup_link"].startswith(f"{line['http']}/setup#"), "there is no user yet"
    assert "demo_link" not in line
    assert {"postgres", "broker", "line", "voice", "dispatch", "console"} <= line["pids"].keys()
    assert all(ask_health(url) is None for url in line["health"].values())
    assert _accepts(line)
    with psycopg.connect(line["postgres"]) as connection:
        assert connection.execute("SELECT count(*) FROM homes").fetchone() == (0,)
    kept = data / "platform.json"
    assert json.loads(kept.read_text(encoding="utf-8")) == line
    assert kept.stat().st_mode & 0o077 == 0

    status, _ = up.end()

    assert status == 0
    assert [name for name, pid in line["pids"].items() if alive(pid)] == []
    assert not kept.exists()


def test_a_second_start_keeps_the_data(start: Callable[..., Up]) -> None:
    first = start()
    with psycopg.connect(first.line()["postgres"], autocommit=True) as connection:
        connection.execute("INSERT INTO broker_accounts VALUES ('HUB-1', 'x')")
    assert first.end()[0] == 0
    with psycopg.connect(start().line()["postgres"]) as connection:
        assert connection.execute("SELECT account FROM broker_accounts").fetchall() == [("HUB-1",)]


@pytest.mark.parametrize("part", ["line", "broker", "postgres"])
def test_a_killed_part_comes_back_where_it_was(start: Callable[..., Up], part: str) -> None:
    up = start()
    line = up.line()
    os.kill(line["pids"][part], signal.SIGKILL)
    _until(lambda: not alive(line["pids"][part]), f"{part} does not die")

    def back() -> bool:
        if part == "line":
            return ask_health(line["health"]["line"]) is None
        if part == "broker":
            return _accepts(line)
        try:
            psycopg.connect(line["postgres"], connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    _until(back, f"{part} does not come back")
    status, said = up.end()
    assert status == 0
    assert f"{part} died and is started again" in said


def test_after_kill_nothing_lives_on_and_the_next_start_works(start: Callable[..., Up]) -> None:
    up = start()
    line = up.line()
    port = line["mqtt"]["port"]
    up.end(signal.SIGKILL)
    for name, pid in line["pids"].items():
        _until(partial(_gone, pid), f"{name} outlives its supervisor")
    assert _accepts(start(mqtt_port=port).line())


def test_two_on_one_folder_are_refused(start: Callable[..., Up]) -> None:
    start().line()
    second = start()
    status, said = second.end(0)
    assert status == 2
    assert "another platform" in said
    assert "--data" in said


@pytest.mark.parametrize("option", ["mqtt_port", "http_port"])
def test_a_busy_port_is_one_line_with_what_to_do(start: Callable[..., Up], option: str) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        status, said = start(**{option: port}).end(0)
    assert status == 2
    reasons = [line for line in said.splitlines() if line.startswith("cannot go on")]
    assert len(reasons) == 1
    assert f"port {port}" in reasons[0]
    assert f"--{option.replace('_', '-')}" in reasons[0]
    assert "Traceback" not in said


def test_a_station_that_cannot_start_takes_everything_down_again(start: Callable[..., Up], data: Path) -> None:
    status, said = start("dispatch").end(0)
    assert status == 2
    assert "dispatch does not get ready" in said
    assert "this station dies at once" in said
    postmaster = data / "postgres" / "cluster" / "postmaster.pid"
    assert not postmaster.exists()
