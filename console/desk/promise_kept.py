"""The promises of a day: close sent, household rung and order made within a second, somebody on site within half an hour.

Pure. Decides what a promise counts for: one that has still time is pending and in no count; one that cannot be given (no meter with a
valve to close, nobody to ring) is not counted either. A promise that was missed stays missed, also when it was carried out later.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from core.local_time import AHEAD_MS, local

SECOND_MS: Final = 1_000
ON_SITE_MS: Final = 30 * 60_000
DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Kept:
    """``kept`` of ``of``; ``pending`` have still time; ``worst_ms`` is the longest it took, None where nothing was carried out yet."""

    kept: int
    of: int
    pending: int
    worst_ms: int | None


@dataclass(frozen=True, slots=True)
class Promises:
    """All promises of some leaks."""

    leaks: int
    close_sent: Kept
    called: Kept
    ordered: Kept
    on_site: Kept


def day_of(now_ms: int) -> tuple[str, int]:
    """The local day in Changsha (UTC+8 the year round) as YYYY-MM-DD, and when it began, Unix ms."""
    start = (now_ms + AHEAD_MS) // DAY_MS * DAY_MS
    return local(now_ms).date().isoformat(), start - AHEAD_MS


def promises(leaks: Iterable[Mapping[str, Any]], now_ms: int) -> Promises:
    """Of leaks, each with T2, T3, T6a, T8, T11 (Unix ms or None), can_close and can_ring."""
    rows = list(leaks)
    closes, rings = [row for row in rows if row["can_close"]], [row for row in rows if row["can_ring"]]
    return Promises(
        leaks=len(rows),
        close_sent=_kept(closes, "T3", SECOND_MS, now_ms),
        called=_kept(rings, "T6a", SECOND_MS, now_ms),
        ordered=_kept(rows, "T8", SECOND_MS, now_ms),
        on_site=_kept(rows, "T11", ON_SITE_MS, now_ms),
    )


def _kept(rows: list[Mapping[str, Any]], clock: str, within_ms: int, now_ms: int) -> Kept:
    took = [max(0, row[clock] - row["T2"]) for row in rows if row[clock] is not None]
    kept = sum(ms <= within_ms for ms in took)
    pending = sum(row[clock] is None and now_ms - row["T2"] <= within_ms for row in rows)
    return Kept(kept, len(rows) - pending, pending, max(took, default=None))
