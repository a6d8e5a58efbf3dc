"""What one shift hands to the next (交接班), as a document that both sign. Pure: shapes, and the rule that nothing goes over unowned.

Decides what needs an owner: every open incident and task, every promise due, the holds of each kind and the buildings that are not watched.
Of holds and buildings each may be given to somebody of its own; whoever is named for the kind has all others, listed here or not.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from pydantic import BaseModel, Field

from console.vocabulary import Words

EVERYTHING_ELSE: Final = "*"
"""In ``owners``: who takes all that nobody is named for."""
EVERY_DISTRICT: Final = "*"
BLIND: Final = "blind"
"""In ``owners``: who takes all buildings that nobody is named for."""
PROMISES: Final = "promises"
"""In ``owners``: who takes all promises that nobody is named for."""

_MS = "Unix ms"


class Handed(BaseModel):
    """What is handed over to somebody."""

    thing: str = Field("", description="its key in `owners`; empty in documents signed before it had one", examples=["incident:5c3f…"])
    owner: str | None = Field(None, description="name of a user of the taking shift")


class OpenIncident(Handed):
    """An incident that is not closed."""

    incident_id: str
    home_id: str | None
    kind_words: Words
    address_zh: str
    address_en: str
    valve_words: Words = Field(description="what is known of its valve: reported, seen to hold, whether the room clears")
    received_ms: int = Field(description=_MS)
    seen_by: str | None = Field(description="who acknowledged it first")
    order_no: str | None
    order_words: Words | None


class OpenTask(Handed):
    """A task that is not done."""

    task_id: str
    incident_id: str | None
    home_id: str | None
    words: Words
    address_zh: str
    address_en: str
    priority: int = Field(description="1 is worked first")
    created_ms: int = Field(description=_MS)


class HoldInForce(Handed):
    """What keeps a valve closed."""

    hold: str = ""
    home_id: str
    address_zh: str
    address_en: str
    words: Words
    cause_words: Words | None
    set_ms: int = Field(description=_MS)


class HoldCount(Handed):
    """Homes held closed for one reason; its owner has every hold of the kind that nobody else is named for."""

    hold: str
    words: Words
    homes: int


class BlindGroup(Handed):
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


class PromiseDue(Handed):
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
    blind_owner: str | None = Field(None, description="who has every such building that nobody else is named for")
    promises: list[PromiseDue] = Field(description="first due first")
    remarks: list[ShiftRemark] = Field(description="of the shift, oldest first")


_H = TypeVar("_H", bound=Handed)


class Unowned(NamedTuple):
    """A thing that nobody has taken, and what it is."""

    thing: str
    words: Words


def owned(document: Document, owners: Mapping[str, str]) -> Document:
    """The document with the owners written into it: the one named for a thing, for its kind, or who takes everything else."""

    def given(things: Sequence[_H], *wider: str) -> list[_H]:
        return [thing.model_copy(update={"owner": _named(owners, thing.thing, *wider)}) for thing in things]

    return document.model_copy(
        update={
            "incidents": given(document.incidents),
            "tasks": given(document.tasks),
            "holds": [given([hold], holds_of(hold.hold))[0] for hold in document.holds],
            "hold_counts": given(document.hold_counts),
            "blind_groups": given(document.blind_groups, BLIND),
            "blind_owner": _named(owners, BLIND),
            "promises": given(document.promises, PROMISES),
        }
    )


def holds_of(kind: str) -> str:
    """In ``owners``: who takes all holds of a kind that nobody is named for."""
    return f"holds:{kind}"


def _named(owners: Mapping[str, str], *things: str) -> str | None:
    return next((owners[thing] for thing in (*things, EVERYTHING_ELSE) if thing in owners), None)


def unowned(document: Document) -> list[Unowned]:
    """What nobody has taken. A hold or a building of its own is not among them: whoever has its kind has it."""
    left = [Unowned(each.thing, _said(each.kind_words, each)) for each in document.incidents if each.owner is None]
    left += [Unowned(each.thing, _said(each.words, each)) for each in document.tasks if each.owner is None]
    left += [Unowned(each.thing, _said(each.words, each)) for each in document.promises if each.owner is None]
    left += [Unowned(each.thing, _homes_held(each)) for each in document.hold_counts if each.owner is None]
    if document.blind_buildings and document.blind_owner is None:
        left.append(Unowned(BLIND, _buildings(document.blind_buildings)))
    return left


def _said(words: Words, at: OpenIncident | OpenTask | PromiseDue) -> Words:
    return Words(
        zh="，".join(filter(None, (words.zh, at.address_zh))),
        en=", ".join(filter(None, (words.en, at.address_en))),
    )


def _homes_held(count: HoldCount) -> Words:
    return Words(zh=f"阀门保持切断（{count.words.zh}，{count.homes} 户）", en=f"holds on valves ({count.words.en}, homes: {count.homes})")


def _buildings(number: int) -> Words:
    return Words(zh=f"失效、失联、掉电楼栋 {number} 栋", en=f"buildings blind, silent or without power: {number}")


def named(document: Document) -> set[str]:
    """Everybody who takes something over by it."""
    parts = (document.incidents, document.tasks, document.holds, document.hold_counts, document.blind_groups, document.promises)
    every: list[str | None] = [document.blind_owner, *(each.owner for part in parts for each in part)]
    return {name for name in every if name is not None}


def strangers(names: Iterable[str], people: Iterable[str]) -> list[str]:
    """Names that are not people of the taking shift, sorted."""
    return sorted(set(names) - set(people))


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
