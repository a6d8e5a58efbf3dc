"""Where the Chromium of the browser tests comes from: installed, or unpacked without root from the distribution's own packages.

Decides which program to start, and with which libraries and fonts where it was unpacked: those stand in a script beside it, so that
nothing but the browser sees them. Root installs it only where that failed. Knows no page and no option.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from core.errors import UserError
from deploy.embedded.account import Say, silence
from deploy.embedded.packages import Packages, available, install, library_folders

CACHE: Final = Path(__file__).resolve().parents[2] / ".cache" / "chromium"
# The shell is Chromium without a browser's window, which nobody looks at here: the browser tests take a quarter less time with it.
NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PACKAGES: Final = ("chromium-headless-shell", "fonts-wqy-microhei")
_PROGRAM: Final = Path("usr/lib/chromium/chromium-headless-shell")
_TOGETHER: Final = 20
_SECONDS: Final = 60.0
_FETCH_SECONDS: Final = 600.0

# XDG_DATA_HOME is where fontconfig looks for a person's own fonts; a machine without fontconfig has no fonts.conf that says so.
_STARTER: Final = """\
#!/bin/sh
# Starts the Chromium that was unpacked here, with the libraries and fonts that were unpacked with it.
here=$(cd -- "$(dirname -- "$0")" && pwd) || exit 1
export LD_LIBRARY_PATH="{libraries}" XDG_DATA_HOME="$here/usr/share"
[ -e /etc/fonts/fonts.conf ] || export FONTCONFIG_PATH="$here/etc/fonts"
exec "$here/{program}" "$@"
"""


def find(cache: Path = CACHE) -> str:
    """The path of a Chromium that is already on this machine: installed, or unpacked earlier. Raises UserError with what to do."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    if (starter := _starter(cache)).is_file():
        return str(starter)
    raise UserError(
        "没有 Chromium：请执行 .venv/bin/python -m tests.browser.chromium，即可从 Debian 的软件包解出一份（无需 root）",
        "there is no Chromium: '.venv/bin/python -m tests.browser.chromium' unpacks one from Debian's packages, without root",
    )


def obtain(cache: Path = CACHE, say: Say = silence) -> str:
    """As :func:`find`; where there is none, or the unpacked one no longer starts, unpack it first."""
    if not any(map(shutil.which, NAMES)) and not _runs(_starter(cache)):
        shutil.rmtree(cache, ignore_errors=True)
        say(
            "正在从发行版软件包解出测试用浏览器 Chromium（无需 root，下载 100 至 200 MB）…",
            "unpacking Chromium, the browser of the tests, from the distribution's packages (no root needed, fetches 100 to 200 MB) ...",
        )
        tries = (Packages(cache.parent), Packages(cache.parent, own_lists=True)) if available() else ()
        unpacked = any(apt.ready() and _unpack(apt, cache, say) for apt in tries)
        if not unpacked and not _installed(say) and not _fetched(cache, say):
            raise UserError(
                "没有可用的 Chromium：请检查网络，或安装 Chromium 或 Chrome 以及一种中文字体，然后重来",
                "there is no Chromium to be had: look after the network, or install Chromium or Chrome and a Chinese font, then try again",
            )
    return find(cache)


def _installed(say: Say) -> bool:
    """Whether root could install what could not be unpacked."""
    if os.geteuid() != 0 or not available():
        return False
    say("解包未成，改用 apt-get install chromium-headless-shell …", "that did not work; trying apt-get install chromium-headless-shell ...")
    return install(*_PACKAGES) and any(map(shutil.which, NAMES))


def _fetched(cache: Path, say: Say) -> bool:
    """Whether the tests' own driver could fetch the browser that it was made for. Ubuntu's packages have none: there it is a snap."""
    say("发行版软件包里没有 Chromium，改由 playwright 下载…", "the distribution's packages have none; playwright fetches its own ...")
    fresh = cache.with_name(f"{cache.name}.{os.getpid()}")
    environment = {**os.environ, "PLAYWRIGHT_BROWSERS_PATH": str(fresh)}
    command = [sys.executable, "-m", "playwright", "install", "--no-shell", "chromium"]
    try:
        subprocess.run(command, env=environment, capture_output=True, check=False, timeout=_FETCH_SECONDS)
        program = next(fresh.glob("chromium-*/chrome-linux*/chrome"), None)
        if program is None:
            return False
        _starter(fresh).symlink_to(program.relative_to(fresh))
        if not _runs(_starter(fresh)):
            return False
        fresh.rename(cache)
        return True
    except subprocess.TimeoutExpired:
        return False
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _unpack(apt: Packages, cache: Path, say: Say) -> bool:
    """Unpack Chromium, the font and all that they miss; take it only if it starts."""
    fresh = cache.with_name(f"{cache.name}.{os.getpid()}")
    try:
        wanted = apt.missing(*_PACKAGES)
        for at in range(0, len(wanted), _TOGETHER):
            if not apt.unpack(fresh, *wanted[at : at + _TOGETHER]):
                return False
            done = f"{min(at + _TOGETHER, len(wanted))} / {len(wanted)}"
            say(f"      {done} 个包", f"      {done} packages")
        if not (fresh / _PROGRAM).is_file():
            return False
        libraries = ":".join(f"$here/{folder.relative_to(fresh)}" for folder in library_folders(fresh))
        starter = _starter(fresh)
        starter.write_text(_STARTER.format(libraries=libraries, program=_PROGRAM), encoding="utf-8")
        starter.chmod(0o755)
        if not _runs(starter):
            return False
        fresh.rename(cache)
        return True
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _starter(cache: Path) -> Path:
    return cache / "chromium"


def _runs(starter: Path) -> bool:
    """Whether it finds its libraries."""
    try:
        done = subprocess.run([str(starter), "--version"], capture_output=True, text=True, check=False, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and "Chromium" in done.stdout
