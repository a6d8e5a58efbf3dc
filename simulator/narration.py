"""How the outside world tells its story: one line a happening, in Chinese and English.

Decides the shape of a line and how a compressed stretch of time is said. Refuses to know who reads it.
"""

from collections.abc import Callable
from typing import TypedDict


class StoryLine(TypedDict):
    """One happening. ``at_ms`` is Unix ms of the platform's clock; ``incident_id`` is None until the platform named one."""

    at_ms: int
    home_id: str
    incident_id: str | None
    zh: str
    en: str


Narrate = Callable[[StoryLine], None]
"""Takes each line as it happens; must not block."""


def silent(_: StoryLine) -> None:
    """Tells nobody."""


def lasting(seconds: float) -> tuple[str, str]:
    """A real duration in words, Chinese and English: seconds below two minutes, else whole minutes."""
    if seconds < 120:
        return f"{seconds:.0f} 秒", f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} 分钟", f"{seconds / 60:.0f} min"


def compressed(real_s: float, shown_s: float) -> tuple[str, str]:
    """``real_s`` of the world shown in ``shown_s`` here, said so that nobody takes the one for the other."""
    zh, en = lasting(real_s)
    if shown_s >= real_s:
        return zh, en
    return f"{zh}，演示压缩为 {shown_s:.0f} 秒", f"{en}, shown in {shown_s:.0f} s"
