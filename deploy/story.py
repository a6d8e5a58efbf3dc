"""The story that ``make run`` tells in the terminal: what the platform did and what happened outside, line by line, for a stranger.

Decides the order (by arrival), the look of a line and which seconds are counted. Both tellers bring their own sentences; nothing is
made up here.
"""

import json
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from core.local_time import local
from deploy.terminal import Language

_RETRY_SECONDS = 1.0
_SILENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Happening:
    """One sentence of either teller. ``at_ms`` is Unix ms; ``outside`` marks the simulated world's."""

    at_ms: int
    home_id: str | None
    incident_id: str | None
    zh: str
    en: str
    outside: bool
    address_zh: str = ""
    address_en: str = ""
    entry_id: str = ""
    nth: int = 0
    """Of the platform's own of one millisecond, which came first."""

    @classmethod
    def read(cls, text: str, *, outside: bool) -> "Happening | None":
        """Read a JSON object of either teller; None when it is none."""
        try:
            said: Any = json.loads(text)
            return cls(
                at_ms=int(said["at_ms"]),
                home_id=_text(said.get("home_id")),
                incident_id=_text(said.get("incident_id")),
                zh=str(said["zh"]),
                en=str(said["en"]),
                outside=outside,
                address_zh=str(said.get("address_zh") or ""),
                address_en=str(said.get("address_en") or ""),
                entry_id=str(said.get("entry_id") or ""),
                nth=int(said.get("nth") or 0),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


class Story:
    """Turns happenings into lines. Each incident has a number, a heading with its address, and its own count of seconds."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._numbers: dict[str, int] = {}
        self._began: dict[str, int] = {}
        self._open_of_home: dict[str, str] = {}
        self._told: set[tuple[str, str]] = set()

    def tell(self, happening: Happening) -> list[str]:
        """The lines for one happening; none when it was told before (the stream repeats after it broke)."""
        if happening.entry_id and happening.incident_id:
            key = (happening.incident_id, happening.entry_id)
            if key in self._told:
                return []
            self._told.add(key)
        lines = self._heading(happening)
        incident = happening.incident_id or self._open_of_home.get(happening.home_id or "")
        sentence = happening.zh if self._language == "zh" else happening.en
        mark = "·" if happening.outside else "■"
        clock = local(happening.at_ms).strftime("%H:%M:%S")
        since, number = " " * 8, "   "
        if incident is not None and incident in self._numbers:
            number = f"{self._numbers[incident]:>3}"
            since = f"{(happening.at_ms - self._began[incident]) / 1000:+8.1f}"
        lines.append(f"{clock} {since} s {number} {mark} {sentence}" if since.strip() else f"{clock} {since}   {number} {mark} {sentence}")
        return lines

    def _heading(self, happening: Happening) -> list[str]:
        incident = happening.incident_id
        if incident is None or incident in self._numbers or happening.outside:
            return []
        self._numbers[incident] = number = len(self._numbers) + 1
        self._began[incident] = happening.at_ms
        if happening.home_id is not None:
            self._open_of_home[happening.home_id] = incident
        where = happening.address_zh if self._language == "zh" else happening.address_en
        title = f"第 {number} 起 · {where or '位置未知'}" if self._language == "zh" else f"incident {number} · {where or 'place unknown'}"
        return ["", f"── {title} " + "─" * 8]


def legend(language: Language) -> list[str]:
    """What the columns mean."""
    if language == "zh":
        return ["北京时间 | 自报警起秒数 | 事件号 | ■ 平台所做，· 外部世界（模拟）所发生"]
    return ["Beijing time | seconds since the alarm | incident | ■ what the platform did, · what happened outside (simulated)"]


class TimelineReader:
    """A thread that follows the API's event stream and hands over its sentences; it connects again when the stream breaks."""

    def __init__(self, http: str, token: str, take: Callable[[Happening], None]) -> None:
        self._url = f"{http}/api/v1/events"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._take = take
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="timeline", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """No more sentences; the thread ends with its connection."""
        self._stopping.set()

    def _run(self) -> None:
        timeout = httpx.Timeout(5.0, read=_SILENCE_SECONDS)
        while not self._stopping.is_set():
            try:
                with (
                    httpx.Client(timeout=timeout, trust_env=False) as client,
                    client.stream("GET", self._url, headers=self._headers) as response,
                ):
                    response.raise_for_status()
                    for kind, data in server_sent_events(response.iter_lines()):
                        happening = Happening.read(data, outside=False) if kind == "timeline" else None
                        if self._stopping.is_set():
                            return
                        if happening is not None:
                            self._take(happening)
            except httpx.HTTPError:
                pass  # The supervisor says why the API went away; here it only has to be found again.
            self._stopping.wait(_RETRY_SECONDS)


def server_sent_events(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Event name and data of each server-sent event in a stream of lines."""
    kind, data = "message", list[str]()
    for line in lines:
        if not line:
            if data:
                yield kind, "\n".join(data)
            kind, data = "message", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data.append(value)


class StoryTeller:
    """Collects from both tellers and prints from the main thread."""

    def __init__(self, language: Language, write: Callable[[str], None]) -> None:
        self._story = Story(language)
        self._write = write
        self._waiting: queue.SimpleQueue[Happening] = queue.SimpleQueue()

    def hear(self, happening: Happening) -> None:
        """Take a happening, from any thread."""
        self._waiting.put(happening)

    def hear_outside(self, line: str) -> None:
        """Take a line that the simulated district printed; what is no happening stays out of the story."""
        happening = Happening.read(line, outside=True)
        if happening is not None:
            self._waiting.put(happening)

    def tell(self) -> None:
        """Print what came since the last time, in the order in which it happened within this moment."""
        batch = []
        while not self._waiting.empty():
            batch.append(self._waiting.get_nowait())
        for happening in sorted(batch, key=lambda h: (h.at_ms, h.nth)):
            for line in self._story.tell(happening):
                self._write(line)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
