"""Where mosquitto comes from: installed, or unpacked without root from the distribution's own packages.

Decides which program to run and with which libraries. Knows nothing of its configuration.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded.account import Say, silence
from deploy.embedded.packages import Packages, available, install, library_folders
from deploy.terminal import result

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "mosquitto"
_SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/sbin")


@dataclass(frozen=True, slots=True)
class Mosquitto:
    """A program that runs: its path, the folder it was unpacked to (None when installed) and its extra library folders."""

    program: Path
    unpacked: Path | None = None
    libraries: tuple[Path, ...] = ()

    def environment(self) -> dict[str, str]:
        """What to add to the environment so that the program finds its libraries."""
        return {"LD_LIBRARY_PATH": ":".join(map(str, self.libraries))} if self.libraries else {}

    def moved(self, folder: Path) -> "Mosquitto":
        """The same program in a copy of the unpacked folder."""
        if self.unpacked is None:
            return self
        there = [folder / path.relative_to(self.unpacked) for path in self.libraries]
        return Mosquitto(folder / self.program.relative_to(self.unpacked), folder, tuple(there))


def find(cache: Path = CACHE) -> Mosquitto | None:
    """A mosquitto 2 that is already on this machine: installed, or unpacked earlier."""
    for folder in (None, *_SYSTEM_FOLDERS):
        found = shutil.which("mosquitto") if folder is None else shutil.which("mosquitto", path=folder)
        if found is not None and _runs(Mosquitto(Path(found))):
            return Mosquitto(Path(found))
    return _in_cache(cache)


def obtain(cache: Path = CACHE, say: Say = silence) -> Mosquitto | None:
    """:func:`find`, else unpack it from the distribution's packages, else (root only) install it; None where none can be had."""
    found = find(cache)
    if found is not None:
        return found
    if not available():
        return None
    say(
        "正在从发行版软件包解出 mosquitto（无需 root）…",
        "unpacking mosquitto from the distribution's packages (no root needed) ...",
    )
    for apt in (Packages(cache.parent), Packages(cache.parent, own_lists=True)):
        if apt.ready() and _unpack(apt, cache):
            return _in_cache(cache)
    if os.geteuid() == 0:
        say("解包未成，改用 apt-get install mosquitto …", "that did not work; trying apt-get install mosquitto ...")
        install("mosquitto")
        return find(cache)
    return None


def _unpack(apt: Packages, cache: Path) -> bool:
    """Unpack mosquitto and the libraries that it misses."""
    fresh = cache.with_name(f"{cache.name}.{os.getpid()}")
    try:
        libraries = [name for name in apt.missing("mosquitto") if name.startswith("lib")]
        if not apt.unpack(fresh, "mosquitto", *libraries) or _in_cache(fresh) is None:
            return False
        shutil.rmtree(cache, ignore_errors=True)
        fresh.rename(cache)
        return True
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _in_cache(cache: Path) -> Mosquitto | None:
    program = cache / "usr" / "sbin" / "mosquitto"
    if not program.is_file():
        return None
    found = Mosquitto(program, cache, tuple(library_folders(cache)))
    return found if _runs(found) else None


def _runs(mosquitto: Mosquitto) -> bool:
    """Whether it starts with the libraries at hand and is a version 2 (older ones do not know our password format)."""
    try:
        # ``-h`` ends with status 1 or 3 by version; what it prints decides.
        done = subprocess.run(
            [str(mosquitto.program), "-h"],
            env={"PATH": os.defpath, **mosquitto.environment()},
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.search(r"mosquitto version (\d+)\.", done.stdout + done.stderr)
    return version is not None and int(version[1]) >= 2


def main() -> int:
    """``python -m deploy.embedded.mosquitto_program``: what the set-up calls. One line says what was found."""
    found = obtain(say=lambda zh, en: result(f"  {en} / {zh}"))
    if found is None:
        result(
            "  mosquitto was not found and cannot be unpacked here; the embedded rumqttd stands in, without access control: "
            "install mosquitto 2 for more than the simulated district"
            " / 没有 mosquitto，改用内置 rumqttd（无访问控制），仅限模拟小区：如需更多请安装 mosquitto 2"
        )
    else:
        result(f"  mosquitto: {found.program}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
