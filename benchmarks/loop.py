"""``python -m benchmarks.loop``: leak -> close command at the meter, through a whole platform with its database writing.

Starts a platform with a simulated city, lets homes leak at idle and beside readings of other homes, and prints each latency beside
the broker's own hop, taken in turn with it: the ratio is what can be compared between machines. Judges nothing, except for
``--check``.
"""

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks.database_away import database_away
from benchmarks.leaks import LeakingHomes, Times
from benchmarks.line_figures import LineFigures
from benchmarks.loop_page import Bounds, Row, Spread, page
from benchmarks.platform_stage import HomeOnAir, RunningPlatform, quiet_platform
from benchmarks.readings import Sent
from core.errors import LinkError, UserError
from core.log import configure
from deploy.terminal import Terminal, spoken_language

SPACING_S: Final = 0.05
REPORTING_HOMES: Final = 400
PROMISED_MS: Final = 20.0
PROMISED_UP_TO_RATE: Final = 1_000.0
_WARM_UP: Final = 20
_SETTLE_S: Final = 2.0
_LONGEST_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Condition:
    """Beside how many readings a second, and which homes leak."""

    rate: float
    warm_up: list[HomeOnAir]
    homes: list[HomeOnAir]


def conditions(rates: Sequence[float], leaks: int, homes: Sequence[HomeOnAir]) -> list[Condition]:
    """Each leaking home leaks once in the whole run, so that each leak opens an incident; ``homes`` without the reporting ones."""
    each = _WARM_UP + leaks
    return [
        Condition(rate, list(homes[at : at + _WARM_UP]), list(homes[at + _WARM_UP : at + each]))
        for rate, at in zip(rates, range(0, len(rates) * each, each), strict=True)
    ]


def measure(platform: RunningPlatform, condition: Condition) -> Row:
    """One condition, warm-up first."""
    url = platform.line["metrics"]["line"]
    with _readings(platform, condition.rate) as readings:
        time.sleep(_SETTLE_S)
        times, figures, seconds, busy = uvloop.run(_leaks(platform.line["mqtt"], url, condition))
    return Row(
        rate=condition.rate,
        leaks=len(condition.homes),
        lost=times.lost,
        close=Spread.of(times.closes, times.lost),
        hop=Spread.of(times.hops),
        promise=Spread.of(times.promises),
        decision=Bounds.of(figures.histogram("gas_line_decision_seconds")),
        durable=Bounds.of(figures.histogram("gas_line_durable_seconds")),
        incidents=round(figures.value("gas_line_incidents_total")),
        stored_per_s=figures.value("gas_line_readings_stored_total") / seconds,
        readings_late_ms=max((sent.latest_s for sent in readings), default=0.0) * 1e3,
        dropped=round(figures.value("gas_line_readings_dropped_total")),
        line_core_percent=100 * figures.value("process_cpu_seconds_total") / seconds,
        machine_busy_percent=100 * busy,
    )


async def _leaks(mqtt: dict[str, Any], url: str, condition: Condition) -> tuple[Times, LineFigures, float, float]:
    """What was measured, for how many seconds, and the share of all cores that was in use by anybody."""
    async with LeakingHomes(mqtt) as homes:
        await homes.leak(condition.warm_up, SPACING_S)
        before, worked, started = LineFigures.read(url), _worked_s(), time.perf_counter()
        times = await homes.leak(condition.homes, SPACING_S)
        seconds = time.perf_counter() - started
        busy = (_worked_s() - worked) / seconds / (os.cpu_count() or 1)
        return times, LineFigures.read(url).since(before), seconds, busy


