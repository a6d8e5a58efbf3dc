"""``python -m benchmarks.loop_change --before COMMIT``: has the loop become slower? This tree and an earlier commit, in turn, in one run.

Both run with this environment's packages on this machine at the same hour; only their ratio means something. Judges nothing.
"""

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks import loop
from benchmarks.loop_page import Row
from core.errors import LinkError, UserError
from core.log import configure
from deploy.terminal import Terminal, spoken_language

_TREE: Final = Path(__file__).resolve().parent.parent


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """A work tree of ``commit``, gone afterwards. Raises UserError where there is no such commit."""
    folder = Path(tempfile.mkdtemp(prefix="gas-sentinel-before-"))
    folder.chmod(0o755)
    tree = folder / "tree"
    git = ["git", "-C", str(_TREE)]
    try:
        made = subprocess.run([*git, "worktree", "add", "--detach", str(tree), commit], capture_output=True, text=True, check=False)
        if made.returncode:
            said = (made.stderr.strip().splitlines() or ["?"])[-1]
            raise UserError(f"无法取出提交 {commit}：{said}", f"commit {commit} cannot be checked out: {said}")
        if (cache := _TREE / ".cache").is_dir():  # the broker that the set-up unpacked
            (tree / ".cache").symlink_to(cache)
        yield tree
    finally:
        subprocess.run([*git, "worktree", "remove", "--force", str(tree)], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def compared(before: Sequence[Sequence[Row]], now: Sequence[Sequence[Row]]) -> str:
    """The table: of each measured figure the median over the rounds, in ms, and now : before."""
    lines = [
        "| readings/s | leak -> close p50, before / now | now : before | p99, before / now | now : before | closes not seen |",
        "|---|---|---|---|---|---|",
    ]
    for position, row in enumerate(now[0]):
        p50 = [statistics.median(rows[position].close.p50 for rows in rounds) for rounds in (before, now)]
        p99 = [statistics.median(rows[position].close.p99 for rows in rounds) for rounds in (before, now)]
        lost = [sum(rows[position].lost for rows in rounds) for rounds in (before, now)]
        lines.append(
            f"| {row.rate:,.0f} | {p50[0]:.2f} / {p50[1]:.2f} | {p50[1] / p50[0]:.2f} "
            f"| {p99[0]:.2f} / {p99[1]:.2f} | {p99[1] / p99[0]:.2f} | {lost[0]} / {lost[1]} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure in turn, print the table; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.loop_change",
        description="Leak -> close of this tree beside that of an earlier commit. · 当前代码与早前提交的泄漏→关阀时延对比。",
    )
    parser.add_argument("--before", default="HEAD", metavar="COMMIT", help="the earlier code (default HEAD) · 早前的提交")
    parser.add_argument("--rounds", type=int, default=2, help="of both, in turn (default 2) · 轮数")
    parser.add_argument("--seconds", type=float, default=10.0, help="of leaks under each load (default 10) · 每档负载的秒数")
    options = parser.parse_args()
    terminal = Terminal(spoken_language())
    configure("benchmark", "error")
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda *_: sys.exit(143))
    rates, before, now = (0.0, 1_000.0), [], []
    try:
        with checked_out(options.before) as tree:
            for number in range(max(1, options.rounds)):
                terminal.say(f"第 {number + 1} 轮：{options.before}", f"round {number + 1}: {options.before}")
                before.append(loop.run(rates, options.seconds, tree))
                terminal.say(f"第 {number + 1} 轮：当前代码", f"round {number + 1}: this tree")
                now.append(loop.run(rates, options.seconds))
    except UserError as error:
        terminal.refuse(error)
        return 2
    except (OSError, LinkError, subprocess.TimeoutExpired) as error:
        terminal.warn(f"平台或读数进程中断：{error}", f"the platform or the readings' process went away: {error}")
        return 2
    except KeyboardInterrupt:
        return 130
    print(f"{os.cpu_count()} cores; medians of {len(now)} rounds in turn, ms.\n")
    print(compared(before, now))
    return 0


if __name__ == "__main__":
    sys.exit(main())
