"""Every scenario on a whole platform of its own, as a person would play it: once as it is, once with one setting broken.

A report that cannot turn red proves nothing. The plays are processes and run side by side, a few at a time.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simulator.scenarios import names

_AT_ONCE = 3
_LIMIT_S = 420.0

RED = {
    "single-leak": "expected_household",
    "telemetry-only-leak": "leak_closes_valve",
    "no-local-linkage": "leak_closes_valve",
    "nobody-answers": "expected_household",
    "noisy-sensor": "one_incident_one_order",
}
"""What must be broken, at the least, under each scenario's broken setting."""


@dataclass(frozen=True)
class Played:
    """How one play ended: its exit status, its report, and what it said."""

    status: int
    report: dict[str, Any]
    said: str


def _play(name: str, broken: bool, folder: Path) -> Played:
    out = folder / f"{name}-{'broken' if broken else 'whole'}.json"
    command = [sys.executable, "-m", "deploy.cli", "simulate", "run", name, "--seed", "7", "--language", "en", "--json", str(out)]
    run = subprocess.run(
        [*command, *(["--broken"] if broken else [])],
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        check=False,
    )
    report = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    return Played(run.returncode, report, run.stdout[-3000:] + run.stderr[-1500:])


@pytest.fixture(scope="module")
def plays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, bool], "Future[Played]"]]:
    """All plays, begun together."""
    folder = tmp_path_factory.mktemp("scenarios")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield {(name, broken): pool.submit(_play, name, broken, folder) for name in names() for broken in (False, True)}


@pytest.mark.parametrize("name", names())
def test_everything_holds(plays: dict[tuple[str, bool], "Future[Played]"], name: str) -> None:
    played = plays[name, False].result()
    assert (played.status, played.report.get("ok")) == (0, True), played.said


@pytest.mark.parametrize("name", names())
def test_a_broken_setting_turns_the_report_red(plays: dict[tuple[str, bool], "Future[Played]"], name: str) -> None:
    played = plays[name, True].result()
    assert played.status == 1, played.said
    assert RED[name] in broken_keys(played.report), played.said


def broken_keys(report: dict[str, Any]) -> set[str]:
    """The names of what broke."""
    return {str(finding["key"]) for finding in report["findings"] if finding["verdict"] == "broken"}
