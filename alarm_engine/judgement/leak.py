"""What counts as a leak. No debounce, and in doubt: yes.

This module knows one item and one set-point. It refuses to know who sent the item, when it arrived or what was decided before.
"""

from typing import Final, Literal

from core.items import AlarmItem, DetectorReading

Grounds = Literal["event", "state", "set_point"]

_NOT_MEASURING: Final = frozenset({"preheat", "self_test"})
_CLEAR_BELOW: Final = 0.5


def leak_grounds(item: DetectorReading | AlarmItem, set_point_lel: float) -> Grounds | None:
    """Why this item is a leak, or None. ``set_point_lel`` is the home's alarm set-point in %LEL.

    A leak is: the event ``leak``; the state ``alarm`` at any value; or methane at or over the set-point, in any event that carries it
    and in any state but preheat and self-test (an unreadable state is no excuse).
    """
    if isinstance(item, AlarmItem):
        if item.event == "leak":
            return "event"
        return "set_point" if item.ch4_lel is not None and item.ch4_lel >= set_point_lel else None
    if item.state == "alarm":
        return "state"
    if item.ch4_lel is not None and item.ch4_lel >= set_point_lel and item.state not in _NOT_MEASURING:
        return "set_point"
    return None


def blind_over_set_point(item: DetectorReading, set_point_lel: float) -> bool:
    """Methane over the set-point from a detector that is still heating up: it cannot be trusted, a person has to look."""
    return item.state == "preheat" and item.ch4_lel is not None and item.ch4_lel >= set_point_lel


def says_normal(item: DetectorReading | AlarmItem, set_point_lel: float) -> bool:
    """Whether the detector says that the air is clean: what makes an older, late leak a past one."""
    if isinstance(item, AlarmItem):
        return item.event == "leak_cleared" and (item.ch4_lel is None or item.ch4_lel < set_point_lel)
    return item.state == "normal" and item.ch4_lel is not None and item.ch4_lel < set_point_lel


def says_clear(item: DetectorReading | AlarmItem, set_point_lel: float) -> bool:
    """Whether a leak after this is a new one: normal, and where methane is given less than half the set-point.

    What hovers about the set-point is one leak that lasts, also where the detector calls each dip cleared.
    """
    return says_normal(item, set_point_lel) and (item.ch4_lel is None or item.ch4_lel < _CLEAR_BELOW * set_point_lel)
