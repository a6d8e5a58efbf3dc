"""Why a call ended, as a Q.850 cause and as one of our words. Pure: knows no stack, only the text in which one reports an end.

The cause comes from the network's own Reason header (RFC 3326) where there is one; else it is mapped from the SIP code by
RFC 3398 section 8.2.6.1. Without any answer RFC 3261 section 8.1.3.1 holds: silence counts as 408, a broken transport as 503.
"""

import re
from dataclasses import dataclass
from typing import Final

from dispatch.voice.protocol import CauseSource, Reason

NO_ANSWER: Final = 19
NORMAL_CLEARING: Final = 16

SIP_TO_Q850: Final[dict[int, int]] = {
    400: 41, 401: 21, 402: 21, 403: 21, 404: 1, 405: 63, 406: 79, 407: 21, 408: 102,
    410: 22, 413: 127, 414: 127, 415: 79, 416: 127, 420: 127, 421: 127, 423: 127, 480: 18,
    481: 41, 482: 25, 483: 25, 484: 28, 485: 1, 486: 17, 488: 31, 500: 41, 501: 79,
    502: 38, 503: 41, 504: 102, 505: 127, 513: 127, 600: 17, 603: 21, 604: 1, 606: 31,
}  # fmt: skip
"""RFC 3398. 480 becomes 19 when the phone had rung; 487 means no answer (19); 488 and 606 carry no Warning here, hence 31."""

CAUSE_WORDS: Final[dict[int, Reason]] = {
    1: "wrong_number", 3: "unreachable", 17: "busy", 18: "no_answer", 19: "no_answer", 20: "unreachable",
    21: "declined", 22: "wrong_number", 27: "unreachable", 28: "wrong_number", 31: "unreachable",
    34: "network_failed", 38: "network_failed", 41: "network_failed", 42: "network_failed", 102: "unreachable",
}  # fmt: skip

TRUNK_REFUSALS: Final = frozenset({401, 403, 407})
"""Answers by which a trunk, not a person, says no."""

_STATUS = re.compile(r"^([1-6]\d\d)(?:\s|$)")
_HEADER_CAUSE = re.compile(r"Q\.850\s*;(?:[^,]*?;)?\s*cause\s*=\s*(\d{1,3})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cause:
    """How the network put an end to a call."""

    sip_code: int | None
    q850: int | None
    source: CauseSource


def cancelled(why: Reason) -> Cause:
    """The cause of a call that we gave up unanswered: our ring time is over, nothing ever rang, or we were told to."""
    if why == "no_answer":
        return Cause(487, NO_ANSWER, "mapped")
    if why == "no_ringing":
        return Cause(None, SIP_TO_Q850[408], "mapped")
    return Cause(487, NORMAL_CLEARING, "mapped")


def unconnected(text: str, *, rang: bool) -> Cause:
    """The cause of a call that the network or the far end refused.

    ``text`` is the stack's closing line (``486 Busy Here,Q.850;cause=17`` or a transport error), ``rang`` whether the far end
    had rung.
    """
    status = _STATUS.match(text)
    code = int(status[1]) if status else None
    if (header := _header_cause(text)) is not None:
        return Cause(code, header, "header")
    if code is None:
        silent = "timed out" in text.lower() or "timeout" in text.lower()
        return Cause(None, SIP_TO_Q850[408 if silent else 503], "mapped")
    if code == 480 and rang:
        return Cause(code, NO_ANSWER, "mapped")
    if code == 487:
        return Cause(code, NO_ANSWER, "mapped")
    mapped = SIP_TO_Q850.get(code, SIP_TO_Q850.get(code // 100 * 100))
    return Cause(code, mapped, "none" if mapped is None else "mapped")


def connected(text: str) -> Cause:
    """The cause of the end of an answered call: the BYE's Reason header, else normal clearing."""
    header = _header_cause(text)
    if header is not None:
        return Cause(200, header, "header")
    return Cause(200, NORMAL_CLEARING, "mapped")


def word(cause: Cause) -> Reason:
    """Our word for an end before anybody answered."""
    if cause.source == "mapped" and cause.sip_code in TRUNK_REFUSALS:
        return "trunk_refused"
    if cause.q850 is None:
        return "unreachable"
    return CAUSE_WORDS.get(cause.q850, "unreachable")


def _header_cause(text: str) -> int | None:
    found = _HEADER_CAUSE.search(text)
    return int(found[1]) if found and 1 <= int(found[1]) <= 127 else None
