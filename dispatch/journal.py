"""What dispatch must still know after a crash although the database is away: messages, ladders, calls and tasks that are not rows yet.

Each thing is kept under its name in its newest form until it is let go; the log on disk is replaced by what is still kept before it
grows past its bound. Written behind the calls, never before them. Refuses to stop anything: a disk that is full or gone is counted,
said once, and tried again with everything that is kept.
"""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeVar

import structlog

from core.journal import Journal, JournalError
from dispatch import metrics

Kind = Literal["message", "ladder", "call", "task", "priority"]

T = TypeVar("T")

_FIRST_PAUSE_S: Final = 0.5
_LAST_PAUSE_S: Final = 15.0


class CallJournal:
    """The kept things by kind and name. Without a folder it keeps nothing."""

    def __init__(self, folder: Path | None, max_bytes: int) -> None:
        self._journal = None if folder is None else Journal(folder, "calls", max_bytes)
        self._half = max_bytes // 2
        self._kept: dict[tuple[str, str], bytes] = {}
        self._bytes = 0
        self._wake = asyncio.Event()
        self._whole = False
        self.failing = False
        """Whether the last write did not reach the disk."""
        self._log = structlog.get_logger()

    def open(self) -> None:
        """Read what an earlier life kept. Blocking, once, before anything is kept. Damage is logged and skipped."""
        if self._journal is None:
            return
        try:
            replay = self._journal.open()
        except JournalError as error:
            metrics.JOURNAL_FAILURES.inc()
            self._log.error("the journal of calls cannot be read", why=str(error))
            self.failing = True
            return
        for record in replay.records:
            self._replay(record.payload)
        if replay.damaged:
            metrics.JOURNAL_FAILURES.inc()
            self._log.error("the journal of calls is damaged; what is readable is used", why=replay.reasons[:5])
        if replay.records:
            self._whole = True
            self._wake.set()

    def kept(self, kind: Kind) -> list[tuple[str, str]]:
        """(name, body) of everything kept of a kind, the oldest first."""
        return [(name, _body(payload)) for (of, name), payload in self._kept.items() if of == kind]

    def read(self, kind: Kind, parse: Callable[[str], T]) -> list[T]:
        """Everything kept of a kind as ``parse`` makes it of its body. What it refuses (ValueError) is logged and let go."""
        found = []
        for name, body in self.kept(kind):
            try:
                found.append(parse(body))
            except ValueError as error:
                self._log.error("a kept thing is unreadable", kind=kind, name=name, why=str(error))
                self.let_go(kind, name)
        return found

    def keep(self, kind: Kind, name: str, body: str) -> None:
        """Keep ``body`` (JSON) under its name, in place of what was kept there."""
        if self._journal is None:
            return
        payload = _encode(kind, name, body)
        self._put(kind, name, payload)
        self._append(payload)

    def let_go(self, kind: Kind, name: str) -> None:
        """It is a row now, or not wanted any more."""
        if self._journal is None or (kind, name) not in self._kept:
            return
        self._bytes -= len(self._kept.pop((kind, name)))
        self._append(_encode(kind, name, "null"))

    async def run(self) -> None:
        """Write for ever what is kept and let go; many at once."""
        if self._journal is None:
            return
        pause = _FIRST_PAUSE_S
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._write(self._journal)
            except JournalError as error:
                metrics.JOURNAL_FAILURES.inc()
                if not self.failing:
                    self._log.error("the journal of calls cannot be written", why=str(error))
                self.failing = self._whole = True
                self._wake.set()
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LAST_PAUSE_S)
                continue
            self.failing = False
            pause = _FIRST_PAUSE_S
            metrics.JOURNAL_BYTES.set(self._journal.size)

    async def close(self) -> None:
        """Write what is left, then let go of the file."""
        if self._journal is None:
            return
        try:
            await self._write(self._journal)
            await self._journal.close()
        except JournalError as error:
            self._log.error("the journal of calls was not written to its end", why=str(error))

    async def _write(self, journal: Journal) -> None:
        if self._whole or (journal.size > self._half and journal.size > 2 * self._bytes):
            self._whole = False
            await journal.replace(self._everything)
        else:
            await journal.sync()

    def _everything(self) -> list[Callable[[], bytes]]:
        return [partial(bytes, payload) for payload in self._kept.values()]

    def _append(self, payload: bytes) -> None:
        if self._journal is None:
            return
        if not self._whole:
            try:
                self._journal.append(payload)
            except JournalError:
                self._whole = True  # it has grown to its bound before a write came round
        self._wake.set()

    def _put(self, kind: str, name: str, payload: bytes) -> None:
        # A thing stays in its place in the order, so that what was first is replayed first.
        self._bytes += len(payload) - len(self._kept.get((kind, name), b""))
        self._kept[kind, name] = payload

    def _replay(self, payload: bytes) -> None:
        try:
            kind, name, body = json.loads(payload)
            if body is None:
                self._bytes -= len(self._kept.pop((kind, name), b""))
            else:
                self._put(kind, name, payload)
        except (ValueError, TypeError) as error:
            self._log.error("a kept thing is unreadable", why=str(error))


def _encode(kind: str, name: str, body: str) -> bytes:
    return f"[{json.dumps(kind)},{json.dumps(name)},{body}]".encode()


def _body(payload: bytes) -> str:
    return json.dumps(json.loads(payload)[2])
