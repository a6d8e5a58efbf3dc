"""The last calls at the simulated telephones, as the telephones had them: rang, picked up, key, over.

Keeps fifty. Decides nothing, and knows nothing of the platform's own record of its calls.
"""

from collections import OrderedDict
from typing import Final, Literal

from pydantic import BaseModel, Field

from simulator.phones.lines import PhoneReport

KEPT: Final = 50

RingState = Literal["ringing", "answered", "pressed", "refused", "over"]


class Ring(BaseModel):
    """One call at one telephone. Stamps are Unix ms of the platform's clock, None while they have not come."""

    ring_id: str = Field(description="the call's own id at the telephone network")
    home_id: str
    position: int = Field(description="place of the contact in the home's list, 1 first")
    number: str
    state: RingState
    ringing_ms: int | None = None
    answered_ms: int | None = None
    key: str | None = None
    key_ms: int | None = None
    ended_ms: int | None = None
    ended_by: Literal["phone", "caller", ""] = ""
    sip_code: int | None = Field(None, description="what a call that was not taken was answered with")
    heard_s: float | None = Field(None, description="seconds of sound that came out of the telephone")


class Rings:
    """Follows the telephones (see :class:`simulator.story_phones.StoryPhones`)."""

    def __init__(self) -> None:
        self._rings: OrderedDict[str, Ring] = OrderedDict()

    def follow(self, report: PhoneReport, home_id: str, position: int) -> None:
        """Something happened at a telephone of a home."""
        ring = self._rings.get(report.call)
        if ring is None:
            ring = Ring(ring_id=report.call, home_id=home_id, position=position, number=report.number, state="ringing")
            self._rings[report.call] = ring
            while len(self._rings) > KEPT:
                self._rings.popitem(last=False)
        match report.event:
            case "ringing":
                ring.ringing_ms = report.at_ms
            case "answered":
                ring.answered_ms, ring.state = report.at_ms, "answered"
            case "pressed":
                ring.key, ring.key_ms, ring.state = report.digit, report.at_ms, "pressed"
            case "heard":
                ring.heard_s = report.heard_s
            case "refused":
                ring.sip_code, ring.ended_ms, ring.state = report.sip_code, report.at_ms, "refused"
            case "hung_up":
                ring.ended_by, ring.ended_ms = report.by, report.at_ms
                if ring.state != "refused":
                    ring.state = "over"

    def latest(self) -> list[Ring]:
        """The newest first."""
        return list(reversed(self._rings.values()))
