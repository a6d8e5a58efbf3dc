"""Something that many ask for and that is worth asking once a second."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

Found = TypeVar("Found")


class Briefly(Generic[Found]):
    """Keeps what was found for ``seconds``; those who come meanwhile, also while it is being looked up, get the same."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._looking = asyncio.Lock()
        self._last: tuple[float, Found] | None = None

    async def get(self, look: Callable[[], Awaitable[Found]]) -> Found:
        """The last one if it is fresh, else a new one by ``look``, whose error is raised and not kept."""
        async with self._looking:
            if self._last is None or monotonic() - self._last[0] > self._seconds:
                found = await look()
                self._last = (monotonic(), found)
            return self._last[1]
