"""Python's search for reference cycles, in a process whose loop must not stand still.

What was loaded lives on and holds no cycles, yet the collector searches all of it again and again: 0.15 s for a city's devices, in which
no leak is heard. What is frozen is still freed when nobody refers to it any more; only the search passes it over.
"""

import asyncio
import gc
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from typing import Final

MANY: Final = 10_000
"""From here on what was loaded is set apart from the search."""

_EVERY_S: Final = 10.0


@contextmanager
def paused(*kept: Sized) -> Iterator[None]:
    """No search while ``kept`` is filled, and none among it ever where it became large: searching a city took as long as reading it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if sum(map(len, kept)) >= MANY:
            gc.freeze()
        if was_enabled:
            gc.enable()


def let_be() -> None:
    """Pass over from now on what is there now. Takes no time; call it while much is being loaded in pieces."""
    gc.freeze()


async def keep_short() -> None:
    """For a whole process, until cancelled: what is older than some seconds is passed over, once it was searched while it was young."""
    while True:
        gc.collect(1)
        let_be()
        await asyncio.sleep(_EVERY_S)
