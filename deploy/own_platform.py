"""A platform for one purpose, such as a scenario: on free ports, in a folder of its own, gone afterwards.

Decides who stands where: the work runs in a thread with an event loop of its own, and the main thread keeps the platform's parts
running meanwhile, as ``up`` does (what it starts is tied to the thread that started it).
"""

import asyncio
import json
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from core.errors import UserError
from deploy.supervisor import Stopped, StopRequest
from deploy.terminal import Language, Terminal
from deploy.up import Platform, UpOptions

_LOOK_S = 0.05
_T = TypeVar("_T")


class OwnPlatform:
    """A platform that runs for its owner alone. ``line`` is what ``up`` would print."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.line: dict[str, Any] = json.loads(json.dumps(platform.line))

    def pid(self, name: str) -> int | None:
        """The process id of a part now, None while it is not running."""
        return self._platform.pid(name)

    def deaths(self) -> dict[str, int]:
        """How often each part ended without being asked to, since the platform was ready."""
        return self._platform.deaths()

    def work(self, doing: Callable[[], Coroutine[Any, Any, _T]], each_look: Callable[[], None] | None = None) -> _T:
        """Let ``doing`` run to its end; what dies meanwhile is started again. ``each_look`` is called in the main thread.

        An interrupt cancels the work, waits for its end, and goes on to the caller.
        """
        worker = _Worker(doing)
        worker.start()
        try:
            while worker.is_alive():
                if each_look is not None:
                    each_look()
                self._platform.watch()
                worker.join(_LOOK_S)
        except BaseException:
            worker.cancel()
            worker.join()
            raise
        result: _T = worker.result()
        return result


class _Worker(threading.Thread):
    """One coroutine in a loop of its own."""

    def __init__(self, doing: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        super().__init__(name="scenario")
        self._doing = doing
        self._begun = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._result: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._result = asyncio.run(self._within())
        except BaseException as error:  # noqa: BLE001  whatever it is belongs to the caller, in the main thread
            self._error = error
        finally:
            self._begun.set()

    async def _within(self) -> Any:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.ensure_future(self._doing())
        self._begun.set()
        return await self._task

    def cancel(self) -> None:
        self._begun.wait()
        if self._loop is not None and self._task is not None and self.is_alive():
            self._loop.call_soon_threadsafe(self._task.cancel)

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._result


@contextmanager
def own_platform(
    *, homes: int, clock_rate: float, language: Language, settings: Mapping[str, str], terminal: Terminal, seed: int = 1
) -> Iterator[OwnPlatform]:
    """Start a platform with that many simulated homes, give it, and leave nothing behind. Main thread only.

    Raises UserError when it does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="gas-sentinel-"))
    # The database may run under another account, which has to get through here; what is secret is closed file by file.
    folder.chmod(0o755)
    stop = StopRequest()
    options = UpOptions(
        folder / "data", http_port=0, mqtt_port=0, clock_rate=clock_rate, language=language, seed_homes=homes, seed=seed, settings=settings
    )
    platform = Platform(options, terminal, stop)
    try:
        stop.listen()
        try:
            platform.start()
        except Stopped:
            raise KeyboardInterrupt from None
        except UserError:
            if stop.asked():
                raise KeyboardInterrupt from None
            raise
        finally:
            # From here on a signal ends the caller's work, and with it this block.
            stop.release()
        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            yield OwnPlatform(platform)
        finally:
            signal.signal(signal.SIGTERM, before)
    finally:
        platform.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt
