"""One process of ours, ``python -m something``: how it is started, asked for its health, and ended. Knows no station by name."""

import json
import os
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from core.observe import STANDS_STILL
from deploy.embedded.processes import dies_with_parent, last_line, step_back, stop_child

_LOG_BYTES = 50_000_000
_STOP_SECONDS = 10.0
_NO_ANSWER = "no answer"
_LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Part(Protocol):
    """Anything that the supervisor keeps running."""

    @property
    def name(self) -> str: ...
    @property
    def pid(self) -> int | None: ...
    def running(self) -> bool: ...
    def start(self) -> None:
        """Start it, or start it again. Raises UserError when it cannot be."""
        ...

    def stop(self) -> None: ...
    def health(self) -> str | None:
        """None when it can do its work now, else the reason in a word or two."""
        ...

    def last_words(self) -> str:
        """What it said last, for the person who has to find out why it died."""
        ...


class Station:
    """A child process with a log file. It dies with this process, even by kill -9; start it from the main thread."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        health_url: str | None = None,
        on_line: Callable[[str], None] | None = None,
        steps_back: int = 0,
    ) -> None:
        """``on_line`` is given every line that the child prints on stdout (from a thread); without it stdout goes to the log.
        ``steps_back``: a nice value, for a process that others go before (:func:`~deploy.embedded.processes.step_back`).
        """
        self.name = name
        self.log = log
        self.health_url = health_url
        self._command = list(command)
        self._environment = dict(environment)
        self._on_line = on_line
        self._steps_back = steps_back
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id; None when it is not running."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def running(self) -> bool:
        """Whether it lives."""
        return self.pid is not None

    def start(self) -> None:
        """Start the process; its log is appended to, and set aside once it is large."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        tie, by = dies_with_parent(signal.SIGTERM), self._steps_back

        def begin() -> None:
            tie()
            step_back(by)

        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_name(f"{self.log.name}.1"))
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self._command,
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if self._on_line else log,
                stderr=log,
                # Ctrl-C reaches this process alone, which then stops its children in order.
                start_new_session=True,
                preexec_fn=begin,
            )
        if self._on_line is not None:
            threading.Thread(target=_read_lines, args=(self._child, self._on_line), name=f"{self.name}-lines", daemon=True).start()

    def stop(self) -> None:
        """End it and wait for its end."""
        if self._child is not None:
            stop_child(self._child, signal.SIGTERM, _STOP_SECONDS)

    def kill(self) -> None:
        """End it without a word, as kill -9 does."""
        if self._child is not None:
            self._child.kill()

    def answers(self, timeout_s: float) -> bool:
        """Whether it gives a sign of life within this time: well or not, and its loop turns. True where it has no endpoint."""
        said = None if self.health_url is None else ask_health(self.health_url, timeout_s)
        # A reason of its own: the console also tells those of the others, each with a name before it.
        return said is None or not (said == _NO_ANSWER or STANDS_STILL in said.split(", "))

    def health(self) -> str | None:
        """Asks its health endpoint, where it has one."""
        if not self.running():
            return "not running"
        return None if self.health_url is None else ask_health(self.health_url)

    def last_words(self) -> str:
        """The last line of its log."""
        return last_line(self.log)


def ask_health(url: str, timeout: float = 1.0) -> str | None:
    """None when a health endpoint answers 200; otherwise its reasons, or ``no answer``."""
    try:
        with _LOCAL.open(url, timeout=timeout):
            return None
    except urllib.error.HTTPError as error:
        with error:
            return _reasons(error.read()) or f"HTTP {error.code}"
    except OSError:
        return _NO_ANSWER


def _reasons(body: bytes) -> str:
    try:
        said = json.loads(body)
    except ValueError:
        return ""
    reasons = said.get("reasons") if isinstance(said, dict) else None
    return ", ".join(str(reason) for reason in reasons) if isinstance(reasons, list) else ""


def _read_lines(child: subprocess.Popen[bytes], on_line: Callable[[str], None]) -> None:
    if child.stdout is None:
        return
    with child.stdout as lines:
        for line in lines:
            on_line(line.decode(errors="replace").rstrip("\n"))
