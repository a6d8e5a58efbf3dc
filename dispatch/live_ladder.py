"""One incident's calling as it is held in memory and kept in a row: the facts, the words of this moment, and the ladder's state."""

from pydantic import BaseModel, ConfigDict

from core.station import OrderMessage, ValveKnowledge
from dispatch import wording
from dispatch.call_records import CallRecord, LadderRow
from dispatch.judgement import ladder
from dispatch.judgement.ladder_state import LadderPoints, LadderState, RaiseTask, Ring
from dispatch.tasks import Task


class LiveLadder(BaseModel):
    """The order message with home and people, what is known of the valve since when (Unix ms), and the ladder."""

    model_config = ConfigDict(extra="ignore")

    facts: OrderMessage
    valve: ValveKnowledge
    valve_ms: int
    ladder: LadderState

    def language(self, platform: wording.Language) -> wording.Language:
        """The language of this home's calls."""
        return "zh" if self.facts.home is None else wording.call_language(self.facts.home, platform)

    def words(self, platform: wording.Language) -> str:
        """What is said now. Raises ValueError where no home is known: nobody is rung then."""
        if self.facts.home is None:
            raise ValueError("a call needs a home")
        return wording.text(self.facts.home, self.valve, self.language(platform))

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
