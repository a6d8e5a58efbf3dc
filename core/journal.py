"""A log on disk that survives the process, the power and its own torn end: numbered, checksummed records in segments.

Decides when a record is durable (written and fsynced, many at once), what of a damaged log can still be read, and when it is full.
Refuses to know what is in a record, and never waits on the disk in the event loop. An error of the disk is the caller's to hear
(:class:`JournalError`) and never ends anything: the journal is used again by the next :meth:`Journal.sync`.
"""

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from core.errors import GasSentinelError
from core.journal_segment import RECORD_HEAD, Record, Replay, encode, header, number_in, read_segment

__all__ = ["SEGMENT_BYTES", "Disk", "Journal", "JournalError", "Record", "Replay"]

SEGMENT_BYTES: Final = 4 * 1024 * 1024
_COPIES_KEPT: Final = 8


class JournalError(GasSentinelError):
    """The journal could not take or keep a record: the disk is full, gone or broken, or the journal's own bound is reached."""


class Disk:
    """What a journal asks of the file system. Errors are OSError. Called in the journal's thread, :meth:`read` at the start too."""

    def create(self, path: Path) -> int:
        """A new, empty file; returns its descriptor."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)

    def write(self, descriptor: int, data: bytes) -> None:
        """Append all of ``data``."""
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]

    def sync(self, descriptor: int) -> None:
        """On the platter when this returns."""
        os.fdatasync(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def rename(self, path: Path, to: Path) -> None:
        path.replace(to)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def sync_folder(self, folder: Path) -> None:
        """Names in the folder are on the platter."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def read(self, path: Path) -> bytes:
        return path.read_bytes()


@dataclass(slots=True)
class _Segment:
    path: Path
    last: int  # highest number in it
    size: int


