"""A file of lines that is whole or not there: written beside, fsynced, renamed; read back only when its checksum holds.

Decides what a whole file is. Refuses to know what the lines mean.
"""

import os
import zlib
from pathlib import Path
from typing import Final

from core.errors import GasSentinelError

_HEAD: Final = b"GSLINES1\n"


class LocalFileError(GasSentinelError):
    """The file is damaged or cannot be read."""


class Writing:
    """A file on its way. Every call blocks; the old file stays until :meth:`finish` has come back."""

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_name(f"{path.name}.part")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.fdopen(os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb")
        self._file.write(_HEAD)
        self._check = zlib.crc32(_HEAD)

    def add(self, lines: list[bytes]) -> None:
        """Add lines, given without their ends: in one go, since a thread that works in small steps holds up the event loop."""
        data = b"\n".join((*lines, b""))
        self._check = zlib.crc32(data, self._check)
        self._file.write(data)

    def finish(self) -> int:
        """Make it the file, durably; returns its size in bytes."""
        self._file.write(b"#%08x\n" % self._check)
        self._file.flush()
        os.fsync(self._file.fileno())
        size = self._file.tell()
        self._file.close()
        self._part.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return size

    def give_up(self) -> None:
        """Leave the old file as it is."""
        self._file.close()
        self._part.unlink(missing_ok=True)


def read_lines(path: Path) -> list[bytes] | None:
    """The lines of a file, None where there is no file. Raises LocalFileError when it is not whole."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LocalFileError(f"{path.name} cannot be read: {error}") from error
    body, _, end = data.rstrip(b"\n").rpartition(b"\n")
    body += b"\n"
    if not data.startswith(_HEAD) or end != b"#%08x" % zlib.crc32(body):
        raise LocalFileError(f"{path.name} is damaged: its checksum does not hold")
    return body.split(b"\n")[1:-1]
