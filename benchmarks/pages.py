"""``python -m benchmarks.pages``: what people wait for at a page, in a real Chromium before a whole platform.

Three figures: how soon an incident stands on the wall after its detector's message; the first view of wall and desk with nothing cached,
a city registered and a thousand incidents open, beside the sign-in page, which reads nothing and is what the same browser needs in any
case; and whether ten people who watch slow the line, once with what their browsers ask alone, once with the browsers themselves drawing
on this machine at the lowest priority. Prints figures and judges nothing.
"""

import argparse
import copy
import itertools
import json
import os
import secrets
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import uvloop
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from benchmarks.leaks import LeakingHomes, Times
from benchmarks.platform_stage import HomeOnAir, RunningPlatform, quiet_platform
from benchmarks.seats import COOKIE
from core.errors import LinkError, UserError
from core.log import configure
from deploy.terminal import Terminal, spoken_language
from tests.browser.chromium import OPTIONS, find

_SPACING_S: Final = 0.05
_SEEN_SPACING_S: Final = 1.0
_STORM_SPACING_S: Final = 0.01
_LEAKS: Final = 200
_SETTLE_S: Final = 3.0
_ROUNDS: Final = 5
_PATIENCE_MS: Final = 60_000
_READY: Final = {"/wall": ".wall-incident a", "/desk": ".row [data-incident]", "/signin": "form"}
_WATCH: Final = """() => {
  window.seen = {};
  const look = () => {
    for (const link of document.querySelectorAll('.wall-incident a')) {
      const id = link.href.split('/').pop();
      if (!(id in window.seen)) requestAnimationFrame(() => { window.seen[id] ??= Date.now(); });
    }
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
}"""


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds."""

    p50: float
    p99: float
    longest: float

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> "Spread":
        """Of at least one value."""
        found = sorted(milliseconds)
        return cls(statistics.median(found), found[min(len(found) - 1, int(0.99 * len(found)))], found[-1])

    @classmethod
    def typical(cls, rounds: "Sequence[Spread]") -> "Spread":
        """The median of each figure over rounds: a machine that stood still in one of them says nothing of what is measured."""
        return cls(*(statistics.median(figures) for figures in zip(*map(astuple, rounds), strict=True)))

    def __str__(self) -> str:
        return f"{self.p50:.1f} / {self.p99:.1f} / {self.longest:.1f}"


class People:
    """Signed-in browsers of one platform."""

    def __init__(self, browser: Browser, line: dict[str, Any]) -> None:
        self._browser = browser
        self.url: str = line["http"]
        password = secrets.token_hex(12)
        body = {"token": line["setup_link"].partition("#")[2], "name": "bench", "display": "bench", "password": password, "language": "en"}
        self.http = httpx.Client(base_url=f"{self.url}/api/v1", headers={"Origin": self.url}, trust_env=False)
        self.http.post("/setup", json=body).raise_for_status()

    def elsewhere(self, browser: Browser) -> "People":
        """The same people before another browser."""
        others = copy.copy(self)
        others._browser = browser
        return others

    @contextmanager
    def profile(self) -> Iterator[BrowserContext]:
        """A browser that has nothing cached and is signed in."""
        context = self._browser.new_context(viewport={"width": 1600, "height": 900}, locale="en-GB", timezone_id="Asia/Shanghai")
        context.set_default_timeout(_PATIENCE_MS)
        context.add_cookies([{"name": "gs_session", "value": self.http.cookies["gs_session"], "url": self.url}])
        try:
            yield context
        finally:
            context.close()

    def first_view(self, path: str) -> float:
        """Milliseconds from asking for a page to its first content of its own."""
        with self.profile() as context:
            if path == "/signin":
                context.clear_cookies()
            page = context.new_page()
            began = time.perf_counter()
            page.goto(self.url + path, wait_until="commit")
            page.locator(_READY[path]).first.wait_for()
            return 1e3 * (time.perf_counter() - began)

    def at(self, context: BrowserContext, path: str) -> Page:
        """A page that is live."""
        page = context.new_page()
        page.goto(self.url + path)
        page.locator('.live[data-state="live"]').first.wait_for()
        return page


def leak(platform: RunningPlatform, homes: Sequence[HomeOnAir], spacing_s: float, meanwhile: Callable[[], None] = lambda: None) -> Times:
    """Let homes leak from a thread of their own, since the browser's interface wants this one; returns their times."""
    found: list[Times] = []

    async def go() -> None:
        async with LeakingHomes(platform.line["mqtt"], seed=secrets.randbelow(1 << 30)) as leaking:
            found.append(await leaking.leak(homes, spacing_s))

    thread = threading.Thread(target=lambda: uvloop.run(go()))
    thread.start()
    while thread.is_alive():
        meanwhile()
        thread.join(0.05)
    if not found:
        raise UserError("泄漏未能发出", "the leaks could not be sent")
    return found[0]