class Journal:
    """One log ``<name>-<number>.log`` in ``folder``, of at most ``max_bytes`` on disk. One event loop, one process, one journal.

    Call :meth:`open` first. :meth:`append` takes a record into memory, :meth:`sync` makes all taken so far durable (callers who come
    while one sync runs share the next). After a JournalError of ``sync`` the records that were not durable are forgotten: the caller
    still has them and appends them again, in order.
    """

    def __init__(self, folder: Path, name: str, max_bytes: int, *, segment_bytes: int = SEGMENT_BYTES, disk: Disk | None = None) -> None:
        self._folder, self._name, self._max_bytes, self._segment_bytes = folder, name, max_bytes, segment_bytes
        self._disk = disk or Disk()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"journal-{name}")
        self._lock: asyncio.Lock | None = None
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._segments: list[_Segment] = []
        self._current: int | None = None  # descriptor of the last segment while it takes records
        self.identity: UUID = uuid4()
        self.last_number = 0
        self.durable_number = 0
        self._closed = False
        self._lost: list[range] = []  # numbers of failed writes, until a replace

    # -- start and end -------------------------------------------------------------------------------------------------------

    def open(self) -> Replay:
        """Make the folder if need be (mode 0700) and read what is there, in order. Blocking; raises JournalError when it cannot.

        A damaged record is skipped with its reason, never the ones behind it. New records go to a new segment: nothing is ever
        written behind a torn end.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for part in self._folder.glob(f"{self._name}-*.part"):
                self._disk.remove(part)
            paths = sorted(self._folder.glob(f"{self._name}-*.log"))
            replay = Replay()
            superseded = 0
            self._segments = []
            identity: UUID | None = None
            for path in paths:
                read = read_segment(self._disk.read(path), path.name, replay)
                superseded = max(superseded, read.supersedes)
                identity = read.identity or identity
                # Numbers of a journal never fall; what does comes from a place that must not be believed.
                floor = replay.records[-1].number if replay.records else 0
                replay.records.extend(record for record in read.records if record.number > floor)
                last = max(number_in(path), read.first, read.records[-1].number if read.records else 0)
                self._segments.append(_Segment(path, last, read.size))
                self.last_number = max(self.last_number, last, read.supersedes)
            if identity is not None:
                self.identity = identity
            replay.records = [record for record in replay.records if record.number > superseded]
            self.durable_number = self.last_number
            self._drop_segments(superseded)
        except OSError as error:
            raise JournalError(f"the journal in {self._folder} cannot be read: {error}") from error
        return replay

    def skip_to(self, number: int) -> None:
        """Give the next record a higher number than this. For an owner who told somebody of a number that may not have reached the disk."""
        self.last_number = self.durable_number = max(self.last_number, number)

    def put_aside(self, suffix: str) -> list[Path]:
        """Rename every file of this journal (``suffix`` is added), so that it is kept and not read again. Blocking."""
        kept = []
        with contextlib.suppress(OSError):
            for path in sorted(self._folder.glob(f"{self._name}-*.log")):
                self._disk.rename(path, kept_path := path.with_name(f"{path.name}.{suffix}"))
                kept.append(kept_path)
        self._segments.clear()
        self.identity, self.last_number, self.durable_number = uuid4(), 0, 0
        return kept

    def keep_copies(self, suffix: str) -> list[Path]:
        """Give every file of this journal a second name, so that its content outlives what is forgotten. The newest few are kept."""
        kept: list[Path] = []
        with contextlib.suppress(OSError):
            for old in sorted(self._folder.glob(f"{self._name}-*.log.*"))[:-_COPIES_KEPT]:
                old.unlink()
            for path in sorted(self._folder.glob(f"{self._name}-*.log"))[-_COPIES_KEPT:]:
                copy = path.with_name(f"{path.name}.{suffix}")
                os.link(path, copy)
                kept.append(copy)
        return kept

    async def close(self) -> None:
        """Let the thread finish and let go of the file. What was not synced is not durable. The journal is not used after it."""
        if self._closed:
            return
        self._closed = True
        async with self._locked():
            await self._in_thread(self._end_segment)
        self._thread.shutdown(wait=False)

    # -- records -------------------------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Bytes on disk and waiting to be."""
        return sum(segment.size for segment in self._segments) + self._buffered

    def append(self, payload: bytes) -> int:
        """Take a record; returns its number. Durable after the next :meth:`sync`. Raises JournalError when the bound is reached."""
        if self.size + RECORD_HEAD.size + len(payload) > self._max_bytes:
            raise JournalError(f"the journal {self._name} has reached its bound of {self._max_bytes} bytes")
        self.last_number += 1
        self._keep(encode(self.last_number, payload))
        return self.last_number

    async def sync(self, number: int | None = None) -> int:
        """Write and fsync what was appended up to ``number`` (all before this call); returns the highest durable number.

        Raises JournalError when a write of it failed: those records are forgotten.
        """
        wanted = self.last_number if number is None else number
        async with self._locked():
            if self._buffer and self.durable_number < wanted:
                first, through = self.durable_number + 1, self.last_number
                taken, self._buffer, self._buffered = b"".join(self._buffer), [], 0
                try:
                    await self._in_thread(lambda: self._write(taken, through))
                except JournalError:
                    self._lose(first, through)
                    raise
                finally:
                    self.durable_number = through
            if any(wanted in lost for lost in self._lost):
                raise JournalError("the write of this record failed")
            return self.durable_number

    async def forget(self, through: int) -> None:
        """The owner needs no record up to this number any more: segments that hold nothing newer are removed. Raises JournalError.

        The segment that takes records stays until it is full: a record that comes alone shall not cost a file.
        """
        if self._segments and self._segments[0].last <= through and not self._only_current():
            async with self._locked():
                await self._in_thread(lambda: self._drop_segments(through, keep_current=True))

    async def replace(self, build: Callable[[], Sequence[Callable[[], bytes]]]) -> list[int]:
        """Put new records in the place of everything appended before, in one step; returns their numbers.

        ``build`` is called in the event loop once no other write is under way; what it returns must hold all that is still needed.
        Each record is made by a call in the journal's thread, so that a long log does not hold up the loop.
        After a crash in between either the old records are there or the new ones. On JournalError (the bound too) the old ones are
        still on disk, and records that were not synced are forgotten.
        """
        async with self._locked():
            made = list(build())
            supersedes, first = self.last_number, self.last_number + 1
            self._buffer, self._buffered = [], 0
            # The number after the last belongs to the new segment even when it is empty, so that its name is its own.
            last = self.last_number = max(first, first + len(made) - 1)
            try:
                await self._in_thread(lambda: self._rewrite(made, first, last, supersedes))
            except JournalError:
                self._lose(self.durable_number + 1, last)
                raise
            finally:
                self.durable_number = last
            self._lost.clear()
            return list(range(first, first + len(made)))

    # -- in the journal's thread ---------------------------------------------------------------------------------------------

    def _write(self, data: bytes, through: int) -> None:
        try:
            if self._current is None or not self._segments or self._segments[-1].size >= self._segment_bytes:
                self._end_segment()
                self._begin_segment(through)
            segment = self._segments[-1]
            assert self._current is not None  # noqa: S101  made above
            segment.last = through
            segment.size += len(data)
            self._disk.write(self._current, data)
            self._disk.sync(self._current)
            if not segment.path.exists():
                # Removed under us: what is written to it is gone with the process.
                raise FileNotFoundError(segment.path)
        except OSError:
            # What a failed write left behind must have nothing behind it.
            self._end_segment()
            raise

    def _begin_segment(self, number: int) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(number)
        self._current = self._disk.create(path)
        head = header(self.identity, number, 0)
        self._segments.append(_Segment(path, number, len(head)))
        self._disk.write(self._current, head)
        self._disk.sync_folder(self._folder)

    def _end_segment(self) -> None:
        descriptor, self._current = self._current, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                self._disk.close(descriptor)

    def _rewrite(self, made: Sequence[Callable[[], bytes]], first: int, last: int, supersedes: int) -> None:
        self._end_segment()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(first)
        part = path.with_suffix(".part")
        descriptor = self._disk.create(part)
        try:
            head = header(self.identity, first, supersedes)
            self._disk.write(descriptor, head)
            total = len(head)
            for number, make in enumerate(made, start=first):
                record = encode(number, make())
                total += len(record)
                if total > self._max_bytes:
                    raise OSError(errno.EFBIG, f"its bound of {self._max_bytes} bytes")
                self._disk.write(descriptor, record)
            self._disk.sync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                self._disk.remove(part)
            raise
        finally:
            with contextlib.suppress(OSError):
                self._disk.close(descriptor)
        self._disk.rename(part, path)
        self._disk.sync_folder(self._folder)
        self._segments.append(_Segment(path, last, total))
        self._drop_segments(supersedes)

    def _drop_segments(self, through: int, keep_current: bool = False) -> None:
        kept = []
        for segment in self._segments:
            current = segment is self._segments[-1] and self._current is not None
            if segment.last > through or (keep_current and current and segment.size < self._segment_bytes):
                kept.append(segment)
                continue
            if current:
                self._end_segment()
            try:
                self._disk.remove(segment.path)
            except OSError:
                # It is read again at the next start, where it does no harm.
                kept.append(segment)
        self._segments = kept

    # -- small parts ---------------------------------------------------------------------------------------------------------

    def _keep(self, encoded: bytes) -> None:
        self._buffer.append(encoded)
        self._buffered += len(encoded)

    def _only_current(self) -> bool:
        return len(self._segments) == 1 and self._current is not None and self._segments[0].size < self._segment_bytes

    def _lose(self, first: int, last: int) -> None:
        if self._lost and self._lost[-1].stop >= first:
            first = self._lost.pop().start
        self._lost.append(range(first, last + 1))

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._name}-{number:020d}.log"

    def _locked(self) -> asyncio.Lock:
        if self._lock is None:
            self._lock = asyncio.Lock()
        return self._lock

    async def _in_thread(self, work: Callable[[], None]) -> None:
        """Errors of the disk become JournalError. A cancelled caller does not leave a write half told."""
        running = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            with contextlib.suppress(OSError):
                await running
            raise
        except OSError as error:
            raise JournalError(f"the journal in {self._folder} cannot be written: {error}") from error
