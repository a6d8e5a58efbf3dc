"""A whole platform to measure: the ``gas-sentinel up`` of anybody, in a folder of its own, with a simulated city that need ring nobody.

Decides what the city looks like and that nothing is left behind. Refuses to know what is measured.
"""

import contextlib
import csv
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from core.errors import UserError
from simulator.city import write_city

_UP: Final = (sys.executable, "-m", "deploy.cli", "up", "--json", "--http-port", "0", "--mqtt-port", "0")
_START_S: Final = 180.0
_STOP_S: Final = 60.0
_FIRST_CONTACT: Final = ("contact1_name", "contact1_role", "contact1_phone")
_NOT_WANTED: Final = ("contact2_name", "contact2_role", "contact2_phone", "hub_id")


@dataclass(frozen=True, slots=True)
class HomeOnAir:
    """The two devices of a home, each its own account at the broker, and the number that is rung; "" where nobody is."""

    detector: str
    meter: str
    phone: str = ""


@dataclass(frozen=True, slots=True)
class RunningPlatform:
    """``line`` is what ``up`` printed; ``file`` holds it too; ``homes`` are all its homes."""

    line: dict[str, Any]
    file: Path
    homes_file: Path
    homes: list[HomeOnAir]


def quiet_city(homes: int, seed: int, out: Path, quiet: int | None = None) -> None:
    """Write a registry of ``homes`` simulated homes with a detector and a meter each, and no hubs. Nobody is rung in the first ``quiet``
    of them (None: in none at all), one contact in each of the others.
    """
    whole = out.with_name(f"{out.stem}-whole.csv")
    write_city(homes, seed, whole)
    seen = set()
    with whole.open(encoding="utf-8", newline="") as file, out.open("w", encoding="utf-8", newline="") as written:
        reader = csv.DictReader(file)
        writer = csv.DictWriter(written, reader.fieldnames or (), lineterminator="\n")
        writer.writeheader()
        for row in reader:
            if row["home_id"] not in seen:  # its second row is a second detector
                seen.add(row["home_id"])
                unwanted = _NOT_WANTED if quiet is not None and len(seen) > quiet else (*_FIRST_CONTACT, *_NOT_WANTED)
                writer.writerow(row | dict.fromkeys(unwanted, ""))
    whole.unlink()


def homes_of(file: Path) -> list[HomeOnAir]:
    """The homes of a registry file, in its order."""
    with file.open(encoding="utf-8", newline="") as lines:
        return [
            HomeOnAir(row["detector_id"], row["meter_id"], row["contact1_phone"].removeprefix("sip:").partition("@")[0])
            for row in csv.DictReader(lines)
        ]


@contextmanager
def quiet_platform(homes: int, seed: int = 1, tree: Path | None = None, quiet: int | None = None) -> Iterator[RunningPlatform]:
    """Start a platform with such a city on free ports, and stop it. ``tree`` runs the code of another work tree with this
    environment's packages. Raises UserError when it does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="gas-sentinel-bench-"))
    # The database may run under another account, which has to get through here; what is secret is closed file by file.
    folder.chmod(0o755)
    process: subprocess.Popen[str] | None = None
    try:
        homes_file, data = folder / "homes.csv", folder / "data"
        quiet_city(homes, seed, homes_file, quiet)
        process = subprocess.Popen(
            [*_UP, "--data", data, "--homes", homes_file],
            stdout=subprocess.PIPE,
            text=True,
            cwd=tree,
            env=None if tree is None else os.environ | {"PYTHONPATH": str(tree)},
        )
        yield RunningPlatform(_line_of(process), data / "platform.json", homes_file, homes_of(homes_file))
    finally:
        if process is not None:
            _stop(process)
        shutil.rmtree(folder, ignore_errors=True)


def _line_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What ``up`` prints once it is ready."""
    out = process.stdout
    ready = out is not None and bool(select.select([out], [], [], _START_S)[0])
    said = out.readline() if out is not None and ready else ""
    if not said:
        raise UserError("平台未能启动，原因见上", "the platform did not start; the reason stands above")
    line: dict[str, Any] = json.loads(said)
    return line


def _stop(process: subprocess.Popen[str]) -> None:
    """Ask it to stop and wait, whatever the person presses meanwhile: it stops its own children."""
    process.terminate()
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            break
    if process.stdout is not None:
        process.stdout.close()
