"""What the desk's pages ask for again and again, remembered for a moment by each running console. Knows no table."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from console.desk.points import Key, Point
from console.desk.scoped_memory import ScopedMemory
from console.running import Running
from console.store import Row

if TYPE_CHECKING:
    from console.api.map import Estate
    from console.api.promise import PromiseKept


Packed = tuple[bytes, bytes]
"""An answer as it is sent: plain, and compressed."""


@dataclass(frozen=True, slots=True)
class MapMemory:
    """What the registry says: estates as points, and the names of the districts by code."""

    estates: dict[Key, Point]
    districts: dict[str, str]


@dataclass(slots=True)
class DeskMemory:
    """Of one console."""

    places: ScopedMemory[list[Row]] = field(default_factory=lambda: ScopedMemory(60.0, 600.0))
    registered: ScopedMemory[MapMemory] = field(default_factory=lambda: ScopedMemory(60.0, 600.0))
    conditions: ScopedMemory[dict[Key, dict[str, int]]] = field(default_factory=lambda: ScopedMemory(15.0, 45.0))
    estates: "ScopedMemory[list[Estate]]" = field(default_factory=lambda: ScopedMemory(2.0))
    packed: ScopedMemory[Packed] = field(default_factory=lambda: ScopedMemory(1.0))
    promise: "ScopedMemory[PromiseKept]" = field(default_factory=lambda: ScopedMemory(2.0))
    boundary: dict[str, Any] | None = None
    boundary_read: bool = False


_MEMORIES: WeakKeyDictionary[Running, DeskMemory] = WeakKeyDictionary()


def memory(console: Running) -> DeskMemory:
    """The memory of this console."""
    return _MEMORIES.setdefault(console, DeskMemory())
