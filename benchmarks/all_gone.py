"""``python -m benchmarks.all_gone``: leak -> close and leak -> call with the database away, and with database and disks gone while 10,000
alarms repeat, beside the same with all well.

One platform, one run: what can be compared between machines is the ratio to the first column. The database is stopped as
``benchmarks.database_away`` does it, the disks as if their folders had become unreadable. Judges nothing, except for ``--check``.
"""

import argparse
import asyncio
import contextlib
import json
import math
import os
import shutil
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks.database_away import database_away
from benchmarks.leaks import LeakingHomes
from benchmarks.line_figures import LineFigures
from benchmarks.loop_page import Spread, machine, table
from benchmarks.platform_stage import HomeOnAir, RunningPlatform, quiet_platform
from core import topics
from core.errors import LinkError, UserError
from core.log import configure
from core.mqtt.link import Link
from deploy.terminal import Language, Terminal, spoken_language
from simulator.phones.exchange import PhoneExchange, PhonesLostError

LOUD_HOMES: Final = 400
ITEMS_EACH: Final = 25
REPEATED_EVERY_S: Final = 5.0
_ITEMS_AT_ONCE: Final = 5
"""A device says no more than five a second: under the flood rule's limit, so that the line has to judge each of them."""
SPACING_S: Final = 0.5
PROMISED_MS: Final = 1_000.0
MOST_TIMES: Final = 3.0
"""``--check``: a median may be so many times that of the first column."""
_WARM_UP: Final = 6
_LONGEST_S: Final = 120.0
_GONE_S: Final = 60.0
_LOCAL: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Row:
    """One condition; ``close`` and ``call`` from the leak's publish to the meter, and to the telephone that is reached by SIP."""

    name: str
    leaks: int
    close: Spread
    call: Spread
    hop: Spread
    lost_closes: int
    lost_calls: int
    promises: int
    repeats: int
    """Leaks that the line judged meanwhile and had heard before."""


class Phones:
    """The telephones of the city: each is picked up at once and confirms. ``rung`` is when each rang first, Unix ms by number."""

    def __init__(self, listen: str) -> None:
        self._exchange = PhoneExchange(listen)
        self.rung: dict[str, int] = {}
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Phones":
        await self._exchange.start()
        await self._exchange.set_behaviour("*", "confirms_at_once", rings_s=0.1, listens_s=0.3)
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exchange.stop()

    async def _read(self) -> None:
        async for report in self._exchange.events():
            if report.event == "ringing":
                self.rung.setdefault(report.number, report.at_ms)


@asynccontextmanager
async def repeating_alarms(mqtt: dict[str, Any], homes: Sequence[HomeOnAir]) -> AsyncIterator[None]:
    """Leaks of these homes' detectors, ``ITEMS_EACH`` a home and none like another, all said again every few seconds for as long as
    it is wanted: nobody promises them anything. Entered once all were said.
    """
    link = Link(mqtt["host"], mqtt["port"], "bench-loud", mqtt["username"], mqtt["password"], on_message=_nothing, session_expiry_s=0)
    now_ms = time.time_ns() // 1_000_000
    said = [
        (
            topics.up(home.detector, "alarm"),
            json.dumps(
                [{"ts": now_ms + seq, "boot": 1, "seq": seq, "event": "leak", "ch4_lel": 18.0} for seq in range(at, at + _ITEMS_AT_ONCE)]
            ).encode(),
        )
        for at in range(1, ITEMS_EACH + 1, _ITEMS_AT_ONCE)
        for home in homes
    ]
    all_said = asyncio.Event()

    async def repeat() -> None:
        due = time.perf_counter()
        while True:
            for topic, payload in said:
                with contextlib.suppress(LinkError):
                    link.publish(topic, payload, qos=1).add_done_callback(lambda done: done.cancelled() or done.exception())
                due += REPEATED_EVERY_S / len(said)
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            all_said.set()

    await link.start()
    await link.wait_connected(10)
    task = asyncio.create_task(repeat())
    try:
        await all_said.wait()
        yield
    finally:
        task.cancel()
        await link.stop()


