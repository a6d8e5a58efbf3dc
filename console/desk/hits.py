"""What a search found, ranked. Pure: lower ranks are better, and what was found in two ways is told once, in the better one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from console.vocabulary import Words

DEVICE_KINDS: Final[Mapping[str, Words]] = {
    "meter": Words(zh="燃气表", en="meter"),
    "detector": Words(zh="探测器", en="detector"),
    "hub": Words(zh="集中器", en="hub"),
}


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found."""

    kind: Literal["home", "order", "device", "incident"]
    id: str
    title: Words
    detail: Words
    home_id: str | None
    rank: int


def best(found: Iterable[Hit], limit: int) -> list[Hit]:
    """At most ``limit``, best first, each once; what is equally good stays in the order in which it was found."""
    kept: dict[tuple[str, str], Hit] = {}
    for hit in sorted(found, key=lambda each: each.rank):
        kept.setdefault((hit.kind, hit.id), hit)
    return list(kept.values())[:limit]
