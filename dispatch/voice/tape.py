"""What went out on one telephone call, laid on its time: sentences where they were heard, silence between them.

Decides what belongs on it: from the answer on, what was handed to the wire and not dropped again. Holds pieces of sound by reference, so
that a hundred calls that say the same cost what one costs. Pure: time is an argument. Holds nothing that the other end said.
"""

import struct
from dataclasses import dataclass, field
from typing import Final

from dispatch.voice.speech.voice import BYTES_PER_SECOND, SAMPLE_HZ

LONGEST_S: Final = 150.0
"""A call lasts 90 s and a sentence after its key; what would be beyond this is left out."""

_SAMPLE_BYTES: Final = BYTES_PER_SECOND // SAMPLE_HZ
_SEAM_S: Final = 0.03
"""Pieces this close follow each other without a gap on the wire."""


@dataclass(slots=True)
class Tape:
    """One call's sound. Seconds are those of one monotonic clock, in real time: sound is not faster on a scaled clock."""

    _began_s: float | None = None
    _until_s: float = 0.0
    _pieces: list[tuple[float, memoryview]] = field(default_factory=list)

    def begin(self, now_s: float) -> None:
        """The call was answered."""
        if self._began_s is None:
            self._began_s = self._until_s = now_s

    def sent(self, sound: memoryview, now_s: float) -> None:
        """This 8 kHz 16-bit mono sound was queued for the wire: it is heard as soon as what was queued before it is."""
        if self._began_s is None or not sound:
            return
        at_s = self._until_s if now_s - self._until_s < _SEAM_S else now_s
        if at_s - self._began_s < LONGEST_S:
            self._pieces.append((at_s, sound))
        self._until_s = at_s + len(sound) / BYTES_PER_SECOND

    def cut(self, now_s: float) -> None:
        """What was still queued was taken back, or the call is over: nobody heard what was to come after now."""
        while self._pieces and self._until_s > now_s:
            at_s, sound = self._pieces.pop()
            heard = max(0, round((now_s - at_s) * SAMPLE_HZ)) * _SAMPLE_BYTES
            if heard:
                self._pieces.append((at_s, sound[:heard]))
                break
            self._until_s = at_s
        self._until_s = min(self._until_s, now_s)

    @property
    def empty(self) -> bool:
        """Whether nothing was said."""
        return not self._pieces

    @property
    def seconds(self) -> float:
        """From the answer to the end of the last sound."""
        if self._began_s is None or not self._pieces:
            return 0.0
        at_s, sound = self._pieces[-1]
        return min(LONGEST_S, at_s - self._began_s + len(sound) / BYTES_PER_SECOND)

    def wav(self) -> bytes:
        """All of it as a WAV file."""
        size = round(self.seconds * SAMPLE_HZ) * _SAMPLE_BYTES
        data = bytearray(size)
        for at_s, sound in self._pieces:
            start = round((at_s - (self._began_s or 0.0)) * SAMPLE_HZ) * _SAMPLE_BYTES
            taken = sound[: max(0, size - start)]
            data[start : start + len(taken)] = taken
        return wav_header(size) + data


def wav_header(size: int) -> bytes:
    """The head of a WAV file with ``size`` bytes of 8 kHz 16-bit mono sound."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, SAMPLE_HZ, BYTES_PER_SECOND, _SAMPLE_BYTES, 8 * _SAMPLE_BYTES)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(form) + 8 + size, b"WAVE") + form + struct.pack("<4sI", b"data", size)
