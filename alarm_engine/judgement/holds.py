"""The table of holds: what sets one, and which authority alone lifts it. A valve with a hold on it is opened by nobody.

Knows words, not homes. An empty set of holds opens nothing either: a person at the meter presses its key.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args

Hold = Literal["safety", "arrears", "self_protection", "away", "works"]
Authority = Literal["test", "order", "payment", "inspection", "resident", "request"]
"""``test``: the tightness test of the hold's own order, at the technician's confirmed open or when that order is archived.
``order``: a later order of the same home, to which it is passed on. ``resident``: he opened at the meter."""
HOLDS: Final[tuple[Hold, ...]] = get_args(Hold)


@dataclass(frozen=True, slots=True)
class Row:
    """One hold: the events that set it, who lifts it, and its names."""

    hold: Hold
    set_by: tuple[str, ...]
    lifted_by: frozenset[Authority]
    zh: str
    en: str


HOLD_TABLE: Final[dict[Hold, Row]] = {
    row.hold: row
    for row in (
        Row("safety", ("leak", "hotline_report"), frozenset({"test", "order"}), "安全", "safety"),
        Row("arrears", ("cause arrears", "credit used up"), frozenset({"payment"}), "欠费", "arrears"),
        Row("self_protection", ("the meter's own cause",), frozenset({"inspection", "resident"}), "燃气表自保护", "self-protection"),
        Row("away", ("request",), frozenset({"request"}), "外出", "away"),
        Row("works", ("request",), frozenset({"request"}), "施工", "works"),
    )
}
_INSPECTION: Final[frozenset[Authority]] = frozenset({"inspection"})
_EITHER: Final[frozenset[Authority]] = frozenset({"inspection", "resident"})
SELF_PROTECTION: Final[dict[str, frozenset[Authority]]] = {
    "excess_flow": _EITHER,
    "long_use": _EITHER,
    "low_pressure": _EITHER,
    "low_battery": _EITHER,
    # Somebody was at the meter, or the house shook: who lives there cannot judge that.
    "tamper": _INSPECTION,
    "seismic": _INSPECTION,
}
ON_REQUEST: Final[frozenset[str]] = frozenset({"away", "works"})


def hold_of_cause(cause: str | None) -> tuple[Hold, str] | None:
    """The hold, with its cause, that a meter which closed by itself puts on its valve."""
    if cause == "arrears":
        return ("arrears", "")
    return ("self_protection", cause) if cause in SELF_PROTECTION else None


def may_lift(hold: Hold, cause: str, authority: Authority) -> bool:
    """Whether this authority lifts this hold; self-protection by its cause."""
    if hold == "self_protection":
        return authority in SELF_PROTECTION.get(cause, _INSPECTION)
    return authority in HOLD_TABLE[hold].lifted_by


def resident_opened(in_force: Iterable[tuple[Hold, str]]) -> list[tuple[Hold, str]]:
    """What is lifted when the meter reports that somebody has opened it: its self-protection, where nothing else holds the valve."""
    found = list(in_force)
    if any(hold != "self_protection" for hold, _ in found):
        return []
    return [(hold, cause) for hold, cause in found if may_lift(hold, cause, "resident")]


def against_opening(in_force: Iterable[tuple[Hold, str, bool]], test_passed: bool) -> list[tuple[Hold, str]]:
    """What forbids an open: every (hold, cause, whether of the order's own incident) but the own safety hold with its test passed."""
    return [(hold, cause) for hold, cause, own in in_force if not (hold == "safety" and own and test_passed)]


def named(holds: Iterable[tuple[Hold, str]], language: Literal["zh", "en"]) -> str:
    """The holds in words, for a refusal."""
    words = []
    for hold, cause in holds:
        row = HOLD_TABLE[hold]
        word = row.zh if language == "zh" else row.en
        words.append(f"{word} ({cause})" if cause else word)
    return ("、" if language == "zh" else ", ").join(words)
