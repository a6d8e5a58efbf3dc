"""``python -m deploy.icons [FOLDER]``: the PNG icons of the technician's app, drawn from ``icon.svg`` by a Chromium.

Decides which icons there are and how much of each the drawing fills. Run by hand when the drawing changes; what it made is committed.
Needs the development packages (playwright) and a Chromium; loads nothing from anywhere.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.errors import UserError
from deploy.embedded.chromium_program import find
from deploy.terminal import Terminal, result, spoken_language

PUBLIC: Final = Path(__file__).resolve().parent.parent / "console" / "web" / "public"
DRAWING: Final = PUBLIC / "icon.svg"
ICONS: Final = PUBLIC / "field" / "icons"
GROUND: Final = "#10202c"
"""The drawing's own ground, on to the edge where a phone cuts an icon into a shape of its own."""


@dataclass(frozen=True, slots=True)
class Icon:
    """One file. ``size`` in pixels, square; ``share`` of it that the drawing is wide. Without a ``ground`` its round corners stay clear."""

    name: str
    size: int
    share: float = 1.0
    ground: str = "transparent"


WANTED: Final = (
    Icon("icon-192.png", 192),
    Icon("icon-512.png", 512),
    # What a phone may cut away is the outer fifth, and an Apple rounds the corners by itself.
    Icon("maskable-512.png", 512, share=0.72, ground=GROUND),
    Icon("apple-touch-180.png", 180, share=0.88, ground=GROUND),
)


def page_of(icon: Icon, drawing: str) -> str:
    """The page whose picture is this icon; ``drawing`` is the SVG's text."""
    style = (
        f"html,body{{margin:0;background:{icon.ground}}}"
        f"body{{width:{icon.size}px;height:{icon.size}px;display:grid;place-items:center;overflow:hidden}}"
        f"svg{{width:{icon.share * 100:g}%;height:auto;display:block}}"
    )
    return f"<!doctype html><meta charset=utf-8><style>{style}</style>{drawing}"


def draw(folder: Path) -> list[Path]:
    """Write every icon into ``folder``; returns the files. Raises UserError where there is nothing to draw with."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise UserError("缺少 playwright：请先执行 make setup", "playwright is not installed: run 'make setup'") from None
    chromium = find()
    drawing = DRAWING.read_text(encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--force-color-profile=srgb"])
        for icon in WANTED:
            page = browser.new_page(viewport={"width": icon.size, "height": icon.size})
            page.set_content(page_of(icon, drawing))
            made.append(folder / icon.name)
            page.screenshot(path=made[-1], omit_background=True)
            page.close()
        browser.close()
    return made


def main() -> int:
    """Exit status 0, or 2 with what to do."""
    parser = argparse.ArgumentParser(description="绘制抢修人员应用的图标 / draw the icons of the technician's app")
    parser.add_argument("folder", nargs="?", type=Path, default=ICONS, help="写到哪里 / where to (default: %(default)s)")
    asked = parser.parse_args()
    try:
        for path in draw(asked.folder):
            result(str(path))
    except UserError as error:
        Terminal(spoken_language()).refuse(error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
