"""``python -m benchmarks.seats``: people who watch, without their screens, until stdin ends.

Each seat asks what a wall asks: the event stream, and figures, promises and places by its timetable. Runs at the lowest priority, since
browsers stand on other machines. The session's cookie comes by the environment, so that it stands in no list of processes. At the end
one JSON line on stdout says what the seats received: whoever measures beside them can tell that they watched.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import uvloop

from core.log import configure

COOKIE: Final = "GAS_SENTINEL_BENCH_COOKIE"
_ASKS_S: Final = {"/overview": 1.1, "/promise": 3.0, "/map": 60.0, "/map/estates": 60.0}
"""As the wall does while incidents come in (console/web/src/wall/watch.ts)."""
_LEAST_PRIORITY: Final = 19


@dataclass(slots=True)
class Watched:
    """What all seats received."""

    seats: int = 0
    events: int = 0
    answers: int = 0
    refused: int = 0


async def _listen(http: httpx.AsyncClient, watched: Watched) -> None:
    async with http.stream("GET", "/events", timeout=httpx.Timeout(10.0, read=None)) as stream:
        stream.raise_for_status()
        async for line in stream.aiter_lines():
            watched.events += line.startswith("event: incident")


async def _ask(http: httpx.AsyncClient, path: str, every_s: float, watched: Watched) -> None:
    while True:
        answer = await http.get(path)
        watched.answers += answer.is_success
        watched.refused += not answer.is_success
        await asyncio.sleep(every_s)


async def _run(url: str, cookie: str, seats: int) -> Watched:
    watched = Watched(seats=seats)
    async with contextlib.AsyncExitStack() as open_clients:
        work: list[Coroutine[Any, Any, None]] = []
        for _ in range(seats):
            client = httpx.AsyncClient(base_url=f"{url}/api/v1", cookies={"gs_session": cookie}, trust_env=False, timeout=30.0)
            http = await open_clients.enter_async_context(client)
            work += [_listen(http, watched), *(_ask(http, path, every_s, watched) for path, every_s in _ASKS_S.items())]
        tasks = [asyncio.create_task(each) for each in work]
        over = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
        # A seat that ends before we are told to is an error, not a seat less.
        done, _ = await asyncio.wait([*tasks, over], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in done - {over}:
            task.result()
    return watched


def main() -> int:
    """Watch until stdin ends; exit status 1 when a seat could not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.seats", description="people who watch, without their screens")
    parser.add_argument("--url", required=True, help="of the console")
    parser.add_argument("--seats", type=int, required=True)
    options = parser.parse_args()
    configure("benchmark", "error")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_LEAST_PRIORITY)
    # Where the kernel shares the processor between sessions first, nice counts only inside one; this process leads its own.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(_LEAST_PRIORITY), encoding="ascii")
    try:
        print(json.dumps(asdict(uvloop.run(_run(options.url, os.environ[COOKIE], options.seats)))))
    except httpx.HTTPError as error:
        print(f"a seat lost the console: {error!r}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