def _worked_s() -> float:
    """Processor seconds that all processes of the machine have used since it started, stolen ones included."""
    user, nice, system, _idle, _waiting, *others = map(int, Path("/proc/stat").read_text(encoding="ascii").split("\n")[0].split()[1:9])
    return (user + nice + system + sum(others)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _readings(platform: RunningPlatform, rate: float) -> Iterator[list[Sent]]:
    """The other homes report, from a process of their own; what they sent is in the list afterwards."""
    sent: list[Sent] = []
    if not rate:
        yield sent
        return
    command: list[Any] = [sys.executable, "-m", "benchmarks.readings", "--platform", platform.file, "--homes", platform.homes_file]
    with subprocess.Popen(
        [*command, "--first", str(REPORTING_HOMES), "--rate", str(rate)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield sent
            # The end of its stdin is the end of its work.
            said, _ = process.communicate(timeout=5)
            sent.append(Sent(**json.loads(said)))
        finally:
            process.kill()


def kept(row: Row) -> bool:
    """Whether the promise holds in this row; rows beyond the promised load are for information."""
    return row.rate > PROMISED_UP_TO_RATE or row.close.p99 <= PROMISED_MS


def _rates(text: str) -> list[float]:
    rates = [float(rate) for rate in text.split(",")]
    if not all(0 <= rate <= 50_000 for rate in rates):
        raise ValueError(text)
    return rates


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.loop",
        description="Leak -> close command at the meter, through a whole platform. · 从泄漏到燃气表收到切断指令的时延。",
    )
    parser.add_argument("--seconds", type=float, default=15.0, help="of leaks under each load, 20 a second (default 15) · 每档负载的秒数")
    parser.add_argument("--rates", type=_rates, default="0,1000,3000", help="readings a second (default 0,1000,3000) · 每秒读数")
    parser.add_argument("--check", action="store_true", help="exit status 1 if a p99 up to 1,000/s is over 20 ms · 超过 20 ms 则返回 1")
    parser.add_argument("--database-away", action="store_true", help="measure while the database answers nobody · 数据库无响应时测量")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows here · 结果另存为 JSON")
    return parser


def run(rates: Sequence[float], seconds: float, tree: Path | None = None, away: bool = False) -> list[Row]:
    """Start a platform, measure every condition, stop it. ``tree`` measures the code of another work tree; ``away``: while its database
    answers nobody. Raises UserError when it does not start.
    """
    leaks = max(1, round(min(seconds, _LONGEST_S) / SPACING_S))
    homes = REPORTING_HOMES + len(rates) * (_WARM_UP + leaks)
    terminal = Terminal(spoken_language())
    terminal.say(f"启动平台，{homes} 户…", f"starting a platform with {homes} homes ...")
    with quiet_platform(homes, tree=tree) as platform:
        rows = []
        for condition in conditions(rates, leaks, platform.homes[REPORTING_HOMES:]):
            terminal.say(
                f"每秒 {condition.rate:,.0f} 条读数，{leaks} 次泄漏…", f"{leaks} leaks beside {condition.rate:,.0f} readings a second ..."
            )
            with database_away(platform.line["postgres"]) if away else nullcontext():
                rows.append(measure(platform, condition))
    return rows


def main() -> int:
    """Measure, print the page; returns the exit status."""
    options = _parser().parse_args()
    language = spoken_language()
    configure("benchmark", "error")
    # Set even where a shell started us in the background, deaf to Ctrl-C: the platform hears it too, and is gone then.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    load = os.getloadavg()[0]
    try:
        rows = run(options.rates, options.seconds, away=options.database_away)
    except UserError as error:
        Terminal(language).refuse(error)
        return 2
    except (OSError, LinkError, subprocess.TimeoutExpired) as error:
        Terminal(language).warn(f"平台或读数进程中断：{error}", f"the platform or the readings' process went away: {error}")
        return 2
    except KeyboardInterrupt:
        return 130
    print(page(rows, language, load_before=load, reporting_homes=REPORTING_HOMES, spacing_ms=SPACING_S * 1e3))
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")
    if not options.check:
        return 0
    broken = [row for row in rows if not kept(row)]
    for row in broken:
        said = "-" if math.isinf(row.close.p99) else f"{row.close.p99:.1f}"
        Terminal(language).say(
            f"未达标：{row.rate:,.0f} 条/秒时 p99 为 {said} ms，超过 {PROMISED_MS:g} ms",
            f"not kept: p99 beside {row.rate:,.0f} readings/s is {said} ms, over {PROMISED_MS:g} ms",
        )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