def _nothing(_: object) -> None:
    """It has no subscription."""


def disks_gone(platform: RunningPlatform) -> None:
    """What line and dispatch keep on disk is gone, and nothing can be put in its place."""
    for station in ("line", "dispatch"):
        folder = Path(platform.line["data"]) / "state" / station
        shutil.rmtree(folder)
        folder.write_text("no folder any more\n", encoding="ascii")


async def says(url: str, *reasons: str) -> None:
    """Return when this station's health names all of these. Raises UserError after a minute: then it is not what was to be measured."""
    deadline = time.monotonic() + _GONE_S
    while not set(reasons) <= set(found := await asyncio.to_thread(_reasons, url)):
        if time.monotonic() > deadline:
            wanted, known = ", ".join(reasons), ", ".join(found) or "-"
            raise UserError(f"接警线应报 {wanted}，只报 {known}", f"the line should say {wanted} and says {known}")
        await asyncio.sleep(0.2)


def _reasons(url: str) -> list[str]:
    try:
        with _LOCAL.open(url, timeout=5) as answer:
            said = answer.read()
    except urllib.error.HTTPError as error:  # red is no 200
        said = error.read()
    found: list[str] = json.loads(said)["reasons"]
    return found


async def measure(platform: RunningPlatform, leaks: int, terminal: Terminal) -> list[Row]:
    """All conditions in turn; each home leaks once."""
    mqtt, health, figures = platform.line["mqtt"], platform.line["health"]["line"], platform.line["metrics"]["line"]
    loud, others = platform.homes[:LOUD_HOMES], platform.homes[LOUD_HOMES:]
    each = _WARM_UP + leaks
    async with Phones(platform.line["sim_sip"]) as phones, LeakingHomes(mqtt) as homes:

        async def leak(name: str, zh: str, en: str, at: int) -> Row:
            terminal.say(f"{zh}，{leaks} 次泄漏…", f"{leaks} leaks with {en} ...")
            await homes.leak(others[at : at + _WARM_UP], SPACING_S)
            found = others[at + _WARM_UP : at + each]
            before = await asyncio.to_thread(LineFigures.read, figures)
            times = await homes.leak(found, SPACING_S)
            since = (await asyncio.to_thread(LineFigures.read, figures)).since(before)
            repeats = round(since.value("gas_line_duplicate_alarms_total"))
            rung = [(phones.rung[home.phone] - homes.published_ms[home.detector]) / 1e3 for home in found if home.phone in phones.rung]
            lost = len(found) - len(rung)
            closes, calls = Spread.of(times.closes, times.lost), Spread.of(rung, lost)
            return Row(name, len(found), closes, calls, Spread.of(times.hops), times.lost, lost, len(times.promises), repeats)

        rows = [await leak("well", "一切正常", "all well", 0)]
        with database_away(platform.line["postgres"]):
            rows.append(await leak("database_away", "数据库无响应", "the database away", each))
            disks_gone(platform)
            async with repeating_alarms(mqtt, loud):
                await says(health, "database_away", "journal_down")
                rows.append(
                    await leak(
                        "all_gone", "数据库与磁盘皆失、万条报警重发", "database and disks gone and 10,000 alarms repeating", 2 * each
                    )
                )
    return rows


