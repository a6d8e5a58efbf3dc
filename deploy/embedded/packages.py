"""Packages of Debian and Ubuntu, fetched and unpacked into a folder of ours by an ordinary user.

Standard library alone, and no import of ours: the set-up uses it before anything is installed. Every call ends: a download within ten
minutes, anything else within two.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

_SECONDS = 120.0
_DOWNLOAD_SECONDS = 600.0


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

    def missing(self, *packages: str) -> list[str]:
        """What of these packages, and of all that they need, this machine has not installed, in any version. Empty where apt knows no way.

        Library packages are named differently by each release, so apt is asked for them and they are never listed.
        """
        said = _said(["apt-get", *self._options, "--simulate", "--no-install-recommends", "install", *packages])
        # What would only be brought to a newer version has the older one in brackets behind its name.
        return re.findall(r"^Inst (\S+) \(", said or "", flags=re.MULTILINE)

    def unpack(self, into: Path, *packages: str) -> bool:
        """Fetch packages and lay their files out below ``into``. False when one of them cannot be had."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="packages.", dir=self._folder) as folder:
            downloads = Path(folder)
            if _said(["apt-get", *self._options, "download", *packages], cwd=downloads, seconds=_DOWNLOAD_SECONDS) is None:
                return False
            files = sorted(downloads.glob("*.deb"))
            return len(files) == len(set(packages)) and all(_said(["dpkg", "-x", str(file), str(into)]) is not None for file in files)


def library_folders(unpacked: Path) -> list[Path]:
    """The folders with shared libraries below a folder that packages were unpacked to, for LD_LIBRARY_PATH."""
    return sorted({path.parent for pattern in ("usr/lib/**/lib*.so*", "lib/**/lib*.so*") for path in unpacked.glob(pattern)})


def available() -> bool:
    """Whether this is a machine with apt-get and dpkg."""
    return shutil.which("apt-get") is not None and shutil.which("dpkg") is not None


def install(*packages: str) -> bool:
    """Install packages for the whole machine; needs root."""
    os.environ.setdefault("DEBIAN_FRONTEND", "noninteractive")
    _said(["apt-get", "update"])  # a machine that never did this has no lists; one whose lists are good enough goes on without
    return _said(["apt-get", "install", "-y", "--no-install-recommends", *packages], seconds=_DOWNLOAD_SECONDS) is not None


def _said(command: list[str], cwd: Path | None = None, seconds: float = _SECONDS) -> str | None:
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
            timeout=seconds,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
