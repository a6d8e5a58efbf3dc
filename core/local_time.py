"""What the clocks of the city show. China keeps UTC+8 the year round, so that no time zone files are needed."""

from datetime import datetime, timedelta, timezone
from typing import Final

AHEAD_MS: Final = 8 * 3_600_000
"""How far local time is ahead of UTC, ms."""

_BEIJING: Final = timezone(timedelta(milliseconds=AHEAD_MS), "Asia/Shanghai")


def local(at_ms: float) -> datetime:
    """The local date and time at a Unix time in ms."""
    return datetime.fromtimestamp(at_ms / 1000, _BEIJING)
