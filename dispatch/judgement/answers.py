"""The four answers about a valve as dispatch keeps them: commanded, reported closed, holds, room clearing, and what they make us suspect.

Plain data and the one question that priority and words ask of it: is gas still a danger here although a close was sent. Refuses to
know who said it and when.
"""

from typing import Final, Self

from pydantic import BaseModel, ConfigDict

from core.station import ClearingKnowledge, OrderMessage, ProofKnowledge, ValveKnowledge, ValveMessage

NOT_SHUT: Final[frozenset[ValveKnowledge]] = frozenset({"gas_still_flows", "no_answer", "refused", "travel_time_over"})
"""What is known of a valve that was told to close and did not."""


class Answers(BaseModel):
    """What is known at one moment. ``answer_due_ms`` and ``proof_due_ms`` are Unix ms."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    valve: ValveKnowledge
    answer_due_ms: int | None = None
    proof: ProofKnowledge = "none"
    proof_due_ms: int | None = None
    clearing: ClearingKnowledge = "unknown"
    before_meter: bool = False

    @classmethod
    def of(cls, said: OrderMessage | ValveMessage) -> Self:
        """The answers that a message of the line carries."""
        return cls(
            valve=said.valve,
            answer_due_ms=said.answer_due_ms,
            proof=said.proof,
            proof_due_ms=said.proof_due_ms,
            clearing=said.clearing,
            before_meter=said.before_meter,
        )

    @property
    def flows(self) -> bool:
        """Gas flows although the meter reported its valve closed."""
        return self.valve == "gas_still_flows" or self.proof == "flows"

    @property
    def danger(self) -> bool:
        """The valve is not shut, gas flows through it, or the room fills all the same."""
        return self.valve in NOT_SHUT or self.flows or self.clearing == "not_clearing" or self.before_meter
