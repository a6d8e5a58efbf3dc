"""One incident's calling as it is held in memory and kept in a row: the facts, the words of this moment, and the ladder's state."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from core.station import ContactFacts, OrderMessage
from dispatch import wording
from dispatch.call_records import CallRecord, LadderRow
from dispatch.judgement import ladder
from dispatch.judgement.answers import Answers
from dispatch.judgement.ladder_state import LadderPoints, LadderState, RaiseTask, Ring
from dispatch.judgement.priority import priority
from dispatch.tasks import Task


class LiveLadder(BaseModel):
    """The order message with home and people, the answers of the valve since when (Unix ms), and the ladder.

    ``revision`` counts its changes: of two copies of one ladder the one with more is the newer. ``aliases`` are further incidents of the
    same place that it serves, ``leak_ms`` is when the line last said that gas leaks again, ``archived`` that its order is at its end.
    """

    model_config = ConfigDict(extra="ignore")

    facts: OrderMessage
    answers: Answers
    said_ms: int
    ladder: LadderState
    revision: int = 0
    aliases: tuple[UUID, ...] = ()
    leak_ms: int = 0
    archived: bool = False

    @property
    def incident_id(self) -> UUID:
        """The incident that the ladder began for."""
        return self.facts.incident_id

    @property
    def place(self) -> tuple[str, str, bool]:
        """What one ladder is for: a place, a kind of order, and the world that both are of."""
        return place_of(self.facts)

    def priority(self) -> int:
        """How urgent its order is by what is known here."""
        flags = self.facts.home.flags if self.facts.home else ()
        return priority(self.facts.order_kind, flags, self.answers, help_needed=self.ladder.outcome == "help_needed")

    def contact(self, person: int) -> ContactFacts:
        """The contact at this place of the calling order."""
        return self.ladder.people[person].contact

    def language(self, platform: wording.Language) -> wording.Language:
        """The language of this home's calls."""
        return "zh" if self.facts.home is None else wording.call_language(self.facts.home, platform)

    def words(self, platform: wording.Language, now_ms: int) -> str:
        """What is said at ``now_ms`` (Unix ms). Raises ValueError where no home is known: nobody is rung then."""
        if self.facts.home is None:
            raise ValueError("a call needs a home")
        return wording.text(self.facts.home, self.answers, self.language(platform), now_ms)

    def record(self, ring: Ring, platform: wording.Language, now_ms: int) -> CallRecord:
        """The record of a call that is about to be made."""
        facts = self.facts
        return CallRecord(
            call_id=ring.call_id,
            incident_id=facts.incident_id,
            home_id=facts.home.home_id if facts.home else None,
            attempt=ring.attempt,
            position=ring.contact.position,
            name=ring.contact.name,
            role=ring.contact.role,
            address=ring.contact.phone,
            simulated=facts.simulated,
            language=self.language(platform),
            requested_ms=now_ms,
        )

    def row(self, points: LadderPoints) -> LadderRow:
        """The ladder as it is kept."""
        over = self.ladder.over and not self.ladder.calls
        return LadderRow(self.facts.incident_id, self.model_dump_json(), ladder.due_ms(self.ladder, points), over)


def place_of(message: OrderMessage) -> tuple[str, str, bool]:
    """Place, kind of order and world of an order message."""
    return message.place, message.order_kind, message.simulated


def task_for_desk(facts: OrderMessage, task: RaiseTask) -> Task:
    """What a ladder wants a person to do, as a task."""
    who = task.contact
    detail = {} if who is None else {"position": who.position, "name": who.name, "role": who.role, "phone": who.phone}
    return Task(
        incident_id=facts.incident_id,
        home_id=facts.home.home_id if facts.home else None,
        kind=task.kind,
        simulated=facts.simulated,
        subject=task.subject,
        detail=detail,
    )
