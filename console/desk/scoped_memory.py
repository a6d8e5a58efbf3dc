"""What many ask for at once, kept for a moment, apart for everybody who sees something else.

Decides how old an answer may be. What changes slowly and is long in the counting may be given a little too old while it is counted anew,
so that nobody waits for it; what is older than that is waited for.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, TypeVar

from structlog import get_logger

from console.access.scope import Scope
from console.store import DatabaseAway

_SCOPES_MAX = 64
_log = get_logger()

Found = TypeVar("Found")


@dataclass(slots=True)
class _Kept(Generic[Found]):
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    last: tuple[float, Found] | None = None
    anew: asyncio.Task[None] | None = None


class ScopedMemory(Generic[Found]):
    """Keeps what was found for ``seconds``, and for ``meanwhile`` more while it is looked up again; one memory a scope, at most 64."""

    def __init__(self, seconds: float, meanwhile: float = 0.0, now: Callable[[], float] = monotonic) -> None:
        self._seconds = seconds
        self._meanwhile = meanwhile
        self._now = now
        self._kept: OrderedDict[Scope, _Kept[Found]] = OrderedDict()

    async def get(self, scope: Scope, look: Callable[[], Awaitable[Found]]) -> Found:
        """The last one of this scope, or a new one by ``look``, whose error is raised and not kept. Those who come meanwhile share it."""
        kept = self._kept.setdefault(scope, _Kept())
        self._kept.move_to_end(scope)
        while len(self._kept) > _SCOPES_MAX:
            self._kept.popitem(last=False)
        if kept.last is not None and self._seconds < self._now() - kept.last[0] <= self._seconds + self._meanwhile:
            if kept.anew is None or kept.anew.done():
                kept.anew = asyncio.create_task(self._look_anew(kept, look), name="looking anew")
            return kept.last[1]
        return await self._fresh(kept, look)

    async def _fresh(self, kept: _Kept[Found], look: Callable[[], Awaitable[Found]]) -> Found:
        async with kept.lock:
            if kept.last is None or self._now() - kept.last[0] > self._seconds:
                asked = self._now()
                kept.last = (asked, await look())
            return kept.last[1]

    async def _look_anew(self, kept: _Kept[Found], look: Callable[[], Awaitable[Found]]) -> None:
        try:
            await self._fresh(kept, look)
        except DatabaseAway as error:
            # What is kept is given until it is too old; then whoever asks hears that the database is away.
            _log.warning("not looked up anew", reason=str(error))
