"""What a phone hears: how long there was sound in it, and a recording if one is wanted."""

import wave
from array import array
from pathlib import Path
from typing import Final

SAMPLE_HZ: Final = 8000
_FRAME: Final = 160
_LOUD: Final = 600
"""A 20 ms frame whose peak is over this (of 32,767) has sound in it."""


class Ear:
    """Takes 8 kHz 16-bit mono PCM as it comes."""

    def __init__(self, recording: Path | None) -> None:
        self._loud = 0
        self._samples = 0
        self._wave: wave.Wave_write | None = None
        self._recording = recording

    def _open(self, recording: Path) -> wave.Wave_write:
        file = wave.open(str(recording), "wb")  # noqa: SIM115  closed with the call
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_HZ)
        return file

    def hear(self, pcm: bytes) -> None:
        sound = array("h")
        sound.frombytes(pcm[: len(pcm) // 2 * 2])
        self._samples += len(sound)
        for at in range(0, len(sound), _FRAME):
            frame = sound[at : at + _FRAME]
            if max(frame) > _LOUD or min(frame) < -_LOUD:
                self._loud += len(frame)
        if self._recording is not None:
            if self._wave is None:
                self._wave = self._open(self._recording)
            self._wave.writeframes(pcm)

    @property
    def heard_s(self) -> float:
        """Seconds with sound in them."""
        return round(self._loud / SAMPLE_HZ, 2)

    @property
    def audio_s(self) -> float:
        """Seconds received, silence included."""
        return round(self._samples / SAMPLE_HZ, 2)

    @property
    def recording(self) -> str:
        """Where the recording is; empty when there is none."""
        return str(self._recording) if self._wave is not None else ""

    def close(self) -> None:
        """Finish the recording."""
        if self._wave is not None:
            self._wave.close()
            self._wave = None
