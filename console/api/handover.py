"""Handing a shift over (交接班): the draft, the leaving one's signature, the taking one's, and what was signed. Append-only.

A handover begins when the leaving one signs, and is taken when another signs: never while anything of it (an open incident or task, a
promise due, a kind of hold, the buildings that are not watched) has no owner, and never two of one desk at once. Both documents are kept
as they were signed. Signing needs no password again: the session says who it is.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, TypeVar
from uuid import UUID, uuid4

from fastapi import Depends, Path, Query
from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict, Field

from console import masking
from console.access.who import Who
from console.api.needs import Console, needs, not_allowed, noun
from console.api.reader import Reader
from console.desk import handover_sql as sql
from console.desk.drafting import draft, people
from console.desk.handover_document import (
    Document,
    OpenIncident,
    PromiseDue,
    ShiftRemark,
    Unowned,
    covers,
    desk_of,
    named,
    owned,
    strangers,
    unowned,
)
from console.paging import After, Limit, Page, behind, next_of
from console.problems import FieldError, Problem, not_found, responses
from console.running import Running
from console.store import Row, Store

router = noun("handover")

_UNOWNED_TOLD: Final = 200
Signer = Annotated[Who, Depends(needs("handover"))]
HandoverId = Annotated[UUID, Path(description="the handover's id")]
Name = Annotated[str, Field(min_length=1, max_length=64)]
Owners = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=400)], Name],
    Field(
        max_length=20_000,
        description="thing (its `thing` in the draft; `holds:…` for a kind of hold, `blind` for all buildings, `promises` for all "
        "promises, `*` for all others) to the name of a user who takes it",
    ),
]


class BeginHandover(BaseModel):
    """The leaving one signs."""

    model_config = ConfigDict(extra="forbid")
    remarks: str = Field("", max_length=4000, description="what the next shift has to know beside the document")
    owners: Owners = {}


class TakeHandover(BaseModel):
    """The taking one signs."""

    model_config = ConfigDict(extra="forbid")
    note: str = Field("", max_length=1000)
    owners: Owners = {}


class WithdrawHandover(BaseModel):
    """It was begun too early, or by mistake."""

    model_config = ConfigDict(extra="forbid")
    note: str = Field("", max_length=1000)


class HandoverBrief(BaseModel):
    """A handover in one line."""

    handover_id: UUID
    desk: str = Field(description="the districts it answers for, comma between; * for all")
    state: Literal["begun", "taken", "withdrawn"]
    begun_ms: int = Field(description="signed by the leaving one, Unix ms")
    left_by: str
    left_display: str
    ended_ms: int | None = Field(description="signed by the taking one, or withdrawn, Unix ms")
    ended_by: str | None
    ended_display: str | None
    incidents: int = Field(description="open incidents in the newest of its documents")
    tasks: int = Field(description="open tasks in the newest of its documents")


class Person(BaseModel):
    """Somebody who may own a thing."""

    name: str
    display: str


class Handover(HandoverBrief):
    """A handover with what was signed."""

    remarks: str
    note: str | None
    owners: dict[str, str]
    people: list[Person] = Field(description="who is named in it, as they are called today; a name that is no user's any more is left out")
    begun_document: Document = Field(description="as the leaving one signed it")
    taken_document: Document | None = Field(description="as the taking one signed it")


class Taken(BaseModel):
    """Who has a thing since the last handover that was taken."""

    thing: str
    name: str
    display: str
    desk: str = Field(description="which desk's handover named him: for a kind (`holds:…`, `blind`) he has what lies in its districts")
    handover_id: UUID | None = Field(description="null: a desk's that is not all in scope, and that you are named in")
    taken_ms: int = Field(description="Unix ms")


class Owned(BaseModel):
    """Owners of the things that were asked for."""

    items: list[Taken]


class Draft(Document):
    """What would be handed over now."""

    under_way: HandoverBrief | None = Field(description="begun and not taken yet")
    people: list[Person] = Field(description="who may own things")


def _brief(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in HandoverBrief.model_fields}


async def by_id(store: Store, ids: Sequence[UUID]) -> dict[UUID, HandoverBrief]:
    """The handovers with these ids. Raises DatabaseAway."""
    return {row["handover_id"]: HandoverBrief(**_brief(row)) for row in await store.rows(sql.BY_ID, {"ids": list(ids)})}


def _may_look(who: Who) -> None:
    """Who hands over, or audits. Raises a 403 problem."""
    if not (who.may("handover") or who.may("audit")):
        raise not_allowed("handover")


async def _clear_of(store: Store, who: Who, documents: Iterable[Document]) -> set[str | None]:
    """The incidents in these documents of which ``who`` reads numbers in clear, by the rule of their own pages."""
    ids: set[str | None] = set()
    for document in documents:
        ids |= {each.incident_id for part in (document.incidents, document.promises, document.remarks) for each in part}
    rows = await store.rows(sql.HOMES_OPEN, {"ids": [UUID(each) for each in ids if each is not None]})
    return {str(row["incident_id"]) for row in rows if masking.sees_people(who, home_open=row["home_open"])}


_H = TypeVar("_H", OpenIncident, PromiseDue, ShiftRemark)


def _masked(document: Document, clear_of: Collection[str | None]) -> Document:
    """Without the telephone numbers in what was said of other incidents than ``clear_of``, and in where they are."""

    def hidden(parts: Sequence[_H], *texts: str) -> list[_H]:
        return [
            part if part.incident_id in clear_of else part.model_copy(update={text: masking.text(getattr(part, text)) for text in texts})
            for part in parts
        ]

    return document.model_copy(
        update={
            "incidents": hidden(document.incidents, "address_zh", "address_en"),
            "promises": hidden(document.promises, "address_zh", "address_en"),
            "remarks": hidden(document.remarks, "zh", "en"),
        }
    )


async def _whole(console: Running, who: Who, handover_id: UUID) -> Row:
    row = await console.store.row(sql.WHOLE, {"handover_id": handover_id, **who.scope.values()})
    if row is None:
        raise not_found(f"没有交接班记录 {handover_id}", f"there is no handover {handover_id}")
    return row


async def _told(store: Store, row: Row, who: Who) -> Handover:
    begun = Document(**row["document"])
    taken = Document(**row["end_document"]) if row["end_document"] else None
    people_in = named(begun) | (set() if taken is None else named(taken))
    clear_of = await _clear_of(store, who, [begun] if taken is None else [begun, taken])
    # What was said of the shift is of no home: it is for the shift that takes it, and until that one is taken over itself.
    hide = (lambda text: text) if row["is_last"] and who.may("read_people") else masking.text
    return Handover(
        **_brief(row),
        remarks=hide(row["remarks"]),
        note=None if row["end_note"] is None else hide(row["end_note"]),
        owners={**row["owners"], **(row["end_owners"] or {})},
        people=[Person(**each) for each in await store.rows(sql.CALLED, {"names": list(people_in)})],
        begun_document=_masked(begun, clear_of),
        taken_document=None if taken is None else _masked(taken, clear_of),
    )


@router.get("/handover", summary="What would be handed over now · 交接班草稿", responses=responses())
async def read_draft(console: Console, who: Signer) -> Draft:
    """Of the desk of whoever asks: everything, or his districts."""
    desk = desk_of(who.scope.districts)
    document = await draft(console.store, desk, console.clock.now_ms())
    document = _masked(document, await _clear_of(console.store, who, [document]))
    under_way = await console.store.row(sql.UNDER_WAY, {"desk": desk})
    if under_way is not None and (whole := await console.store.row(sql.WHOLE, _seen(who, under_way["handover_id"]))) is not None:
        document = owned(document, whole["owners"])
    may = await people(console.store, desk)
    if who.via == "demo":
        may[who.name] = who.display
    return Draft(
        **dict(document),
        under_way=None if under_way is None else HandoverBrief(**_brief(under_way)),
        people=[Person(name=name, display=display) for name, display in may.items()],
    )


def _seen(who: Who, handover_id: UUID) -> dict[str, Any]:
    return {"handover_id": handover_id, **who.scope.values()}


@router.get("/handover/owners", summary="Who has a thing since the last handover · 负责人", responses=responses(422))
async def read_owners(
    console: Console, who: Reader, thing: Annotated[list[Annotated[str, Query(max_length=400)]], Query(min_length=1, max_length=50)]
) -> Owned:
    """As the last handover that was taken says, of desks whose districts are all in scope, and of any where you are named yourself.

    What it does not say is left out. A kind (`holds:…`, `blind`) has an owner for each desk.
    """
    _may_look(who)
    rows = await console.store.rows(sql.OWNERS, {"things": thing, "me": who.name, **who.scope.values()})
    return Owned(items=[Taken(**row) for row in rows])


@router.post("/handovers", summary="Sign and hand over · 交班", responses=responses(404, 409, 422))
async def begin(console: Console, who: Signer, asked: BeginHandover) -> Handover:
    """The leaving one signs the document of this moment. Owners may be named now or by who takes it."""
    desk, now = desk_of(who.scope.districts), console.clock.now_ms()
    await _known_owners(console, who, desk, asked.owners.values(), leaving=who.name)
    document = owned(await draft(console.store, desk, now), asked.owners)
    row = {
        "handover_id": uuid4(),
        "desk": desk,
        "begun_ms": now,
        "actor": who.name,
        "display": who.display,
        "remarks": asked.remarks.strip(),
        "owners": Jsonb(asked.owners),
        "document": Jsonb(document.model_dump(mode="json")),
    }
    if not await console.store.own(sql.BEGIN, row):
        raise Problem(
            HTTPStatus.CONFLICT,
            "handover_under_way",
            "本席已有一份交接班等待接班，请先接班或撤回",
            "a handover of this desk is under way: it has to be taken or withdrawn first",
        )
    return await _read(console, who, row["handover_id"])


async def _read(console: Running, who: Who, handover_id: Any) -> Handover:
    return await _told(console.store, await _whole(console, who, handover_id), who)


async def _known_owners(console: Running, who: Who, desk: str, names: Collection[str], *, leaving: str) -> None:
    """Every one named is somebody of the taking shift. Raises a 422 problem."""
    if not names:
        return
    may = set(await people(console.store, desk)) - {leaving}
    # The demonstration has nobody but itself.
    if who.via == "demo":
        may.add(who.name)
    if found := strangers(names, may):
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "unknown_owner",
            f"以下人员不能接手（不存在、已停用、无权处理任务或正在交班）：{'、'.join(found)}",
            f"these cannot take anything over (unknown, disabled, without the right, or leaving): {', '.join(found)}",
            errors=[FieldError(where="body.owners", en=f"{name} cannot own anything") for name in found[:20]],
        )


@router.post("/handovers/{handover_id}/take", summary="Sign and take over · 接班", responses=responses(404, 409, 422))
async def take(console: Console, who: Signer, handover_id: HandoverId, asked: TakeHandover) -> Handover:
    """The other one signs what is open at this moment. Refused while anything of it has no owner; what has none is told."""
    row = await _to_end(console, who, handover_id)
    if row["left_by"] == who.name and who.via != "demo":
        raise Problem(
            HTTPStatus.CONFLICT, "same_person", "交班人与接班人不能是同一人", "who hands over cannot take over: another has to sign"
        )
    owners = {**row["owners"], **asked.owners}
    now = console.clock.now_ms()
    document = owned(await draft(console.store, row["desk"], now), owners)
    # Whoever was named for what has been closed since takes nothing over.
    await _known_owners(console, who, row["desk"], named(document), leaving=row["left_by"])
    if left := unowned(document):
        raise _unowned(left)
    await _end(console, who, handover_id, "taken", now, asked.note, owners, document)
    return await _read(console, who, handover_id)


@router.post("/handovers/{handover_id}/withdraw", summary="Take a handover back · 撤回交班", responses=responses(404, 409, 422))
async def withdraw(console: Console, who: Signer, handover_id: HandoverId, asked: WithdrawHandover) -> Handover:
    """By anybody who could have taken it; both names stay in the record."""
    await _to_end(console, who, handover_id)
    await _end(console, who, handover_id, "withdrawn", console.clock.now_ms(), asked.note, {}, None)
    return await _read(console, who, handover_id)


async def _to_end(console: Running, who: Who, handover_id: UUID) -> Row:
    """A handover that is under way, of a desk that ``who`` sees whole. Raises 404 and 409 problems."""
    row = await _whole(console, who, handover_id)
    if not covers(who.scope.districts, row["desk"]):
        raise not_found(f"没有交接班记录 {handover_id}", f"there is no handover {handover_id}")
    if row["state"] != "begun":
        raise _ended(row["ended_display"])
    return row


async def _end(
    console: Running, who: Who, handover_id: UUID, how: str, at_ms: int, note: str, owners: Mapping[str, str], document: Document | None
) -> None:
    row = {
        "handover_id": handover_id,
        "how": how,
        "at_ms": at_ms,
        "actor": who.name,
        "display": who.display,
        "note": note.strip(),
        "owners": Jsonb(dict(owners)),
        "document": Jsonb({} if document is None else document.model_dump(mode="json")),
    }
    if not await console.store.own(sql.END, row):
        raise _ended("")


def _ended(by: str) -> Problem:
    return Problem(
        HTTPStatus.CONFLICT,
        "handover_ended",
        f"该交接班已经结束{f'（{by}）' if by else ''}",
        f"this handover has ended already{f' ({by})' if by else ''}",
    )


def _unowned(left: Sequence[Unowned]) -> Problem:
    first = left[0].words
    return Problem(
        HTTPStatus.CONFLICT,
        "unowned",
        f"还有 {len(left)} 项没有负责人：{first.zh}{' 等' if len(left) > 1 else ''}",
        f"{len(left)} things have no owner: {first.en}{' and others' if len(left) > 1 else ''}",
        errors=[FieldError(where=f"body.owners.{each.thing}", en=f"{each.words.zh} / {each.words.en}") for each in left[:_UNOWNED_TOLD]],
    )


@router.get("/handovers", summary="Handovers, newest first · 交接班记录", responses=responses(422))
async def list_handovers(console: Console, who: Reader, limit: Limit = 50, after: After = None) -> Page[HandoverBrief]:
    """Of desks whose districts are all in scope."""
    _may_look(who)
    at, last = behind("handovers", after, int, UUID)
    rows = await console.store.rows(sql.NEWEST, {"at": at, "id": last, "rows": limit + 1, **who.scope.values()})
    return Page(
        items=[HandoverBrief(**_brief(row)) for row in rows[:limit]],
        next=next_of("handovers", rows, limit, lambda row: (row["begun_ms"], str(row["handover_id"]))),
    )


@router.get("/handovers/{handover_id}", summary="One handover as it was signed · 交接班详情", responses=responses(404, 422))
async def read_handover(console: Console, who: Reader, handover_id: HandoverId) -> Handover:
    """Both documents, both names, both times."""
    _may_look(who)
    return await _read(console, who, handover_id)
