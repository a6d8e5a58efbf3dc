"""A disk that fails as disks do and forgets, at a loss of power, what it was not made to keep. For the machine over the real journal.

Files are real, so that the journal's own way of finding and reading them is what runs; what would survive is accounted for here.
"""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from core.journal import Disk

Fault = Literal["full", "error", "sync"]


@dataclass
class _File:
    data: bytearray = field(default_factory=bytearray)
    kept: int = 0
    """Bytes from the start that are on the platter."""
    broken: bool = False
    """A sync of it failed: the kernel forgot what was dirty, and no later sync brings it back."""


class PlayedDisk(Disk):
    """Names outlive a loss of power in the order in which they were changed, up to any point after the last sync of the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.fault: Fault | None = None
        self.fault_in = 0
        self._open: dict[int, _File] = {}
        self._names: dict[Path, _File] = {}
        self._kept_names: dict[Path, _File] = {}
        self._changes: list[Callable[[dict[Path, _File]], None]] = []

    def fail(self, fault: Fault | None, after: int = 0) -> None:
        """From the ``after``-th operation on that this fault can strike. None: the disk is well again."""
        self.fault, self.fault_in = fault, after

    def create(self, path: Path) -> int:
        if self._strikes("full", "error"):
            raise self._told()
        descriptor = super().create(path)
        made = self._open[descriptor] = _File()
        self._name(lambda names: names.__setitem__(path, made))
        return descriptor

    def write(self, descriptor: int, data: bytes) -> None:
        struck = self._strikes("full", "error")
        taken = data[: len(data) // 2] if struck else data
        super().write(descriptor, taken)
        self._open[descriptor].data += taken
        if struck:
            raise self._told()

    def sync(self, descriptor: int) -> None:
        file = self._open[descriptor]
        if self._strikes("sync", "error"):
            file.broken = True
            raise self._told()
        if not file.broken:
            file.kept = len(file.data)

    def close(self, descriptor: int) -> None:
        self._open.pop(descriptor, None)
        super().close(descriptor)

    def rename(self, path: Path, to: Path) -> None:
        if self._strikes("error"):
            raise self._told()
        super().rename(path, to)
        self._name(lambda names: names.__setitem__(to, names.pop(path)) if path in names else None)

    def remove(self, path: Path) -> None:
        if self._strikes("error"):
            raise self._told()
        super().remove(path)
        self._name(lambda names: _drop(names, path))

    def sync_folder(self, folder: Path) -> None:
        if self._strikes("sync", "error"):
            raise self._told()
        self._kept_names, self._changes = dict(self._names), []

    def lose_power(self, changes_kept: int, bytes_kept: int, garbage: bytes) -> None:
        """What was not synced is gone, but for some of it: so many changes of names, so many bytes of each file and then ``garbage``."""
        names = dict(self._kept_names)
        for change in self._changes[: changes_kept % (len(self._changes) + 1)]:
            change(names)
        for path in self._folder.glob("decisions-*"):
            if path in self._names or path.suffix in (".log", ".part"):
                path.unlink()
        for path, file in names.items():
            unsure = len(file.data) - file.kept
            end = file.kept + (bytes_kept % (unsure + 1))
            torn = garbage[: len(file.data) - end]
            path.write_bytes(bytes(file.data[:end]) + torn)
        self.begin_anew()

    def begin_anew(self) -> None:
        """Another process: what is there now is what it finds, and the disk works."""
        self.fail(None)
        for descriptor in list(self._open):
            os.close(descriptor)
        self._open.clear()
        self._changes = []
        self._names = {path: self._found(path) for path in self._folder.glob("decisions-*.log")}
        self._kept_names = dict(self._names)

    def _found(self, path: Path) -> _File:
        data = bytearray(path.read_bytes())
        return _File(data, len(data))

    def _name(self, change: Callable[[dict[Path, _File]], None]) -> None:
        change(self._names)
        self._changes.append(change)

    def _strikes(self, *kinds: Fault) -> bool:
        if self.fault not in kinds:
            return False
        self.fault_in -= 1
        return self.fault_in < 0

    def _told(self) -> OSError:
        return OSError(errno.ENOSPC if self.fault == "full" else errno.EIO, "as told")


def _drop(names: dict[Path, _File], path: Path) -> None:
    names.pop(path, None)
