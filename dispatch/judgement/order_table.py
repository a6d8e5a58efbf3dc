"""The life of a work order as data: every change of state is a row here, and what is not a row is refused with a reason.

Knows kinds, states and events; refuses to know who asks, when, or what was measured. A leak's order has no row by which it could be
cancelled: it ends in ``archived`` only, and only after a cause was recorded.
"""

from typing import Final, Literal

from core.station import OrderKind
from dispatch.judgement.reasons import REASONS, Reason

OrderState = Literal[
    "created",
    "waiting",
    "assigned",
    "accepted",
    "on_site",
    "no_access",
    "made_safe",
    "cause_recorded",
    "tightness_passed",
    "restored",
    "archived",
]
OrderEvent = Literal[
    "wait",
    "assign",
    "reassign",
    "accept",
    "arrive",
    "find_nobody",
    "make_safe",
    "record_cause",
    "pass_test",
    "fail_test",
    "restore",
    "archive",
    "leak_again",
]
Table = dict[tuple[OrderState, OrderEvent], OrderState]

_SENT_AND_BACK: Final[Table] = {
    ("created", "wait"): "waiting",
    ("created", "assign"): "assigned",
    ("waiting", "assign"): "assigned",
    ("assigned", "accept"): "accepted",
    ("accepted", "arrive"): "on_site",
    ("on_site", "find_nobody"): "no_access",
    ("no_access", "arrive"): "on_site",
    ("assigned", "reassign"): "waiting",
    ("accepted", "reassign"): "waiting",
    ("on_site", "reassign"): "waiting",
    ("no_access", "reassign"): "waiting",
    ("waiting", "leak_again"): "waiting",
    ("assigned", "leak_again"): "assigned",
    ("accepted", "leak_again"): "accepted",
    ("on_site", "leak_again"): "on_site",
    ("no_access", "leak_again"): "no_access",
    ("cause_recorded", "leak_again"): "on_site",
    ("cause_recorded", "archive"): "archived",
    # The incident was still open when gas leaked again: its crew has gone, so that it needs one anew.
    ("archived", "leak_again"): "waiting",
}

EMERGENCY: Final[Table] = {
    **_SENT_AND_BACK,
    ("on_site", "make_safe"): "made_safe",
    ("made_safe", "record_cause"): "cause_recorded",
    ("cause_recorded", "pass_test"): "tightness_passed",
    ("cause_recorded", "fail_test"): "cause_recorded",
    ("tightness_passed", "pass_test"): "tightness_passed",
    ("tightness_passed", "fail_test"): "cause_recorded",
    ("tightness_passed", "restore"): "restored",
    ("tightness_passed", "archive"): "archived",
    ("restored", "archive"): "archived",
    ("made_safe", "leak_again"): "on_site",
    ("tightness_passed", "leak_again"): "on_site",
    ("restored", "leak_again"): "on_site",
}

VISIT: Final[Table] = {**_SENT_AND_BACK, ("on_site", "record_cause"): "cause_recorded"}
"""Inspection and triage: nothing was shut off, so nothing is made safe, tested or restored."""

CANARY: Final[Table] = {("created", "wait"): "waiting", ("waiting", "archive"): "archived", ("waiting", "leak_again"): "waiting"}
"""The platform's own round: no crew is ever sent, its order is at its end when its call is."""

TABLES: Final[dict[OrderKind, Table]] = {"emergency": EMERGENCY, "inspection": VISIT, "triage": VISIT, "canary": CANARY}

BEFORE_MADE_SAFE: Final[frozenset[OrderState]] = frozenset({"created", "waiting", "assigned", "accepted", "on_site", "no_access"})

_RANK: Final[dict[OrderState, int]] = {
    "created": 0,
    "waiting": 0,
    "assigned": 1,
    "accepted": 2,
    "no_access": 2,
    "on_site": 3,
    "made_safe": 4,
    "cause_recorded": 5,
    "tightness_passed": 6,
    "restored": 7,
    "archived": 8,
}
_MISSING: Final[dict[int, str]] = {
    0: "not_assigned",
    1: "not_accepted",
    2: "not_on_site",
    3: "not_made_safe",
    4: "no_cause",
    5: "no_passed_test",
}
_ALREADY: Final[dict[OrderEvent, str]] = {
    "wait": "already_assigned",
    "assign": "already_assigned",
    "accept": "already_accepted",
    "arrive": "already_on_site",
    "make_safe": "already_made_safe",
    "record_cause": "cause_known",
    "restore": "already_restored",
    "reassign": "made_safe_stays",
    "find_nobody": "already_made_safe",
    "pass_test": "already_restored",
    "fail_test": "already_restored",
}


def after(kind: OrderKind, state: OrderState, event: OrderEvent) -> OrderState | Reason:
    """The state after ``event``, or why that event is refused in ``state``."""
    table = TABLES[kind]
    following = table.get((state, event))
    return following if following is not None else _refusal(table, state, event)


def _refusal(table: Table, state: OrderState, event: OrderEvent) -> Reason:
    if state == "archived":
        return REASONS["archived"]
    ranks = [_RANK[from_state] for from_state, what in table if what == event]
    if not ranks:
        return REASONS["not_for_this_order"]
    if _RANK[state] > max(ranks) or (_RANK[state] >= min(ranks) and event in _ALREADY):
        return REASONS[_ALREADY.get(event, "archived")]
    if table is VISIT and state == "on_site":
        return REASONS["no_cause"]
    return REASONS[_MISSING.get(_RANK[state], "not_for_this_order")]
