"""The browser of the browser tests: Debian's Chromium. ``python -m tests.browser.chromium`` finds it, or installs it as root.

Decides which program the tests drive and with which options. Knows no page.
"""

import os
import shutil
import subprocess
import sys
from typing import Final

from core.errors import UserError
from deploy.embedded import packages
from deploy.terminal import Terminal, spoken_language

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--autoplay-policy=no-user-gesture-required",
)
_SECONDS: Final = 600.0
_PACKAGES: Final = ("chromium", "fonts-wqy-microhei")


def find() -> str:
    """The path of a Chromium. Raises UserError where there is none, with what to do."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    raise UserError(
        "浏览器测试需要 Chromium：请执行 sudo apt-get install chromium fonts-wqy-microhei，然后重来",
        "the browser tests need Chromium: run 'sudo apt-get install chromium fonts-wqy-microhei', then try again",
    )


def obtain(terminal: Terminal) -> str:
    """As :func:`find`; where there is none and this is root on Debian or Ubuntu, install it first."""
    try:
        return find()
    except UserError:
        if os.geteuid() != 0 or not packages.available():
            raise
    terminal.say("安装测试用浏览器 Chromium…", "installing Chromium, the browser of the tests ...")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (("update", "-qq"), ("install", "-y", "-qq", "--no-install-recommends", *_PACKAGES)):
        subprocess.run(["apt-get", *words], env=environment, check=False, timeout=_SECONDS, stdin=subprocess.DEVNULL)
    return find()


def main() -> int:
    """Exit status 0, or 2 with what to do."""
    terminal = Terminal(spoken_language())
    try:
        obtain(terminal)
    except UserError as error:
        terminal.refuse(error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
