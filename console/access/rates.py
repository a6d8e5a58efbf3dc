"""How often one may ask: a bucket for each session, token or address, in memory. Decides who has to slow down; knows no route."""

from collections import OrderedDict
from http import HTTPStatus
from typing import Final

from console.problems import Problem

_BURST_S: Final = 10.0
_BUCKETS_MAX: Final = 4096


class Rates:
    """Buckets that hold ``burst_s`` seconds' worth of requests."""

    def __init__(self, per_s: float, burst_s: float = _BURST_S) -> None:
        self._per_s = per_s
        self._burst_s = burst_s
        self._buckets: OrderedDict[str | bytes, tuple[float, float]] = OrderedDict()

    def take(self, key: str | bytes, now_s: float, share: float = 1.0) -> None:
        """Count one request; ``share`` of the usual rate. Raises a 429 problem."""
        per_s = self._per_s * share
        full = per_s * self._burst_s
        left, at_s = self._buckets.pop(key, (full, now_s))
        left = min(full, left + (now_s - at_s) * per_s)
        if left >= 1:
            left -= 1
            self._buckets[key] = (left, now_s)
            if len(self._buckets) > _BUCKETS_MAX:
                # The one that asked longest ago: full again, or nearly.
                self._buckets.popitem(last=False)
            return
        self._buckets[key] = (left, now_s)
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS, "too_many_requests", "请求过于频繁，请稍候", "too many requests: slow down", retry_after_s=1
        )

    def give_back(self, key: str | bytes) -> None:
        """What was counted before it was judged, and was right."""
        if (bucket := self._buckets.get(key)) is not None:
            self._buckets[key] = (bucket[0] + 1, bucket[1])
