"""Keeps the parts of one platform running, and leaves nothing behind.

Decides: the order of start and stop, when a dead part is started again, when the whole is ready. Refuses to know what the parts
do.
"""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable
from types import FrameType

from core.errors import UserError
from deploy.embedded.account import Say, silence
from deploy.station import Part, Station
from deploy.watchdog import Watchdog

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 15.0
_CALM_SECONDS = 10.0
"""Who lived this long is not failing at its start: it is started again after the first pause, however often it was killed before."""
_TICK = 0.2
_TELL_EVERY = 20.0
_STARTUP_DEATHS = 3


class StopRequest:
    """SIGTERM and SIGINT (and a terminal that hung up) as something to look at and to wait for."""

    def __init__(self) -> None:
        self._asked = False
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def listen(self) -> None:
        """Take the signals over. Main thread only."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._hear)

    def release(self) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def ask(self) -> None:
        """Ask for the stop as a signal would."""
        self._asked = True
        with contextlib.suppress(BlockingIOError):  # asked for thousands of times already
            os.write(self._writer, b"x")

    def asked(self) -> bool:
        """Whether somebody wants it to stop."""
        return self._asked

    def wait(self, seconds: float) -> bool:
        """Wait until it is asked for, at most ``seconds``; returns whether it is."""
        if not self._asked:
            select.select([self._reader], [], [], seconds)
        return self._asked

    def _hear(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.ask()


class Stopped(Exception):  # noqa: N818  an answer to a request, not an error
    """The stop was asked for before the platform was ready."""


class Supervisor:
    """Parts in the order of their start. Call everything from the main thread."""

    def __init__(self, stop: StopRequest, say: Say = silence) -> None:
        self._stop = stop
        self._say = say
        self._parts: list[Part] = []
        self._watchdog = Watchdog(say)
        self._started: dict[str, float] = {}
        self._pause: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._deaths: dict[str, int] = {}

    def start(self, part: Part) -> None:
        """Start a part and keep it from now on. Raises UserError when it cannot be, Stopped when nobody wants it any more."""
        if self._stop.asked():
            raise Stopped
        self._parts.append(part)
        part.start()
        self._started[part.name] = time.monotonic()

    def pids(self) -> dict[str, int]:
        """Process ids by part."""
        return {part.name: part.pid for part in self._parts if part.pid is not None}

    def pid(self, name: str) -> int | None:
        """The process id of a part; None while it is not running."""
        return next((part.pid for part in self._parts if part.name == name and part.running()), None)

    def deaths(self) -> dict[str, int]:
        """How often each part died so far, without those that never did."""
        return dict(self._deaths)

    def wait_ready(self, seconds: float, tell_every: float = _TELL_EVERY) -> None:
        """Wait until every part is healthy, restarting the dead ones. From then on what hangs is ended, and started again like them.

        Who is waited for is said every ``tell_every`` seconds.

        Raises UserError with the reasons when that takes longer, or when a part dies three times; Stopped when asked to stop.
        """
        told = time.monotonic()
        deadline = told + seconds
        while True:
            self.watch()
            sick = [(part, reason) for part in self._parts if (reason := part.health()) is not None]
            if not sick:
                self._watchdog.start(lambda: [part for part in self._parts if isinstance(part, Station)])
                return
            for part, _ in sick:
                if self._deaths.get(part.name, 0) >= _STARTUP_DEATHS:
                    raise _does_not_start(part, f"{part.last_words()}")
            part, reason = sick[0]
            if time.monotonic() > told + tell_every:
                told += tell_every
                self._say(f"仍在等待 {part.name}：{reason}", f"still waiting for {part.name}: {reason}")
            if time.monotonic() > deadline:
                raise _does_not_start(part, f"{reason}; {part.last_words()}")
            if self._stop.wait(_TICK):
                raise Stopped

    def run(self, each_tick: Callable[[], None] | None = None) -> None:
        """Watch until asked to stop."""
        while not self._stop.wait(_TICK):
            self.watch()
            if each_tick is not None:
                each_tick()

    def watch(self) -> None:
        """One look at every part: a dead one is started again after a pause that grows with each death."""
        for part in self._parts:
            now = time.monotonic()
            if part.running():
                if now - self._started[part.name] > _CALM_SECONDS:
                    self._pause.pop(part.name, None)
                continue
            due = self._due.get(part.name)
            if due is None:
                self._plan_restart(part, now)
            elif now >= due:
                self._restart(part)

    def stop(self) -> None:
        """Stop everything, the last started first. What cannot be stopped does not keep the others running."""
        self._watchdog.stop()
        for part in reversed(self._parts):
            try:
                part.stop()
            except (OSError, UserError) as error:
                self._say(f"{part.name} 停止时出错：{error}", f"{part.name} did not stop cleanly: {error}")
        self._parts.clear()

    def _plan_restart(self, part: Part, now: float) -> None:
        pause = self._pause.get(part.name, _FIRST_PAUSE)
        self._pause[part.name] = min(_LONGEST_PAUSE, pause * 2)
        self._due[part.name] = now + pause
        self._deaths[part.name] = self._deaths.get(part.name, 0) + 1
        words = part.last_words()
        self._say(
            f"{part.name} 意外退出，{pause:g} 秒后重启。最后日志：{words}",
            f"{part.name} died and is started again in {pause:g} s. Its last words: {words}",
        )

    def _restart(self, part: Part) -> None:
        self._due.pop(part.name)
        try:
            part.start()
        except (OSError, UserError) as error:
            self._say(f"{part.name} 未能重启：{error}", f"{part.name} could not be started again: {error}")
        self._started[part.name] = time.monotonic()


def _does_not_start(part: Part, why: str) -> UserError:
    return UserError(f"{part.name} 未能就绪：{why}", f"{part.name} does not get ready: {why}")
