"""When a step was really taken: a phone without reception tells it later than it was done.

Decides whether the time that a person's phone gives can be true. Knows no clock, and nothing of what was done.
"""

from typing import Final

from dispatch.judgement.reasons import REASONS, Reason

AHEAD_MS: Final = 60_000
"""A phone that reckons the platform's clock may be ahead of it by so much, ms."""


def true_time(happened_ms: int | None, created_ms: int, now_ms: int) -> int | Reason:
    """When the step counts as taken, Unix ms: now where nothing is told, never later than now.

    A time before the order was made, or further ahead than two clocks differ, is refused: nobody can have done it then. What is ahead
    by less becomes now: a test that seemed to come after a leak that is still to be told would open a valve.
    """
    if happened_ms is None:
        return now_ms
    if not created_ms <= happened_ms <= now_ms + AHEAD_MS:
        return REASONS["not_then"]
    return min(happened_ms, now_ms)
