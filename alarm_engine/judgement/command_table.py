"""The valve command table: every state of a command, what may happen in it, and what follows. All transitions live here.

``close_valve`` is repeated until the meter is seen to obey; ``open_valve`` is said once, to a person at the meter, and expires.
"""

from dataclasses import dataclass
from typing import Final, Literal

CommandState = Literal[
    "requested",
    "sent",
    "accepted",
    "reported_closed",
    "gas_still_flows",
    "no_answer",
    "refused",
    "travel_time_over",
    "superseded",
    "opened",
    "expired",
    "done",
]
Event = Literal[
    "sent",
    "accepted",
    "refused",
    "reported_closed",
    "flows",
    "answer_due",
    "travel_due",
    "superseded",
    "opened",
    "expired",
    "done",
]
Follow = Literal["none", "resend", "next_attempt"]


@dataclass(frozen=True, slots=True)
class Step:
    """The state that follows and what the line does about it."""

    state: CommandState
    follow: Follow = "none"


_CLOSE: Final[dict[tuple[CommandState, Event], Step]] = {
    ("requested", "sent"): Step("sent"),
    ("sent", "accepted"): Step("accepted"),
    ("sent", "reported_closed"): Step("reported_closed"),
    ("sent", "refused"): Step("refused", "next_attempt"),
    ("sent", "answer_due"): Step("no_answer", "resend"),
    ("sent", "superseded"): Step("superseded"),
    ("no_answer", "accepted"): Step("accepted"),
    ("no_answer", "reported_closed"): Step("reported_closed"),
    ("no_answer", "refused"): Step("refused", "next_attempt"),
    ("no_answer", "answer_due"): Step("no_answer", "resend"),
    ("no_answer", "superseded"): Step("superseded"),
    ("accepted", "reported_closed"): Step("reported_closed"),
    ("accepted", "refused"): Step("refused", "next_attempt"),
    ("accepted", "travel_due"): Step("travel_time_over", "next_attempt"),
    ("accepted", "superseded"): Step("superseded"),
    ("refused", "reported_closed"): Step("reported_closed"),
    ("travel_time_over", "reported_closed"): Step("reported_closed"),
    # Its index moves on: closed as it says, it is not. Only the next attempt can be believed again.
    ("reported_closed", "flows"): Step("gas_still_flows", "next_attempt"),
}
_OPEN: Final[dict[tuple[CommandState, Event], Step]] = {
    ("requested", "sent"): Step("sent"),
    ("sent", "accepted"): Step("accepted"),
    ("sent", "opened"): Step("opened"),
    ("sent", "refused"): Step("refused"),
    ("sent", "expired"): Step("expired"),
    ("sent", "superseded"): Step("superseded"),
    ("accepted", "opened"): Step("opened"),
    ("accepted", "refused"): Step("refused"),
    ("accepted", "expired"): Step("expired"),
    ("accepted", "superseded"): Step("superseded"),
}
_OTHER: Final[dict[tuple[CommandState, Event], Step]] = {
    ("requested", "sent"): Step("sent"),
    ("sent", "accepted"): Step("accepted"),
    ("sent", "done"): Step("done"),
    ("sent", "refused"): Step("refused"),
    ("sent", "expired"): Step("expired"),
    ("accepted", "done"): Step("done"),
    ("accepted", "refused"): Step("refused"),
    ("accepted", "expired"): Step("expired"),
}
COMMAND_TABLE: Final[dict[str, dict[tuple[CommandState, Event], Step]]] = {
    "close_valve": _CLOSE,
    "open_valve": _OPEN,
    "self_test": _OTHER,
    "report": _OTHER,
}

UNDER_WAY: Final = frozenset({"requested", "sent", "accepted", "no_answer"})
"""States in which an answer of the meter is still awaited."""
FAILED: Final = frozenset({"refused", "travel_time_over", "gas_still_flows"})
"""States of a close that a next attempt follows."""


def next_step(command: str, state: CommandState, event: Event) -> Step | None:
    """What follows, or None where the event means nothing in this state (a late or repeated answer)."""
    return COMMAND_TABLE[command].get((state, event))


def resend_delay_s(sends: int, longest_s: float = 60.0) -> float:
    """Seconds to wait for an answer after the ``sends``-th sending: 1, 2, 4, 8 ... up to ``longest_s``."""
    return float(min(2 ** min(max(sends - 1, 0), 16), longest_s))


def retry_delay_s(attempt: int, longest_s: float = 30.0) -> float:
    """Seconds between a failed attempt and the next one: 1, 2, 4 ... up to ``longest_s``."""
    return resend_delay_s(attempt, longest_s)
