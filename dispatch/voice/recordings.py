"""Keeps what was said on each call as a sound file under the call's id, in a folder that stays within bounds.

Decides which files stay: the newest, up to a number and a size. Writes in a thread of its own, whole files by renaming, so that no call
waits for a disk and nobody ever reads half a recording; a disk that fails costs recordings and nothing else. Refuses to know who
listens.
"""

import contextlib
import os
import queue
import re
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final

import structlog

from dispatch.voice import figures
from dispatch.voice.tape import Tape

SUFFIX: Final = ".wav"
_NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_FRESH: Final = ".new"
_WAITING: Final = 200
_STOP_S: Final = 5.0
_log = structlog.get_logger()


class Recordings:
    """The folder. :meth:`start`, then :meth:`keep` from the event loop, then :meth:`stop`."""

    def __init__(self, folder: Path, most: int, most_bytes: int) -> None:
        """At most so many files, and so many bytes in all."""
        self._folder = folder
        self._most = most
        self._most_bytes = most_bytes
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._bytes = 0
        self._waiting: queue.Queue[tuple[str, Tape] | None] = queue.Queue(_WAITING)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Make the folder, for this user alone, look at what is there, and begin to write. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._look()
        self._thread = threading.Thread(target=self._write, name="recordings", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what still waits, then end."""
        if self._thread is not None:
            with contextlib.suppress(queue.Full):
                self._waiting.put(None, timeout=_STOP_S)
            self._thread.join(_STOP_S)
            self._thread = None

    def keep(self, call_id: str, tape: Tape) -> None:
        """Keep what was said on this call, if anything was. Returns at once; where the disk cannot follow it is left out and counted."""
        if tape.empty or self._thread is None:
            return
        if _NAME.fullmatch(call_id) is None:
            figures.RECORDINGS_LOST.labels("bad_name").inc()
            return
        try:
            self._waiting.put_nowait((call_id, tape))
        except queue.Full:
            figures.RECORDINGS_LOST.labels("too_many").inc()

    # --- in the thread --------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Know the files of earlier lives, the oldest first; what was never finished goes."""
        found: list[tuple[int, str, int]] = []
        for entry in os.scandir(self._folder):
            if not entry.is_file(follow_symlinks=False):
                continue
            about = entry.stat(follow_symlinks=False)
            if entry.name.endswith(SUFFIX) and about.st_size > 0 and _NAME.fullmatch(entry.name.removesuffix(SUFFIX)):
                found.append((about.st_mtime_ns, entry.name.removesuffix(SUFFIX), about.st_size))
            elif entry.name.endswith((SUFFIX, _FRESH)):
                Path(entry.path).unlink(missing_ok=True)
        for _, call_id, size in sorted(found):
            self._note(call_id, size)
        self._prune()

    def _write(self) -> None:
        while (wanted := self._waiting.get()) is not None:
            call_id, tape = wanted
            try:
                self._keep(call_id, tape)
            except OSError as error:
                figures.RECORDINGS_LOST.labels("disk").inc()
                _log.error("recording not kept", call_id=call_id, error=str(error))
                with contextlib.suppress(OSError):
                    self._fresh(call_id).unlink(missing_ok=True)

    def _keep(self, call_id: str, tape: Tape) -> None:
        sound, fresh = tape.wav(), self._fresh(call_id)
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(sound)
        fresh.replace(self._file(call_id))
        self._note(call_id, len(sound))
        self._prune()

    def _note(self, call_id: str, size: int) -> None:
        self._bytes += size - self._sizes.pop(call_id, 0)
        self._sizes[call_id] = size
        figures.RECORDINGS_BYTES.set(self._bytes)

    def _prune(self) -> None:
        """The oldest go until the folder is within its bounds; the newest stays even where it alone is over them."""
        while len(self._sizes) > 1 and (len(self._sizes) > self._most or self._bytes > self._most_bytes):
            call_id, size = next(iter(self._sizes.items()))
            self._file(call_id).unlink(missing_ok=True)
            del self._sizes[call_id]
            self._bytes -= size
        figures.RECORDINGS_BYTES.set(self._bytes)

    def _file(self, call_id: str) -> Path:
        return self._folder / f"{call_id}{SUFFIX}"

    def _fresh(self, call_id: str) -> Path:
        return self._folder / f"{call_id}{_FRESH}"
