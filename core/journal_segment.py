"""The form of a journal's segment on disk: a head, then records, each with its number and checksum. Bytes in, records out.

Decides what of damaged bytes is still a record. Refuses to know files, threads and what is in a record.
"""

import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

_FILE_MAGIC: Final = b"GSJOUR1\n"
FILE_HEAD: Final = struct.Struct(">8s16sQQI")  # magic, identity, first number, supersedes, CRC-32 of the fields before
_RECORD_MAGIC: Final = b"\xa7JR\n"
RECORD_HEAD: Final = struct.Struct(">4sIQI")  # magic, length, number, CRC-32 of length, number and payload
_NUMBERED: Final = struct.Struct(">IQ")


@dataclass(frozen=True, slots=True)
class Record:
    """One record; numbers grow, with gaps."""

    number: int
    payload: bytes


@dataclass(slots=True)
class Replay:
    """What a journal held when it was opened. ``torn``: ends that were cut off; ``garbled``: places in the middle that were skipped."""

    records: list[Record] = field(default_factory=list)
    torn: int = 0
    garbled: int = 0
    reasons: list[str] = field(default_factory=list)

    @property
    def damaged(self) -> bool:
        """Something could not be read. A torn end alone is what a crash leaves: nothing in it was ever promised."""
        return self.garbled > 0


@dataclass(slots=True)
class ReadSegment:
    """What was read of one segment."""

    records: list[Record]
    identity: UUID | None
    first: int
    supersedes: int
    size: int


def header(identity: UUID, first: int, supersedes: int) -> bytes:
    """The head of a segment. ``supersedes``: records up to this number, in other segments, count no more."""
    fields = FILE_HEAD.pack(_FILE_MAGIC, identity.bytes, first, supersedes, 0)[:-4]
    return fields + struct.pack(">I", zlib.crc32(fields))


def number_in(path: Path) -> int:
    """The number in a segment's name, 0 where there is none."""
    number = path.stem.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def encode(number: int, payload: bytes) -> bytes:
    """A record as it stands in a segment."""
    check = zlib.crc32(payload, zlib.crc32(_NUMBERED.pack(len(payload), number)))
    return RECORD_HEAD.pack(_RECORD_MAGIC, len(payload), number, check) + payload


def _record_at(data: bytes, at: int) -> tuple[Record | None, str]:
    """The record at a place, or why there is none."""
    if at + RECORD_HEAD.size > len(data):
        return None, "cut off in its head"
    magic, length, number, check = RECORD_HEAD.unpack_from(data, at)
    if magic != _RECORD_MAGIC:
        return None, "no record begins here"
    end = at + RECORD_HEAD.size + length
    if end > len(data):
        return None, "cut off in its content"
    payload = data[at + RECORD_HEAD.size : end]
    if zlib.crc32(payload, zlib.crc32(_NUMBERED.pack(length, number))) != check:
        return None, "checksum"
    return Record(number, payload), ""


def read_segment(data: bytes, name: str, replay: Replay) -> ReadSegment:
    """Every record of a segment that can be read. Damage is noted in ``replay``."""
    found = ReadSegment([], None, 0, 0, len(data))
    at = 0
    if len(data) >= FILE_HEAD.size and FILE_HEAD.unpack_from(data)[4] == zlib.crc32(data[: FILE_HEAD.size - 4]):
        _, identity, found.first, found.supersedes, _ = FILE_HEAD.unpack_from(data)
        found.identity = UUID(bytes=identity)
        at = FILE_HEAD.size
    elif _RECORD_MAGIC not in data:
        replay.torn += 1
        replay.reasons.append(f"{name}: cut off in its first bytes")
        return found
    while at < len(data):
        record, why = _record_at(data, at)
        if record is not None:
            found.records.append(record)
            at += RECORD_HEAD.size + len(record.payload)
            continue
        resumed = _next_record(data, at + 1)
        if resumed is None:
            replay.torn += 1
            replay.reasons.append(f"{name} at byte {at}: {why}, nothing behind it")
            break
        replay.garbled += 1
        replay.reasons.append(f"{name} at byte {at}: {why}, {resumed - at} bytes skipped")
        at = resumed
    return found


def _next_record(data: bytes, at: int) -> int | None:
    """Where the next readable record begins."""
    while (at := data.find(_RECORD_MAGIC, at)) >= 0:
        if _record_at(data, at)[0] is not None:
            return at
        at += 1
    return None
