"""What the end of a call means for the person who was rung. Knows the telephone's words; refuses to know whom to ring next."""

from dataclasses import dataclass
from typing import Final, Literal

CallOutcome = Literal[
    "confirmed",
    "help_needed",
    "wrong_home",
    "heard_unconfirmed",
    "not_reached",
    "busy",
    "declined",
    "no_answer",
    "failed",
    "no_trunk",
    "worker_lost",
]


@dataclass(frozen=True, slots=True)
class End:
    """How a call ended, in the telephone's words: who ended it (``us``, ``far``, ``never_connected``) and its reason.

    ``spoken_s`` is how many seconds of speech went out.
    """

    answered: bool
    ended_by: str
    reason: str
    spoken_s: float = 0.0


WITHDRAWN: Final = "withdrawn"
"""The reason of a call that was not needed any more before a telephone line came free for it."""

_BY_KEY: Final[dict[str, CallOutcome]] = {"1": "confirmed", "2": "help_needed", "9": "wrong_home"}
_UNANSWERED: Final[dict[str, CallOutcome]] = {
    "busy": "busy",
    "declined": "declined",
    "no_answer": "no_answer",
    "no_ringing": "no_answer",
    "hangup_asked": "not_reached",
    WITHDRAWN: "not_reached",
    "no_trunk": "no_trunk",
    "no_sim_proxy": "no_trunk",
}
OUR_LOSS: Final = frozenset({"worker_lost", "worker_stopping", "all_lines_busy"})
"""Ends that say nothing of the person: our own telephone was not there."""


def is_our_loss(end: End) -> bool:
    """Whether the call ended by a want of ours."""
    return end.reason in OUR_LOSS


def outcome_of(end: End, key: str | None, heard_s: float) -> CallOutcome:
    """What became of a call. ``key`` is the last meaningful key pressed; ``heard_s`` the speech after which a hang-up counts as heard.

    An answer without a key that we had to end ourselves is *not reached*: nobody says that it was not a voicemail.
    """
    if key in _BY_KEY:
        return _BY_KEY[key]
    if is_our_loss(end):
        return "worker_lost"
    if not end.answered:
        return _UNANSWERED.get(end.reason, "failed")
    if end.ended_by == "far" and end.spoken_s >= heard_s:
        return "heard_unconfirmed"
    return "not_reached"
