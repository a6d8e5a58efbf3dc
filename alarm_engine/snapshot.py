"""The line's own files: the registry, and every few seconds a picture of what is open, so that it starts without the database.

Decides when they are written (in pieces, the disk's part in a thread, in one step) and that a damaged one is put aside, kept, counted
and not believed. Refuses to know how the line uses them.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

import structlog
from pydantic_core import to_json

from alarm_engine import metrics, picture
from alarm_engine.local_file import LocalFileError, Writing, read_lines
from alarm_engine.picture import Picture
from alarm_engine.registry_view import RegistryView
from alarm_engine.state import LineState
from core import collector
from core.registry.model import Contact, Device, Home

log = structlog.get_logger()

REGISTRY_FILE: Final = "registry.lines"
SNAPSHOT_FILE: Final = "snapshot.lines"
_PIECE: Final = 50
_ASIDE_KEPT: Final = 4
_RESERVED: Final = 2
_T = TypeVar("_T")
_home_values = attrgetter(*Home.__slots__)
_contact_values = attrgetter(*Contact.__slots__)
_device_values = attrgetter(*Device.__slots__)
_CONTACTS: Final = Home.__slots__.index("contacts")
_FLAGS: Final = Home.__slots__.index("flags")
_MADE_ON: Final = Device.__slots__.index("made_on")


class Snapshots:
    """Writes and reads the two files in ``folder``. ``position`` names the journal and its newest record number, ``words`` gives what
    dispatch has not confirmed. One loop, one writer.
    """

    def __init__(
        self, folder: Path, state: LineState, position: Callable[[], tuple[UUID | None, int]], words: Callable[[], dict[UUID, bytes]]
    ) -> None:
        self._folder, self._state, self._position, self._words = folder, state, position, words
        self._registry_version = -1
        self._written_at: float | None = None
        self.number = 0
        """The journal's record up to which the last picture written in this life is complete."""
        self.trouble = ""
        self.put_aside: list[str] = []

    @property
    def age_s(self) -> float:
        """Real seconds since the picture was last written; infinite when it never was."""
        return float("inf") if self._written_at is None else time.monotonic() - self._written_at

    @property
    def has_registry(self) -> bool:
        """Whether there is a file of the registry, good or bad."""
        return (self._folder / REGISTRY_FILE).exists()

    def read_registry(self) -> RegistryView | None:
        """The registry as an earlier life knew it. Blocking, seconds for a city; never raises."""
        found = self._read(REGISTRY_FILE, _read_registry)
        if found is not None:
            self._registry_version = found.version
        return found

    def read_picture(self) -> Picture | None:
        """What was open when an earlier life last wrote it. Blocking; never raises."""
        return self._read(SNAPSHOT_FILE, Picture.read)

    async def run(self, every_s: float) -> None:
        """Write what is due, for ever. An error of the disk is told, counted and tried again."""
        while True:
            await self.write()
            await asyncio.sleep(every_s)

    async def write(self) -> None:
        """Write the picture, and before it the registry where that has changed."""
        try:
            if self._registry_version < 0:
                self._registry_version = await asyncio.to_thread(self._kept_version)
            if self._state.registry.version != self._registry_version:
                await self._write_registry()
            await self._write_picture()
        except OSError as error:
            if not self.trouble:
                log.error("the snapshot cannot be written", error=str(error))
            self.trouble = str(error)
            metrics.snapshot_failures.labels("write").inc()
        else:
            self.trouble = ""

    def _kept_version(self) -> int:
        """The version of a whole registry file that an earlier life left: a city is not written again at every start. 0 when none."""

        def head(lines: list[bytes]) -> int:
            _, _, version, homes, devices = json.loads(lines[0])
            registry = self._state.registry
            # Another database may have come to the same number; the canary's few are there sooner or later.
            alike = abs(len(registry.homes) - homes) <= _RESERVED and abs(len(registry.devices) - devices) <= _RESERVED
            return int(version) if alike else 0

        return self._read(REGISTRY_FILE, head) or 0

    async def _write_picture(self) -> None:
        started = time.perf_counter()
        # The number first: what changes while the pieces are made is in the journal behind it.
        identity, number = self._position()
        head = picture.head(self._state.clock.now_ms(), "" if identity is None else str(identity), number)

        async def made() -> AsyncIterator[list[bytes]]:
            yield [head]
            async for piece in picture.pieces(self._state, self._words()):
                yield piece

        await _write(self._folder / SNAPSHOT_FILE, made())
        self.number = number
        self._written_at = time.monotonic()
        metrics.snapshot_seconds.labels("picture").observe(time.perf_counter() - started)

    async def _write_registry(self) -> None:
        started = time.perf_counter()
        registry = self._state.registry
        # Both dictionaries are replaced, never changed, when an import is taken over: this is one version.
        version, homes, devices = registry.version, list(registry.homes.values()), list(registry.devices.values())
        if registry.version == 0:
            return

        async def made() -> AsyncIterator[list[bytes]]:
            yield [to_json(["registry", 1, version, len(homes), len(devices)])]
            for found in _pieces(homes):
                yield [to_json([_plain_home(home) for home in found])]
                await asyncio.sleep(0)  # a leak may have come in
            for some in _pieces(devices):
                yield [to_json([_plain_device(device) for device in some])]
                await asyncio.sleep(0)  # a leak may have come in

        size = await _write(self._folder / REGISTRY_FILE, made())
        self._registry_version = version
        seconds = time.perf_counter() - started
        metrics.snapshot_seconds.labels("registry").observe(seconds)
        log.info("registry kept on disk", version=version, homes=len(homes), bytes=size, seconds=round(seconds, 3))

    def _read(self, name: str, make: Callable[[list[bytes]], _T]) -> _T | None:
        path = self._folder / name
        try:
            lines = read_lines(path)
            return None if lines is None else make(lines)
        except (LocalFileError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            metrics.snapshot_failures.labels("read").inc()
            log.error("a file of the line's own state is damaged: it is put aside and not believed", file=name, error=str(error))
            self.put_aside.append(name)
            _put_aside(path)
            return None


async def _write(path: Path, pieces: AsyncIterator[list[bytes]]) -> int:
    """Write lines in pieces, the disk's part in threads; returns the size. Raises OSError, and then the old file stays."""
    writing = await asyncio.to_thread(Writing, path)
    try:
        async for piece in pieces:
            await asyncio.to_thread(writing.add, piece)
        return await asyncio.to_thread(writing.finish)
    except BaseException:
        await asyncio.shield(asyncio.to_thread(_give_up, writing))
        raise


def _give_up(writing: Writing) -> None:
    try:
        writing.give_up()
    except OSError:
        # The disk that refused the file may refuse this too; the next one begins anew.
        return


def _put_aside(path: Path) -> None:
    try:
        path.replace(path.with_name(f"{path.name}.damaged-{time.time_ns() // 1_000_000}"))
        for old in sorted(path.parent.glob(f"{path.name}.damaged-*"))[:-_ASIDE_KEPT]:
            old.unlink()
    except OSError as error:
        log.error("it cannot even be renamed", file=path.name, error=str(error))


def _read_registry(lines: list[bytes]) -> RegistryView:
    what, form, version, homes, devices = json.loads(lines[0])
    if (what, form) != ("registry", 1):
        raise ValueError("another version of the registry's file")
    view = RegistryView()
    with collector.paused(view.homes):
        _fill(view, lines[1:], version, homes)
    if (len(view.homes), len(view.devices)) != (homes, devices):
        raise ValueError("homes or devices are missing")
    return view


def _fill(view: RegistryView, lines: list[bytes], version: int, homes: int) -> None:
    for line in lines:
        rows: list[Any] = json.loads(line)
        if len(view.homes) < homes:
            view.apply([_home(row) for row in rows], (), version)
        else:
            view.apply((), [_device(row) for row in rows], version)


def _plain_home(home: Home) -> list[Any]:
    row = list(_home_values(home))
    row[_CONTACTS] = [_contact_values(contact) for contact in home.contacts]
    return row


def _home(row: list[Any]) -> Home:
    row[_CONTACTS] = tuple(Contact(*contact) for contact in row[_CONTACTS])
    row[_FLAGS] = tuple(row[_FLAGS])
    return Home(*row)


def _plain_device(device: Device) -> list[Any]:
    row = list(_device_values(device))
    row[_MADE_ON] = None if device.made_on is None else device.made_on.isoformat()
    return row


def _device(row: list[Any]) -> Device:
    row[_MADE_ON] = None if row[_MADE_ON] is None else date.fromisoformat(row[_MADE_ON])
    return Device(*row)


def _pieces(rows: list[_T]) -> Iterator[list[_T]]:
    return (rows[start : start + _PIECE] for start in range(0, len(rows), _PIECE))
