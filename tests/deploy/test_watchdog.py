"""What lives but stands still is ended and started again; what answers is left alone."""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from core.errors import UserError
from core.observe import STANDS_STILL
from deploy.embedded.processes import free_port
from deploy.station import Station
from deploy.supervisor import StopRequest, Supervisor
from deploy.watchdog import ASKED, ASKED_AT_START, Watchdog

STUB = str(Path(__file__).with_name("stub_station.py"))
TIMEOUT_S = 0.3
PATIENCE_S = 60.0


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    found = Supervisor(StopRequest())
    yield found
    found.stop()


@pytest.fixture
def station(supervisor: Supervisor, tmp_path: Path) -> Station:
    """A real process that answers."""
    port = free_port()
    found = Station(
        "stub", (sys.executable, STUB), {"GAS_SENTINEL_OBSERVE_PORT": str(port)}, tmp_path / "log",
        health_url=f"http://127.0.0.1:{port}/health",
    )  # fmt: skip
    supervisor.start(found)
    supervisor.wait_ready(PATIENCE_S)
    return found


def test_a_station_that_hangs_is_ended_and_comes_back(supervisor: Supervisor, station: Station) -> None:
    said: list[str] = []
    watchdog = Watchdog(lambda _, en: said.append(en))
    first = station.pid
    assert first is not None
    watchdog.look(station, PATIENCE_S)
    os.kill(first, signal.SIGSTOP)
    for _ in range(ASKED - 1):
        watchdog.look(station, TIMEOUT_S)
    assert said == []
    assert station.pid == first
    watchdog.look(station, TIMEOUT_S)
    assert said == ["stub gives no sign of life; it is ended and started again"]
    supervisor.wait_ready(PATIENCE_S)
    assert station.pid not in (None, first)
    assert supervisor.deaths() == {"stub": 1}


def test_a_start_that_takes_long_says_whom_it_waits_for(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(StopRequest(), lambda _, en: said.append(en))
    nobody = f"http://127.0.0.1:{free_port()}/health"
    supervisor.start(Station("mute", (sys.executable, "-c", "import signal; signal.pause()"), {}, tmp_path / "log", health_url=nobody))
    try:
        with pytest.raises(UserError, match="mute does not get ready"):
            supervisor.wait_ready(0.5, tell_every=0.1)
    finally:
        supervisor.stop()
    assert "still waiting for mute: no answer" in said


def test_one_answer_between_forgives_the_silence(station: Station) -> None:
    watchdog = Watchdog()
    pid = station.pid
    assert pid is not None
    watchdog.look(station, PATIENCE_S)
    for _ in range(2):
        os.kill(pid, signal.SIGSTOP)
        for _ in range(ASKED - 1):
            watchdog.look(station, TIMEOUT_S)
        os.kill(pid, signal.SIGCONT)
        watchdog.look(station, PATIENCE_S)
    assert station.pid == pid


def test_a_life_that_only_begins_is_given_more_time(station: Station) -> None:
    said: list[str] = []
    watchdog = Watchdog(lambda _, en: said.append(en))
    pid = station.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    for _ in range(ASKED_AT_START - 1):
        watchdog.look(station, 0.01)
    assert said == []
    watchdog.look(station, 0.01)
    assert len(said) == 1


class Says(Station):
    """A station with a life, whose health is what the test says; it remembers being ended."""

    def __init__(self, url: str, log: Path) -> None:
        super().__init__("says", (), {}, log, health_url=url)
        self.ended = 0

    @property
    def pid(self) -> int | None:
        return 1

    def kill(self) -> None:
        self.ended += 1


@pytest.mark.parametrize(
    ("reasons", "ended"),
    [
        (["database_away", "journal_down"], 0),
        (["line:" + STANDS_STILL, "voice:unreachable"], 0),
        (["database_away", STANDS_STILL], 1),
    ],
)
def test_not_well_is_a_sign_of_life_and_a_loop_that_stands_is_none(tmp_path: Path, reasons: list[str], ended: int) -> None:
    class Sick(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"ok": False, "reasons": reasons}).encode()
            self.send_response(503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Not news."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Sick) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        station, watchdog = Says(f"http://127.0.0.1:{server.server_port}/health", tmp_path / "log"), Watchdog()
        for _ in range(ASKED_AT_START):
            watchdog.look(station, PATIENCE_S)
        server.shutdown()
        thread.join()
    assert station.ended == ended
