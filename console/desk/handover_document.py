"""What one shift hands to the next (交接班), as a document that both sign. Pure: shapes, and the rule that nothing goes over unowned.

Decides what needs an owner: every open incident and every open task. Holds, blind groups and promises are handed over to the whole shift.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from pydantic import BaseModel, Field

from console.vocabulary import Words

EVERYTHING_ELSE: Final = "*"
"""In ``owners``: who takes all that nobody is named for."""
EVERY_DISTRICT: Final = "*"

_MS = "Unix ms"


class OpenIncident(BaseModel):
    """An incident that is not closed."""

    thing: str = Field(description="its key in `owners`", examples=["incident:5c3f…"])
    incident_id: str
    home_id: str | None
    kind_words: Words
    address_zh: str
    address_en: str
    valve_words: Words
    received_ms: int = Field(description=_MS)
    seen_by: str | None = Field(description="who acknowledged it first")
    order_no: str | None
    order_words: Words | None
    owner: str | None = Field(None, description="name of a user of the taking shift")


class OpenTask(BaseModel):
    """A task that is not done."""

    thing: str = Field(description="its key in `owners`", examples=["task:0b7a…"])
    task_id: str
    incident_id: str | None
    home_id: str | None
    words: Words
    address_zh: str
    address_en: str
    priority: int = Field(description="1 is worked first")
    created_ms: int = Field(description=_MS)
    owner: str | None = Field(None, description="name of a user of the taking shift")


class HoldInForce(BaseModel):
    """What keeps a valve closed."""

    home_id: str
    address_zh: str
    address_en: str
    words: Words
    cause_words: Words | None
    set_ms: int = Field(description=_MS)


class HoldCount(BaseModel):
    """Homes held closed for one reason."""

    hold: str
    words: Words
    homes: int


class BlindGroup(BaseModel):
    """A building with homes that are not watched as they should be."""

    district_code: str
    district: str
    community: str
    estate: str
    building: str
    blind: int = Field(description="失效")
    silent: int = Field(description="失联")
    powerless: int = Field(description="掉电")
    since_ms: int = Field(description=f"the longest of them, {_MS}")


class PromiseDue(BaseModel):
    """Something that was promised for a time."""

    kind: str = Field(description="revisit: somebody comes again; proof: the valve can be proven to hold")
    words: Words
    incident_id: str | None
    order_no: str | None
    home_id: str | None
    address_zh: str
    address_en: str
    due_ms: int = Field(description=_MS)


class ShiftRemark(BaseModel):
    """A remark of the shift."""

    at_ms: int = Field(description=_MS)
    incident_id: str
    by: str
    zh: str
    en: str


class Document(BaseModel):
    """Everything that is handed over."""

    desk: str = Field(description="the districts it answers for, comma between; * for all")
    made_ms: int = Field(description=_MS)
    shift_began_ms: int = Field(description=f"since the last handover that was taken, or twelve hours, {_MS}")
    incidents: list[OpenIncident] = Field(description="open, oldest first")
    tasks: list[OpenTask] = Field(description="open, first to be done first")
    holds: list[HoldInForce] = Field(description="in force, newest first, arrears last, at most 500; counted whole in `hold_counts`")
    hold_counts: list[HoldCount]
    blind_groups: list[BlindGroup] = Field(description="by building, the greatest first, at most 300")
    blind_buildings: int = Field(description="how many such buildings there are")
    promises: list[PromiseDue] = Field(description="first due first")
    remarks: list[ShiftRemark] = Field(description="of the shift, oldest first")

    @property
    def things(self) -> "list[OpenIncident | OpenTask]":
        """What needs an owner."""
        return [*self.incidents, *self.tasks]


def owned(document: Document, owners: Mapping[str, str]) -> Document:
    """The document with the owners written into it: the one named for a thing, or who takes everything else."""
    rest = owners.get(EVERYTHING_ELSE)

    def given(thing: OpenIncident | OpenTask) -> dict[str, str | None]:
        return {"owner": owners.get(thing.thing, rest)}

    return document.model_copy(
        update={
            "incidents": [incident.model_copy(update=given(incident)) for incident in document.incidents],
            "tasks": [task.model_copy(update=given(task)) for task in document.tasks],
        }
    )


def unowned(document: Document) -> "list[OpenIncident | OpenTask]":
    """What nobody has taken."""
    return [thing for thing in document.things if thing.owner is None]


def strangers(owners: Mapping[str, str], people: Iterable[str]) -> list[str]:
    """Names among the owners that are not people of the taking shift, sorted."""
    return sorted(set(owners.values()) - set(people))


def said_of(thing: OpenIncident | OpenTask) -> Words:
    """One line about a thing, for whoever has to give it an owner."""
    words = thing.kind_words if isinstance(thing, OpenIncident) else thing.words
    return Words(
        zh="，".join(filter(None, (words.zh, thing.address_zh))),
        en=", ".join(filter(None, (words.en, thing.address_en))),
    )


def desk_of(districts: tuple[str, ...] | None) -> str:
    """The name of the desk of somebody with these districts (None = all)."""
    return EVERY_DISTRICT if districts is None else ",".join(sorted(districts))


def districts_of(desk: str) -> tuple[str, ...] | None:
    """The districts of a desk, None for all."""
    return None if desk == EVERY_DISTRICT else tuple(filter(None, desk.split(",")))


def covers(districts: tuple[str, ...] | None, desk: str) -> bool:
    """Whether somebody with these districts sees everything that the desk answers for."""
    wanted = districts_of(desk)
    return districts is None or (wanted is not None and set(wanted) <= set(districts))
