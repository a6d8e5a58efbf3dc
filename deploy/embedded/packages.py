"""Packages of Debian and Ubuntu, fetched and unpacked into a folder of ours by an ordinary user.

Standard library alone, and no import of ours: the set-up uses it before anything is installed. Every call ends within two minutes.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

_SECONDS = 120.0


class Packages:
    """apt-get for an ordinary user, with its files in ``folder``.

    With ``own_lists`` it fetches package lists into the folder too: fresh machines have none, or old ones.
    """

    def __init__(self, folder: Path, *, own_lists: bool = False) -> None:
        self._folder = folder
        self._own_lists = own_lists
        self._options: list[str] = []
        if own_lists:
            settings = [
                f"Dir::State={folder / 'apt' / 'state'}",
                f"Dir::Cache={folder / 'apt' / 'cache'}",
                "Dir::State::status=/var/lib/dpkg/status",
                "Debug::NoLocking=1",
            ]
            if os.geteuid() == 0:
                # apt's own unprivileged user cannot write here.
                settings.append("APT::Sandbox::User=root")
            self._options = [part for setting in settings for part in ("-o", setting)]

    def ready(self) -> bool:
        """Fetch the lists where they are our own. False when that fails."""
        if not self._own_lists:
            return True
        for part in ("state/lists/partial", "cache/archives/partial"):
            (self._folder / "apt" / part).mkdir(parents=True, exist_ok=True)
        return _said(["apt-get", *self._options, "update"]) is not None

    def unpack(self, package: str, into: Path) -> bool:
        """Fetch a package and lay its files out below ``into``. False when it cannot be had."""
        downloads = self._folder / "packages"
        downloads.mkdir(parents=True, exist_ok=True)
        if _said(["apt-get", *self._options, "download", package], cwd=downloads) is None:
            return False
        # The file name carries the version, and several of them may lie here.
        files = sorted(downloads.glob(f"{package}_*.deb"), key=lambda path: path.stat().st_mtime)
        return bool(files) and _said(["dpkg", "-x", str(files[-1]), str(into)]) is not None

    def libraries_of(self, package: str) -> list[str]:
        """The library packages that a package depends on directly."""
        said = _said(["apt-cache", *self._options, "depends", "--no-recommends", "--no-suggests", "--no-conflicts", package])
        names = re.findall(r"^ *\|?(?:Pre)?Depends: ([a-z0-9.+-]+)", said or "", flags=re.MULTILINE)
        return [name for name in dict.fromkeys(names) if name.startswith("lib")]


def available() -> bool:
    """Whether this is a machine with apt-get and dpkg."""
    return shutil.which("apt-get") is not None and shutil.which("dpkg") is not None


def installed(package: str) -> bool:
    """Whether the distribution has a package installed."""
    said = _said(["dpkg-query", "-W", "-f", "${Status}", package])
    return said is not None and said.startswith("install ok installed")


def install(package: str) -> bool:
    """Install a package for the whole machine; needs root."""
    os.environ.setdefault("DEBIAN_FRONTEND", "noninteractive")
    return _said(["apt-get", "install", "-y", "--no-install-recommends", package]) is not None


def _said(command: list[str], cwd: Path | None = None) -> str | None:
    """What a program of the distribution printed; None when it failed or took too long."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "LC_ALL": "C"},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
