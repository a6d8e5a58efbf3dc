"""The browser of the browser tests. ``python -m tests.browser.chromium`` finds it, or unpacks it without root.

Decides with which options it is driven. Knows no page.
"""

import sys
from typing import Final

from core.errors import UserError
from deploy.embedded.chromium_program import find, obtain
from deploy.terminal import Terminal, spoken_language

__all__ = ["OPTIONS", "find", "main"]

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


def main() -> int:
    """Exit status 0, or 2 with what to do."""
    terminal = Terminal(spoken_language())
    try:
        obtain(say=terminal.say)
    except UserError as error:
        terminal.refuse(error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