def seen_after(platform: RunningPlatform, people: People, homes: Sequence[HomeOnAir]) -> Spread:
    """From the detector's message (its own time stamp, this machine's clock) to the frame in which the wall shows the incident."""
    with people.profile() as context:
        page = people.at(context, "/wall")
        page.evaluate(_WATCH)
        leak(platform, homes, _SEEN_SPACING_S, lambda: page.wait_for_timeout(20))
        seen: dict[str, int] = page.evaluate("window.seen")
    waited = [shown - people.http.get(f"/incidents/{each}").json()["alarmed_ms"] for each, shown in seen.items()]
    if len(waited) < len(homes):
        raise UserError(f"大屏只显示了 {len(waited)}/{len(homes)} 起", f"the wall showed {len(waited)} of {len(homes)} incidents")
    return Spread.of(waited)


@contextmanager
def _watching(people: People, seats: int) -> Iterator[dict[str, int]]:
    """So many seats without screens; what they received stands in the dict afterwards."""
    received: dict[str, int] = {}
    command = [sys.executable, "-m", "benchmarks.seats", "--url", people.url, "--seats", str(seats)]
    environment = os.environ | {COOKIE: people.http.cookies["gs_session"]}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True) as process:
        try:
            time.sleep(_SETTLE_S)
            yield received
            said, _ = process.communicate(timeout=30)
            if process.returncode:
                raise UserError("观看席中断，原因见上", "the seats broke off; the reason stands above")
            received |= json.loads(said)
        finally:
            process.kill()


def beside_seats(platform: RunningPlatform, people: People, seats: int, homes: Sequence[HomeOnAir]) -> tuple[Spread, int]:
    """Leak -> close at the meter while so many seats ask what a wall asks, and the incidents that each seat was told on average."""
    if not seats:
        return Spread.of([1e3 * each for each in leak(platform, homes, _SPACING_S).closes]), 0
    with _watching(people, seats) as received:
        times = leak(platform, homes, _SPACING_S)
        time.sleep(_SETTLE_S)
    return Spread.of([1e3 * each for each in times.closes]), received["events"] // seats


