"""A station as a process: what it is started with."""

import os
import sys
import threading
from pathlib import Path

import pytest

from deploy.station import Station

_SESSION = Path("/proc/self/autogroup")
_SAYS = "import os, pathlib; print(os.nice(0)); print(pathlib.Path('/proc/self/autogroup').read_text() if {} else '')"


@pytest.mark.parametrize("by", [0, 7])
def test_a_station_that_steps_back_leaves_the_processor_to_the_others(tmp_path: Path, by: int) -> None:
    has_sessions = os.access(_SESSION, os.W_OK)
    heard: list[str] = []
    said = threading.Event()

    def hear(line: str) -> None:
        heard.append(line)
        if len(heard) == 2:
            said.set()

    station = Station("one", (sys.executable, "-c", _SAYS.format(has_sessions)), {}, tmp_path / "log", on_line=hear, steps_back=by)
    station.start()
    try:
        assert said.wait(60), station.last_words()
    finally:
        station.stop()
    # Below what this test itself was given, and its whole session with it where the kernel knows sessions.
    assert int(heard[0]) == min(19, os.nice(0) + by)
    assert not has_sessions or heard[1].endswith(f"nice {by}")
