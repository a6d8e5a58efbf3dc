"""Of a storm: whether every home that leaked has its incident, its valve closed, its order and its call. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from simulator.report.facts import Facts, Finding
from simulator.scenarios import Served

MADE = frozenset({"confirmed", "help_needed", "wrong_home", "heard_unconfirmed", "not_reached", "busy", "declined", "no_answer"})
_SHOWN = 5
_NAMES: Mapping[Served, tuple[str, str]] = {
    "incident": ("有事件", "have their incident"),
    "closed": ("已关阀", "have their valve closed"),
    "ordered": ("恰有一张抢修单", "have exactly one order"),
    "called": ("已致电", "were called"),
}


def placed(call: Mapping[str, Any]) -> bool:
    """Whether a call was made: its time is known, or it ended as only a call can that was made. A crash may cost the time alone."""
    return call.get("placed_ms") is not None or call["outcome"] in MADE


def every_home(facts: Facts) -> list[Finding]:
    """One finding a word of ``expected.every_home``."""
    return [_of(facts, word) for word in facts.scenario.expected.every_home]


def _of(facts: Facts, word: Served) -> Finding:
    homes = sorted({leak.home_id for leak in facts.record.leaks})
    missing = [home for home in homes if not _TESTS[word](facts, home)]
    zh, en = _NAMES[word]
    zh, en = f"{len(homes) - len(missing)}/{len(homes)} 户{zh}", f"{len(homes) - len(missing)} of {len(homes)} homes {en}"
    if missing:
        shown, more = ", ".join(missing[:_SHOWN]), len(missing) - _SHOWN
        zh += f"；缺 {shown}{f' 等，另 {more} 户' if more > 0 else ''}"
        en += f"; not {shown}{f' and {more} more' if more > 0 else ''}"
    return Finding(f"every_home_{word}", None, "broken" if missing or not homes else "held", zh, en)


def _incident(facts: Facts, home: str) -> bool:
    return bool(facts.of_home(home))


def _closed(facts: Facts, home: str) -> bool:
    began = [leak.started_ms for leak in facts.record.leaks if leak.home_id == home]
    return any(move.at_ms >= max(began) for move in facts.record.moves_to(home, "closed"))


def _ordered(facts: Facts, home: str) -> bool:
    kind = facts.scenario.expected.order_kind
    orders = [order for incident in facts.of_home(home) for order in incident.detail["orders"] if order["kind"] == kind]
    return len(orders) == 1


def _called(facts: Facts, home: str) -> bool:
    return any(placed(call) for incident in facts.of_home(home) for call in incident.detail["calls"])


_TESTS: Mapping[Served, Callable[[Facts, str], bool]] = {
    "incident": _incident,
    "closed": _closed,
    "ordered": _ordered,
    "called": _called,
}
