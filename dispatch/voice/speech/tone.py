"""A two-tone alarm for a call that cannot speak: silence would be taken for a wrong number. Pure."""

from array import array
from functools import lru_cache
from math import pi, sin
from typing import Final

_RATE_HZ: Final = 8000
_LEVEL: Final = 9000


@lru_cache(maxsize=1)
def alarm_tone() -> bytes:
    """Two seconds of 8 kHz 16-bit mono PCM."""
    sound = array("h")
    for index in range(_RATE_HZ * 2):
        pitch = 960 if index // (_RATE_HZ // 4) % 2 else 720
        sound.append(round(_LEVEL * sin(2 * pi * pitch * index / _RATE_HZ)))
    return sound.tobytes()
