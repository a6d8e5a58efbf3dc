"""What the line says of itself: its ``/metrics`` before and after, and what happened between. Decides how a histogram is read."""

import math
import urllib.request
from dataclasses import dataclass
from typing import Final, Self

from prometheus_client.parser import text_string_to_metric_families

_LOCAL: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_TIMEOUT_S: Final = 5.0

Samples = dict[tuple[str, str], float]
"""Value by name and, for a bucket, its upper bound (else ""); other labels are added up."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Observations by upper bound in seconds (cumulative), their number and their sum in seconds."""

    buckets: dict[float, float]
    count: float
    total: float

    @property
    def mean(self) -> float:
        """Seconds; not a number without any observation."""
        return self.total / self.count if self.count else math.nan

    def at_most(self, share: float) -> float:
        """The bound in seconds under which ``share`` of the observations lie; not a number without any."""
        found = (bound for bound, seen in sorted(self.buckets.items()) if seen >= share * self.count)
        return next(found, math.inf) if self.count else math.nan


@dataclass(frozen=True, slots=True)
class LineFigures:
    """One look at the line's metrics, or the difference between two."""

    samples: Samples

    @classmethod
    def read(cls, url: str) -> Self:
        """Ask ``url`` now. Raises OSError when it does not answer."""
        with _LOCAL.open(url, timeout=_TIMEOUT_S) as answer:
            text = answer.read().decode()
        samples: Samples = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                key = (sample.name, sample.labels.get("le", ""))
                samples[key] = samples.get(key, 0.0) + sample.value
        return cls(samples)

    def since(self, before: "LineFigures") -> "LineFigures":
        """What happened after ``before``. Only for what counts up."""
        return LineFigures({key: value - before.samples.get(key, 0.0) for key, value in self.samples.items()})

    def value(self, name: str) -> float:
        """A counter or gauge; 0 where the line never counted it."""
        return self.samples.get((name, ""), 0.0)

    def histogram(self, name: str) -> Histogram:
        """A histogram by the name that it has in the code."""
        buckets = {float(bound): value for (found, bound), value in self.samples.items() if found == f"{name}_bucket"}
        return Histogram(buckets, self.value(f"{name}_count"), self.value(f"{name}_sum"))
