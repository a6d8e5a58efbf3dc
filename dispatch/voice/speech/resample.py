"""Sound at one rate becomes sound at another. Pure: a windowed-sinc polyphase filter.

Telephone sound is 8 kHz; the synthesiser gives 22,050 Hz. What lies over the new half rate must be filtered away first, or it
folds back as a hiss right where consonants are told apart.

A hundred calls that begin at once wait for this filter, so its inner product runs in C: ``math.sumprod`` from Python 3.12 on,
before that ``audioop.findfactor``, which is the same product divided by the square of the taps.
"""

import sys
import warnings
from array import array
from collections.abc import Callable
from functools import lru_cache
from math import cos, gcd, pi, sin
from typing import Final

if sys.version_info >= (3, 12):
    from math import sumprod
else:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import audioop

_REACH: Final = 11
"""Zero crossings of the filter on each side, counted at the lower of the two rates."""

_EDGE: Final = 0.92
"""The pass band's end as a share of the lower half rate."""


@lru_cache(maxsize=4)
def _phases(source_hz: int, target_hz: int) -> tuple[int, tuple[tuple[float, ...], ...]]:
    """Half the filter's length in source samples, and one set of taps for each phase."""
    count = target_hz // gcd(source_hz, target_hz)
    scale = min(1.0, target_hz / source_hz) * _EDGE
    half = int(_REACH / scale) + 1
    sets = []
    for phase in range(count):
        taps = [_tap(k - phase / count, scale, half) for k in range(-half + 1, half + 1)]
        total = sum(taps)
        sets.append(tuple(tap / total for tap in taps))
    return half, tuple(sets)


def _tap(at: float, scale: float, half: int) -> float:
    if abs(at) >= half:
        return 0.0
    x = pi * at * scale
    sinc = 1.0 if x == 0 else sin(x) / x
    return sinc * (0.54 + 0.46 * cos(pi * at / half))


if sys.version_info >= (3, 12):

    def _filter(heard: "array[int]", source_hz: int, target_hz: int) -> Callable[[int, int], float]:
        """The inner product of the sound from a sample on with one phase's taps."""
        half, sets = _phases(source_hz, target_hz)
        padded = [0.0] * (half - 1) + [float(sample) for sample in heard] + [0.0] * (half + 1)
        return lambda start, phase: sumprod(sets[phase], padded[start : start + 2 * half])

else:
    _ONE: Final = 30_000
    """A tap of 1.0 in the 16 bits that audioop takes; the largest tap is well below it."""

    @lru_cache(maxsize=4)
    def _packed(source_hz: int, target_hz: int) -> tuple[tuple[bytes, float], ...]:
        """Each phase's taps in 16 bits, and what ``findfactor`` has to be multiplied by to give their product."""
        whole = [array("h", (round(tap * _ONE) for tap in taps)) for taps in _phases(source_hz, target_hz)[1]]
        return tuple((taps.tobytes(), sum(tap * tap for tap in taps) / _ONE) for taps in whole)

    def _filter(heard: "array[int]", source_hz: int, target_hz: int) -> Callable[[int, int], float]:
        """The inner product of the sound from a sample on with one phase's taps."""
        half = _phases(source_hz, target_hz)[0]
        packed = _packed(source_hz, target_hz)
        padded = bytes(2 * (half - 1)) + heard.tobytes() + bytes(2 * (half + 1))

        def product(start: int, phase: int) -> float:
            taps, square = packed[phase]
            return audioop.findfactor(padded[2 * start : 2 * (start + 2 * half)], taps) * square

        return product


def resample(pcm: bytes, source_hz: int, target_hz: int) -> bytes:
    """16-bit mono PCM in native byte order at ``source_hz`` becomes the same sound at ``target_hz``. Both in samples a second."""
    if source_hz == target_hz or not pcm:
        return pcm
    heard = array("h")
    heard.frombytes(pcm[: len(pcm) // 2 * 2])
    product = _filter(heard, source_hz, target_hz)
    step = gcd(source_hz, target_hz)
    up, down = target_hz // step, source_hz // step
    out = array("h")
    append = out.append
    for index in range(len(heard) * up // down):
        start, phase = divmod(index * down, up)
        value = round(product(start, phase))
        append(max(-32768, min(32767, value)))
    return out.tobytes()
