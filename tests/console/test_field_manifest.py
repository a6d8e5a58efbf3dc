"""The technician's page as a phone installs it: what its manifest promises is there, of that kind and size."""

import json
import re
import struct
from pathlib import Path
from typing import Any, Final

import pytest

from console import page
from deploy import icons

WEB: Final = Path(page.__file__).parent / "web"
PUBLIC: Final = WEB / "public"
HTML: Final = (WEB / "field" / "index.html").read_text(encoding="utf-8")
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_MOST_BYTES: Final = 20_000


def manifest() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PUBLIC / "field" / "manifest.webmanifest").read_text(encoding="utf-8"))
    return found


def size_of(address: str) -> str:
    """Width and height of a PNG at an address of the page, as a manifest writes them."""
    content = (PUBLIC / address.removeprefix("/")).read_bytes()
    assert content.startswith(_PNG)
    assert len(content) < _MOST_BYTES
    width, height = struct.unpack(">II", content[16:24])
    return f"{width}x{height}"


def test_the_manifest_says_what_a_phone_needs_to_install_it() -> None:
    found = manifest()
    assert {"name", "short_name", "start_url", "scope", "display", "icons", "theme_color", "background_color"} <= set(found)
    assert found["start_url"].startswith(found["scope"])
    assert found["display"] == "standalone"
    assert '<link rel="manifest" href="/field/manifest.webmanifest">' in HTML
    assert f'<meta name="theme-color" content="{found["theme_color"]}">' in HTML


@pytest.mark.parametrize(("size", "purpose"), [("192x192", "any"), ("512x512", "any"), ("512x512", "maskable")])
def test_an_icon_of_each_kind_is_there(size: str, purpose: str) -> None:
    (icon,) = [icon for icon in manifest()["icons"] if (icon["type"], icon["sizes"], icon["purpose"]) == ("image/png", size, purpose)]
    assert size_of(icon["src"]) == size


def test_the_page_links_an_icon_for_phones_that_read_no_manifest() -> None:
    links = dict(re.findall(r'<link rel="(?:apple-touch-)?icon" href="([^"]+\.png)"[^>]* sizes="(\d+x\d+)"', HTML))
    assert set(links.values()) == {"192x192", "180x180"}
    assert {address: size_of(address) for address in links} == links


def test_every_icon_that_is_there_is_drawn_by_the_command_and_no_other_is_kept() -> None:
    kept = {path.name: size_of(f"/field/icons/{path.name}") for path in (PUBLIC / "field" / "icons").iterdir()}
    assert kept == {icon.name: f"{icon.size}x{icon.size}" for icon in icons.WANTED}


@pytest.mark.parametrize("icon", icons.WANTED, ids=lambda icon: icon.name)
def test_an_icon_is_the_drawing_on_a_ground_to_its_edge_where_a_phone_cuts_it(icon: icons.Icon) -> None:
    drawing = icons.DRAWING.read_text(encoding="utf-8")
    page_text = icons.page_of(icon, drawing)
    assert drawing in page_text
    assert f"width:{icon.size}px;height:{icon.size}px" in page_text
    cut = icon.name.startswith(("maskable", "apple"))
    assert (icon.ground in drawing, icon.share < 1) == (cut, cut)