@contextmanager
def _at_lowest_priority(program: str) -> Iterator[str]:
    """A program that runs ``program`` so that it takes only what nobody else wants: it stands for one on another machine."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "browser"
        # Where the kernel shares the processor between sessions first, nice counts only inside one; the browser has a session of its own.
        least = "echo 19 2>/dev/null > /proc/self/autogroup || true"
        script.write_text(f'#!/bin/sh\n{least}\nexec nice -n 19 {shlex.quote(program)} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
        yield str(script)


def beside_browsers(platform: RunningPlatform, people: People, seats: int, homes: Sequence[HomeOnAir]) -> Spread:
    """Leak -> close at the meter while so many browsers show, half of them the wall, half the desk."""
    contexts = [people.profile() for _ in range(seats)]
    pages = [people.at(context.__enter__(), ("/wall", "/desk")[number % 2]) for number, context in enumerate(contexts)]
    try:
        times = leak(platform, homes, _SPACING_S, lambda: pages[0].wait_for_timeout(20) if pages else time.sleep(0.02))
    finally:
        for context in contexts:
            context.__exit__(None, None, None)
    return Spread.of([1e3 * each for each in times.closes])


@dataclass(frozen=True, slots=True)
class Measuring:
    """A platform with homes that have not leaked yet, people before a browser, and the table that is being filled."""

    platform: RunningPlatform
    people: People
    homes: Iterator[HomeOnAir]
    table: list[tuple[str, Spread]]

    def some(self, count: int) -> list[HomeOnAir]:
        """So many homes, none of them twice."""
        return list(itertools.islice(self.homes, count))

    def seen(self) -> None:
        """How soon an incident stands on the wall."""
        self.table.append(("detector's message -> incident on the wall, 20 leaks", seen_after(self.platform, self.people, self.some(20))))

    def views(self, incidents: int, rounds: int) -> None:
        """The first views, the pages in turn, so that what the leaks leave to do falls on each alike."""
        leak(self.platform, self.some(incidents), _STORM_SPACING_S)
        found = [{path: self.people.first_view(path) for path in _READY} for _ in range(rounds)]
        for path in _READY:
            what = f"first view of {path}, nothing cached, {incidents:,} incidents open, {rounds} times"
            self.table.append((what, Spread.of([each[path] for each in found])))

    def watched(self, seats: int) -> None:
        """Leaks with nobody and with so many seats watching, in turn."""
        rounds: dict[int, list[tuple[Spread, int]]] = {0: [], seats: []}
        for watching in (0, seats) * _ROUNDS:
            rounds[watching].append(beside_seats(self.platform, self.people, watching, self.some(_LEAKS)))
        for watching, found in rounds.items():
            told = round(statistics.mean(told for _, told in found))
            what = f"{_LEAKS} leaks, {watching} watching (each was told of {told} incident events), medians of {_ROUNDS} rounds in turn"
            self.table.append((f"leak -> close at the meter, {what}", Spread.typical([spread for spread, _ in found])))

    def drawn(self, play: Playwright, seats: int) -> None:
        """Leaks while so many browsers draw."""
        with _at_lowest_priority(find()) as program:
            screens = play.chromium.launch(executable_path=program, args=list(OPTIONS))
            spread = beside_browsers(self.platform, self.people.elsewhere(screens), seats, self.some(_LEAKS))
            screens.close()
        self.table.append((f"the same beside {seats} browsers that draw on these cores at the lowest priority", spread))


def main() -> int:
    """Exit status 0, or 2 with what to do."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pages", description="页面：可见时延、十席观看、首屏 / pages: seen, ten seats, first view"
    )
    parser.add_argument("--homes", type=int, default=192_000, help="registered homes · 登记户数")
    parser.add_argument("--incidents", type=int, default=1_000, help="open incidents at the first view · 首屏时未结束事件数")
    parser.add_argument("--seats", type=int, default=10, help="people who watch · 同时观看人数")
    parser.add_argument("--views", type=int, metavar="N", help="the first views alone, N of each page · 只测首屏，每页 N 次")
    options = parser.parse_args()
    terminal = Terminal(spoken_language())
    configure("benchmark", "error")
    table: list[tuple[str, Spread]] = []
    try:
        terminal.say(f"启动 {options.homes} 户的平台…", f"starting a platform with {options.homes:,} homes ...")
        with quiet_platform(options.homes) as platform, sync_playwright() as play:
            browser = play.chromium.launch(executable_path=find(), args=list(OPTIONS))
            measuring = Measuring(platform, People(browser, platform.line), iter(platform.homes), table)
            if options.views is None:
                terminal.say("逐起泄漏，观察大屏…", "leaks one by one, seen on the wall ...")
                measuring.seen()
            terminal.say(f"{options.incidents} 户泄漏，然后首屏…", f"{options.incidents:,} homes leak, then the first views ...")
            measuring.views(options.incidents, options.views or _ROUNDS)
            if options.views is None:
                terminal.say("观看人数与关阀时延…", "leaks beside people who watch ...")
                measuring.watched(options.seats)
                measuring.drawn(play, options.seats)
            browser.close()
    except UserError as error:
        terminal.refuse(error)
        return 2
    except (OSError, LinkError, httpx.HTTPError) as error:
        terminal.warn(f"平台中断：{error}", f"the platform went away: {error}")
        return 2
    except KeyboardInterrupt:
        return 130
    print(f"{os.cpu_count()} cores; {options.homes:,} homes; ms, p50 / p99 / longest.\n")
    print("| what | ms |\n|---|---|")
    for what, spread in table:
        print(f"| {what} | {spread} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
