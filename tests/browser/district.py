"""``gas-sentinel run`` as a person starts it: the whole platform with a simulated district, on free ports, in a folder of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from deploy.embedded.processes import alive

ROOT = Path(__file__).parents[2]
_READY_S = 120.0
_END_S = 60.0


@contextmanager
def running_district(folder: Path, language: str = "en") -> Iterator[dict[str, Any]]:
    """The line that the platform says of itself once it is healthy; at the end Ctrl-C, which leaves nothing. Raises AssertionError."""
    said = folder.parent / f"{folder.name}.log"
    options = ["--data", str(folder), "--http-port", "0", "--mqtt-port", "0", "--language", language]
    with said.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "run", *options], cwd=ROOT, env=dict(os.environ), stdout=log, stderr=subprocess.STDOUT
        )
    line: dict[str, Any] = {"pids": {}}
    try:
        line = _ready(process, folder / "platform.json", said)
        yield line
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == 0, said.read_text(encoding="utf-8", errors="replace")[-3000:]
    assert [part for part, pid in line["pids"].items() if alive(pid)] == []


def _ready(process: "subprocess.Popen[bytes]", file: Path, said: Path) -> dict[str, Any]:
    end = time.monotonic() + _READY_S
    while time.monotonic() < end:
        assert process.poll() is None, said.read_text(encoding="utf-8", errors="replace")[-3000:]
        try:
            line: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            if httpx.get(f"{line['http']}/health", timeout=5, trust_env=False).status_code == 200:
                return line
        except (OSError, ValueError, KeyError, httpx.HTTPError):
            pass  # not there yet
        time.sleep(0.2)
    raise AssertionError(said.read_text(encoding="utf-8", errors="replace")[-3000:])
