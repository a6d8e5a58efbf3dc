"""The espeak-ng synthesiser through ctypes. Only the speech process imports this module: the library is GPL-3."""

import ctypes
from typing import Any, Final, Literal

import espeakng_loader

from core.errors import GasSentinelError

_SYNCHRONOUS: Final = 2
_UTF8: Final = 1
_RATE: Final = 1
_VOICES: Final = {"zh": b"cmn", "en": b"en"}

_ON_SOUND: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class SpeechError(GasSentinelError):
    """The synthesiser refused to start or to speak."""


class Espeak:
    """One synthesiser; speaks one text at a time. ``rate_hz`` is the rate of its sound."""

    def __init__(self) -> None:
        self._library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        self.rate_hz: int = self._library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
        if self.rate_hz <= 0:
            raise SpeechError("espeak-ng did not start")
        self._sound = bytearray()
        self._callback = _ON_SOUND(self._on_sound)  # kept: ctypes does not hold it for us
        self._library.espeak_SetSynthCallback(self._callback)

    def _on_sound(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self._sound += ctypes.string_at(samples, count * 2)
        return 0

    def speak(self, text: str, language: Literal["zh", "en"], words_per_minute: int) -> bytes:
        """``text`` as 16-bit mono PCM at ``rate_hz``. Raises SpeechError when the voice is missing or nothing came out."""
        if self._library.espeak_SetVoiceByName(_VOICES[language]) != 0:
            raise SpeechError(f"no voice for {language}")
        self._library.espeak_SetParameter(_RATE, words_per_minute, 0)
        self._sound.clear()
        words = text.encode()
        if self._library.espeak_Synth(words, len(words) + 1, 0, 0, 0, _UTF8, None, None) != 0:
            raise SpeechError("synthesis failed")
        return bytes(self._sound)
