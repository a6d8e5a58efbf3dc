"""``python -m tests.browser.pictures``: a picture of every page, in both languages, at the widths of a phone, a desk and a wall.

Starts a platform with its simulated district, waits until a leak is under way, and writes PNG files into ``screenshots/``, which is not
committed. Shows its progress; judges nothing.
"""

import argparse
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import TimeoutError as NotInTime

from core.errors import UserError
from deploy.embedded.testing import reachable_folder, remove_folder
from deploy.terminal import Terminal, result, spoken_language
from tests.browser.chromium import OPTIONS, find
from tests.browser.conftest import WIDTHS
from tests.browser.district import ROOT, running_district
from tests.browser.pages import FIELD, PAGES, Shown

_SETTLE_MS = 1_200
_LEAK_S = 120
EVERYBODY, TECHNICIAN = 0, 3
"""Which button of the demonstration's door lets in whom."""


def take(browser: Browser, line: dict[str, Any], language: str, width: str, folder: Path, only: str) -> list[Path]:
    """Every page at one width in one language; pages that only a phone sees are taken at that width alone."""
    across, down = WIDTHS[width]
    context = browser.new_context(
        viewport={"width": across, "height": down}, locale="zh-CN" if language == "zh" else "en-GB", timezone_id="Asia/Shanghai"
    )
    page = context.new_page()
    # The panel would stand before the page that is to be seen; it is closed as a person would have closed it.
    page.add_init_script("sessionStorage.setItem('demo-panel', 'closed')")
    try:
        ids = _ids(line)
        made = []
        for eyes, pages in ((EVERYBODY, PAGES), (TECHNICIAN, FIELD if width == "phone" else ())):
            wanted = [shown for shown in pages if only in shown.name]
            if wanted:
                page.goto(line["demo_link"])
                page.reload()  # another look at the same address is none
                page.locator(".eyes button").nth(eyes).click()
                page.wait_for_url(lambda url: "/demo" not in url)
            made += [_picture(page, line["http"], shown, ids, folder / f"{shown.name}-{language}-{width}.png") for shown in wanted]
    finally:
        context.close()
    return made


def _picture(page: Page, http: str, shown: Shown, ids: dict[str, str], file: Path) -> Path:
    page.goto(http + shown.path.format(**ids))
    with suppress(NotInTime):  # then the picture shows what stands there instead
        page.locator("h1").first.wait_for(timeout=15_000)
    page.wait_for_timeout(_SETTLE_MS)
    page.screenshot(path=file)
    return file


def _ids(line: dict[str, Any]) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {line['api_token']}"}
    with httpx.Client(base_url=f"{line['http']}/api/v1", headers=headers, trust_env=False) as http:
        incident = http.get("/incidents", params={"limit": 1}).json()["items"][0]
        order = http.get("/orders", params={"limit": 1}).json()["items"][0]
    return {"incident": incident["incident_id"], "home": incident["home_id"], "order": order["order_no"]}


def _wait_for_a_leak(page: Page, line: dict[str, Any]) -> None:
    for _ in range(_LEAK_S):
        try:
            if _ids(line):
                return
        except (IndexError, httpx.HTTPError):
            page.wait_for_timeout(1_000)
    raise UserError("两分钟内没有发生泄漏", "no leak has happened within two minutes")


def main() -> int:
    """Exit status 0, or 2 with what to do."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.pictures", description="各页面截图 / a picture of every page")
    parser.add_argument("--into", type=Path, default=ROOT / "screenshots", help="folder · 输出文件夹")
    parser.add_argument("--page", default="", help="only pages whose name has this in it · 只截名称包含此文字的页面")
    parser.add_argument("--language", choices=["zh", "en"], action="append", help="default both · 缺省两种语言")
    parser.add_argument("--width", choices=list(WIDTHS), action="append", help="default all three · 缺省三种宽度")
    options = parser.parse_args()
    terminal = Terminal(spoken_language())
    options.into.mkdir(parents=True, exist_ok=True)
    folder = reachable_folder(Path(tempfile.mkdtemp(prefix="gas-sentinel-"))) / "data"
    try:
        terminal.say("启动平台与模拟小区…", "starting a platform with its simulated district ...")
        with running_district(folder) as line, sync_playwright() as play:
            browser = play.chromium.launch(executable_path=find(), args=list(OPTIONS))
            _wait_for_a_leak(browser.new_page(), line)
            for language in options.language or ["zh", "en"]:
                for width in options.width or list(WIDTHS):
                    for file in take(browser, line, language, width, options.into, options.page):
                        result(str(file.name))
            browser.close()
    except UserError as error:
        terminal.refuse(error)
        return 2
    finally:
        remove_folder(folder.parent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
