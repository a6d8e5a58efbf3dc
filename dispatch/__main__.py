"""``python -m dispatch``: one dispatch process until SIGTERM, or until a part of it has stopped."""

import asyncio
import signal
import sys

import uvloop

from core import log, observe
from dispatch.settings import DispatchSettings
from dispatch.station import Station


async def run(settings: DispatchSettings) -> int:
    """Run until asked to stop; the exit status is 1 when a part of it has stopped by itself, so that a supervisor starts it anew."""
    station = Station(settings, settings.clock())
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, asked.set)
    observer = observe.serve(settings.observe_port, station.health) if settings.observe_port else None
    await station.start()
    waits = [asyncio.ensure_future(asked.wait()), asyncio.ensure_future(station.broken.wait())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await station.stop()
    if observer is not None:
        observer.stop()
    return 1 if station.broken.is_set() else 0


def main() -> int:
    """Read the settings, configure the logs, run."""
    settings = DispatchSettings()
    log.configure("dispatch", settings.log_level)
    return uvloop.run(run(settings))


if __name__ == "__main__":
    sys.exit(main())
