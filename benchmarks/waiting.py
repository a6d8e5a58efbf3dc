"""``python -m benchmarks.waiting``: the database is away and ever more bundles wait: how long each one that comes holds up the loop.

Processor time of one thread, so that a busy machine makes no difference. Prints figures and judges nothing.
"""

import argparse
import time
from uuid import UUID

from alarm_engine.ledger import Entry, Ledger
from alarm_engine.rows import Rows
from core import collector
from core.clock import ManualClock

_NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
_STEPS = (5_000, 15_000, 30_000, 60_000)


def bundle(number: int, homes: int) -> Rows:
    """As much as a leak that goes on writes: its incident again, a command, three entries, a word to dispatch."""
    whole: dict[str, object] = {"number": number}
    return Rows(
        incidents={UUID(int=number % homes + 1): whole},
        commands={UUID(int=number + 1): whole},
        events=[whole, whole, whole],
        outbox=[whole],
    )


def measure(bundles: int, homes: int) -> None:
    """Queue so many; print what the slowest cost, by how many had come before."""
    ledger = Ledger(_NOWHERE, ManualClock())
    longest = 0.0
    steps = [step for step in _STEPS if step < bundles] + [bundles]
    for number in range(bundles):
        entry = Entry(bundle(number, homes), None, None, 0.0, number=number + 1, durable=True)
        began = time.thread_time()
        ledger.queue(entry)
        longest = max(longest, time.thread_time() - began)
        if number + 1 == steps[0]:
            print(f"bundles {steps.pop(0):7}   longest {longest * 1e3:7.2f} ms   entries that wait {ledger.depth:6}")
            longest = 0.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waiting", description="What waits for the database. · 数据库离线时的积压。")
    parser.add_argument("--bundles", type=int, default=60_000, help="bundles (default 60000) · 决定数")
    parser.add_argument("--homes", type=int, default=5_000, help="homes that leak (default 5000) · 泄漏户数")
    options = parser.parse_args()
    # What the line does about the collector's searches (core/collector.py) is not measured here.
    with collector.paused():
        measure(options.bundles, options.homes)


if __name__ == "__main__":
    main()
