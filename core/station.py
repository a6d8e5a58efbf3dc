"""What the stations say to one another over the broker, and what people and stations may request.

Line -> dispatch travels on ``gas/station/dispatch`` (QoS 1) and again as an outbox row; both carry the same ``message_id`` and
dispatch acts once on it. An order message holds all that a call needs, so that the phone rings with the database away.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

IncidentKind = Literal["leak", "hotline_report", "past_leak", "unknown_sender", "garbled_alarm", "canary"]
OrderKind = Literal["emergency", "inspection", "triage", "canary"]
ValveKnowledge = Literal[
    "commanded",
    "accepted",
    "reported_closed",
    "gas_still_flows",
    "no_answer",
    "refused",
    "travel_time_over",
    "opened",
    "no_meter",
    "none",
]

"""Commanded and reported: what was asked of the valve and what its meter says, since its last open."""
ProofKnowledge = Literal["none", "not_yet", "due_at_uplink", "holds", "flows", "not_provable"]
"""Does it hold, by the index: ``none`` before it is reported closed, ``not_yet`` with the time when it can be told, ``due_at_uplink``
for a meter in power-saving mode, ``not_provable`` where no gas flowed beforehand."""
ClearingKnowledge = Literal["unknown", "clearing", "not_clearing"]
"""Does the methane in the room fall."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ContactFacts(_Record):
    """A person to ring, in the order of the list."""

    position: int
    name: str
    role: str
    phone: str


class HomeFacts(_Record):
    """A home as it was when its incident opened."""

    home_id: str
    household_no: str
    address_zh: str
    address_en: str
    district_code: str
    estate: str
    building: str
    unit: str
    room: str
    access_note: str = ""
    meter_location: str = ""
    lon: float | None = None
    lat: float | None = None
    coord_datum: Literal["WGS-84", "GCJ-02"] | None = None
    language: Literal["zh", "en"] = "zh"
    flags: tuple[str, ...] = ()
    contacts: tuple[ContactFacts, ...] = ()
    meter_id: str | None = None
    detector_ids: tuple[str, ...] = ()


class _Message(_Record):
    message_id: UUID
    incident_id: UUID
    at_ms: int = Field(description="Unix ms when the line said it")


class _ValveFacts(_Message):
    """The four answers of a valve, and what they make us suspect."""

    valve: ValveKnowledge
    answer_due_ms: int | None = Field(None, description="the meter sleeps; it hears the close at its next uplink, expected then (Unix ms)")
    proof: ProofKnowledge = "none"
    proof_due_ms: int | None = Field(None, description="when the proof can be given (Unix ms), while not_yet or due_at_uplink")
    clearing: ClearingKnowledge = "unknown"
    before_meter: bool = Field(False, description="the valve holds and the room does not clear: a leak before the meter is suspected")


class OrderMessage(_ValveFacts):
    """An incident opened: make its order, send a crew, ring its people, as the flags say."""

    type: Literal["order"] = "order"
    incident_kind: IncidentKind
    order_kind: OrderKind
    simulated: bool
    home: HomeFacts | None = Field(description="None where no home is known")
    place: str
    send_crew: bool
    call: bool
    exclude_phone: str | None = Field(None, description="a number not to ring: the caller of a hotline report")
    ch4_lel: float | None = None
    received_ms: int


class ValveMessage(_ValveFacts):
    """What is known of the valve or of the room changed."""

    type: Literal["valve"] = "valve"
    cause: str | None = None


class LeakAgainMessage(_Message):
    """A new leak in an incident that is open: a passed test is void, the crew is wanted on site again."""

    type: Literal["leak_again"] = "leak_again"
    ch4_lel: float | None = None


class TaskMessage(_Message):
    """Something only a person can do; ``kind`` is from a closed list, wording is the console's."""

    type: Literal["task"] = "task"
    kind: Literal[
        "over_set_point_in_preheat",
        "closed_by_itself",
        "held_valve_open",
        "account_flooding",
        "building_dark",
        "close_missing",
        "order_missing",
        "call_missing",
        "canary_late",
    ]
    home_id: str | None
    simulated: bool
    detail: dict[str, str | float | int | None] = {}


StationMessage = Annotated[OrderMessage | ValveMessage | LeakAgainMessage | TaskMessage, Field(discriminator="type")]
STATION_MESSAGE: TypeAdapter[OrderMessage | ValveMessage | LeakAgainMessage | TaskMessage] = TypeAdapter(StationMessage)


class Taken(_Record):
    """Dispatch -> line on ``gas/station/line``: it has this message, durably."""

    message_id: UUID
