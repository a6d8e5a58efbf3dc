"""What a scenario may expect of a platform beside the invariants. Decides the words, and the names of what a report finds;
the report judges by them.

Every expectation that is left out is not judged, but those of the first block, which each scenario states.

======================  ======================================================================================================
word                    what must hold
======================  ======================================================================================================
incidents               so many incidents of the cast's homes, and of the strangers that the scenario brought (canary rounds not)
closed_by               what moved the story's valve first: linkage, command; nobody: it never closed and was never told to
household               reached: a key was pressed; human_task: the desk has a task; called: rung, whatever came of it; not_called
order                   archived: with its incident closed (after a leak: gas restored); created: there is one; none
----------------------  ------------------------------------------------------------------------------------------------------
incidents_at_most       instead of exactly ``incidents``: that many up to so many
kind                    the kind of each of these incidents
order_kind              the kind of each of their orders
attempts_at_least       distinct close commands (by command_id) that arrived at the story's meter since its first leak
attempts_at_most        the same, but over all meters of the cast: 0 = no close command anywhere
said                    entries of the story's timeline (their ``kind``) in this order, others may stand between
never_said              entries that the story's timeline may not have
proof_seen              values of the incident's ``proof`` that were seen in this order while the scenario ran
minutes_left            while ``proof`` was not_yet, ``proof_due_ms`` lay ahead of the clock
answer_due              ``answer_due_ms`` was seen: the platform knew that the meter hears at its next uplink
clearing                this value of the incident's ``clearing`` was seen
before_meter            whether ``before_meter_ms`` was set
priority_raised         the order's priority rose above the one that it was created with
conditions_seen         so many of the cast's homes at the least were counted blind, silent, powerless at one time
conditions_end          exactly so many are so in the end
tasks                   exactly so many tasks of the desk by kind, over all homes of the cast, since the start
holds_seen              these holds were in force at the story's home at one time or another
holds_after_steps       exactly these were in force when the last step of the scenario had been done and told, and none was lifted before
open_refused            the reason with which the step ask_open was refused
devices_listed          so many devices are listed inside the incident
canary_rounds           so many rounds of the canary home at the least, seen by their incidents
canary_age_s            the age of the last round never was higher
every_home              each home that leaked: has its incident, its valve closed, its order, a call placed (any of these words)
======================  ======================================================================================================
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from core.station import ClearingKnowledge, IncidentKind, OrderKind, ProofKnowledge

Hold = Literal["safety", "arrears", "self_protection", "away", "works"]
Condition = Literal["blind", "silent", "powerless"]
Served = Literal["incident", "closed", "ordered", "called"]
FindingKey = Literal[
    "leak_closes_valve",
    "no_leak_lost",
    "one_incident_one_order",
    "never_opens_by_itself",
    "silence_is_unknown",
    "nothing_ages",
    "bad_input",
    "every_decision_recorded",
    "simulated_stays_simulated",
    "close_within_a_second",
    "call_within_a_second",
    "order_within_a_second",
    "close_at_the_meter",
    "expected_incidents",
    "expected_closing",
    "expected_household",
    "expected_order",
    "expected_attempts",
    "expected_record",
    "expected_proof",
    "expected_answer_due",
    "expected_clearing",
    "expected_priority",
    "expected_conditions",
    "expected_tasks",
    "expected_holds",
    "expected_refusal",
    "expected_devices",
    "expected_canary",
    "expected_noise",
    "every_home_incident",
    "every_home_closed",
    "every_home_ordered",
    "every_home_called",
]
"""Everything that a report can find held or broken: the invariants, the promises, and what a scenario expects."""


class Expected(BaseModel):
    """What must hold in the end, beside the invariants. The module's table says what each word means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    incidents: int = Field(ge=0)
    closed_by: Literal["linkage", "command", "nobody"]
    household: Literal["reached", "human_task", "called", "not_called"]
    order: Literal["archived", "created", "none"]

    incidents_at_most: int | None = Field(None, ge=0)
    kind: IncidentKind = "leak"
    order_kind: OrderKind = "emergency"
    attempts_at_least: int = Field(0, ge=0)
    attempts_at_most: int | None = Field(None, ge=0)
    said: tuple[str, ...] = ()
    never_said: tuple[str, ...] = ()
    proof_seen: tuple[ProofKnowledge, ...] = ()
    minutes_left: bool = False
    answer_due: bool = False
    clearing: ClearingKnowledge | None = None
    before_meter: bool | None = None
    priority_raised: bool = False
    conditions_seen: dict[Condition, int] = {}
    conditions_end: dict[Condition, int] = {}
    tasks: dict[str, int] = {}
    holds_seen: tuple[Hold, ...] = ()
    holds_after_steps: tuple[Hold, ...] | None = None
    open_refused: str | None = None
    devices_listed: int | None = Field(None, ge=1)
    canary_rounds: int = Field(0, ge=0)
    canary_age_s: float | None = Field(None, gt=0)
    every_home: tuple[Served, ...] = ()