def broken(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """What does not hold of ``--check``'s bounds, in Chinese and English: nothing lost, the promised second, the ratio to the first row."""
    found = []
    for row in rows:
        for what, zh, spread in (("close", "关阀", row.close), ("call", "致电", row.call)):
            p50 = getattr(rows[0], what).p50
            if math.isinf(spread.max):
                found.append((f"{row.name}：有泄漏未见{zh}", f"{row.name}: a leak without its {what}"))
            elif spread.p99 > PROMISED_MS:
                found.append(
                    (
                        f"{row.name}：{zh} p99 {spread.p99:.0f} ms，超过 {PROMISED_MS:g}",
                        f"{row.name}: p99 of the {what} is {spread.p99:.0f} ms, over {PROMISED_MS:g}",
                    )
                )
            elif spread.p50 > MOST_TIMES * p50:
                times = f"{spread.p50 / p50:.1f}"
                found.append(
                    (
                        f"{row.name}：{zh}中位数为正常时的 {times} 倍，超过 {MOST_TIMES:g}",
                        f"{row.name}: the median {what} takes {times} times that of all well, over {MOST_TIMES:g}",
                    )
                )
    return found


_FIGURES: Final[dict[Language, tuple[str, ...]]] = {
    "en": (
        "",
        "**leak -> close at the meter**, p50 / p99 / max ms",
        "**times the first column**, p50",
        "**leak -> the phone rings**, p50 / p99 / max ms",
        "**times the first column**, p50",
        "broker's own hop, p50 / p99 / max ms",
        "leaks / closes not seen / calls not seen / promised to the detector",
        "repeats judged by the line meanwhile",
    ),
    "zh": (
        "",
        "**泄漏→燃气表收到关阀** p50 / p99 / 最大 ms",
        "**为首列的倍数** p50",
        "**泄漏→电话振铃** p50 / p99 / 最大 ms",
        "**为首列的倍数** p50",
        "代理单跳 p50 / p99 / 最大 ms",
        "泄漏 / 未见关阀 / 未见来电 / 已向探测器承诺",
        "其间接警线判断的重发报警条数",
    ),
}
_NAMES: Final[dict[Language, dict[str, str]]] = {
    "en": {"well": "all well", "database_away": "database away", "all_gone": "database and disks gone, 10,000 alarms repeating"},
    "zh": {"well": "一切正常", "database_away": "数据库无响应", "all_gone": "数据库与磁盘皆失，万条报警重发"},
}


def page(rows: Sequence[Row], language: Language, load_before: float) -> str:
    """The table as Markdown with a column for each condition."""
    well = rows[0]
    columns = [list(_FIGURES[language])]
    for row in rows:
        counts = f"{row.leaks} / {row.lost_closes} / {row.lost_calls} / {row.promises}"
        close, call = f"{row.close.p50 / well.close.p50:.1f}", f"{row.call.p50 / well.call.p50:.1f}"
        repeats = f"{row.repeats:,}"
        columns.append([_NAMES[language][row.name], str(row.close), close, f"{row.call:.0f}", call, str(row.hop), counts, repeats])
    return f"{machine(language, load_before)}\n\n{table(columns)}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.all_gone",
        description="Leak -> close and leak -> call with nothing left but memory. · 数据库与磁盘皆失时，泄漏到关阀、到致电的时延。",
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="of leaks in each condition, 2 a second (default 20) · 每种情形的秒数")
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit status 1 if anything is lost, a p99 is over 1 s, or a median over 3 times that of all well · 不达标则返回 1",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows here · 结果另存为 JSON")
    return parser


def run(seconds: float, terminal: Terminal) -> list[Row]:
    """Start a platform, measure every condition, stop it. Raises UserError when it does not start or does not lose what it should."""
    leaks = max(1, round(min(seconds, _LONGEST_S) / SPACING_S))
    homes = LOUD_HOMES + 3 * (_WARM_UP + leaks)
    terminal.say(f"启动平台，{homes} 户…", f"starting a platform with {homes} homes ...")
    with quiet_platform(homes, quiet=LOUD_HOMES) as platform:
        return uvloop.run(measure(platform, leaks, terminal))


def main() -> int:
    """Measure, print the page; returns the exit status."""
    options = _parser().parse_args()
    language = spoken_language()
    terminal = Terminal(language)
    configure("benchmark", "error")
    # As in the loop's: Ctrl-C is heard even where a shell started us in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    load = os.getloadavg()[0]
    try:
        rows = run(options.seconds, terminal)
    except UserError as error:
        terminal.refuse(error)
        return 2
    except (OSError, LinkError, PhonesLostError) as error:
        terminal.warn(f"平台或电话中断：{error}", f"the platform or the telephones went away: {error}")
        return 2
    except KeyboardInterrupt:
        return 130
    print(page(rows, language, load))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")
    faults = broken(rows) if options.check else []
    for zh, en in faults:
        terminal.say(f"未达标：{zh}", f"not kept: {en}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
