"""One search field: an address, a household number, a telephone, a device, an order number, an incident. Reads; every look is scoped."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from console import masking
from console.access.who import Who
from console.api.incidents import addresses
from console.api.needs import Console, noun
from console.api.reader import Reader
from console.desk import search_sql as sql
from console.desk.asked import Address, Asked, read
from console.desk.hits import DEVICE_KINDS, Hit, best
from console.desk.memory import memory
from console.desk.places import fitting
from console.home_address import home_address
from console.problems import responses
from console.running import Running
from console.store import Row
from console.vocabulary import INCIDENT_KINDS, ORDER_KINDS, ORDER_STATES, Words, said

router = noun("homes")

_PLACES_MAX = 5000
_PLACES_LOOKED_AROUND = 12
_PLACES_WITHOUT_A_NAME = 300
_LOOKED_THROUGH = 2000
_ROLES = {
    "resident": ("住户", "resident"),
    "owner": ("业主", "owner"),
    "family": ("家属", "family"),
    "property": ("物业", "property management"),
    "grid_officer": ("网格员", "grid officer"),
    "neighbour": ("邻居", "neighbour"),
}


class SearchHit(BaseModel):
    """Something that was found."""

    kind: Literal["home", "order", "device", "incident"]
    id: str = Field(description="the home's, device's or incident's id, or the order's number")
    title_zh: str
    title_en: str
    detail_zh: str
    detail_en: str
    home_id: str | None
    open_incident_id: str | None = Field(description="an incident of its home is open")


class SearchAnswer(BaseModel):
    """What was found, best first."""

    items: list[SearchHit]
    telephones: bool = Field(description="false: telephones were not searched, because that needs the right `read_people`")


@router.get("/search", summary="Find a home, device, order or incident · 查找", responses=responses(422))
async def search(
    console: Console,
    who: Reader,
    q: Annotated[str, Query(min_length=1, max_length=100, description="address, 户号, telephone, device, order number")],
    limit: Annotated[int, Query(ge=1, le=50, description="hits at most")] = 20,
) -> SearchAnswer:
    """An address in any usual way of writing, or a number. Where an incident of a home is open, it stands before the home.

    A search for a home is recorded: by its address or a telephone, or by any number that leads to one, a device's or an order's too.
    An estate that was imported just now is found by its name after a minute; its homes are found by their numbers at once.
    """
    asked = read(q)
    telephones = who.may("read_people")
    by_phone = await _phones(console, who, asked if telephones else None, limit)
    found = await _numbers(console, who, asked, limit) + (by_phone or [])
    if asked.address is not None:
        found += await _addresses(console, who, asked.address, limit)
    found = best(found, limit)
    if by_phone is None:
        await _note(console, who, q, asked, found)
    incidents = await _open_incidents(console, who, found)
    return SearchAnswer(items=_with_incidents(found, incidents)[:limit], telephones=telephones)


async def _addresses(console: Running, who: Who, asked: Address, limit: int) -> list[Hit]:
    estates = await memory(console).places.get(who.scope, lambda: console.store.rows(sql.PLACES, who.scope.values()))
    if not asked.words and asked.district_code is None and len(estates) > _PLACES_WITHOUT_A_NAME:
        # Numbers alone are an address where there are few estates; in a city they fit everywhere.
        return []
    places = fitting(estates, asked, _PLACES_MAX if asked.numbered else _PLACES_LOOKED_AROUND)
    found: list[Hit] = []
    for whole in (True, False):
        # What an estate's own name holds narrows nothing down within it.
        parts = Address() if whole else asked
        if these := [place for place in places if place.whole is whole]:
            values = {
                **who.scope.values(),
                "codes": [place.district_code for place in these],
                "communities": [place.community for place in these],
                "estates": [place.estate for place in these],
                "ranks": [place.rank for place in these],
                **{name: list(getattr(parts, name)) for name in ("building", "unit", "floor", "room", "loose")},
                "limit": limit,
            }
            # Somebody who names every part means one home; who names an estate alone is looking around.
            base = 30 if parts.numbered else 60
            found += [_home(row, base + row["rank"]) for row in await console.store.rows(sql.BY_ADDRESS, values)]
    return found


async def _numbers(console: Running, who: Who, asked: Asked, limit: int) -> list[Hit]:
    found: list[Hit] = []
    values = {**who.scope.values(), "limit": limit, "looked_through": _LOOKED_THROUGH}
    if asked.incident_id is not None:
        rows = await console.store.rows(sql.INCIDENT, {**values, "incident_id": asked.incident_id})
        found += [_incident(row, 0) for row in rows]
    if asked.order_nos:
        found += [_order(row) for row in await console.store.rows(sql.ORDERS, {**values, "order_nos": list(asked.order_nos)})]
    if asked.household_no is not None:
        beginning = {"household_no": asked.household_no, "beginning": f"{asked.household_no}%"}
        rows = await console.store.rows(sql.HOUSEHOLDS, {**values, **beginning})
        found += [_home(row, 10 + 30 * row["rank"]) for row in rows]
    if asked.device is not None:
        beginning = {"device": asked.device, "beginning": asked.device.replace("_", r"\_") + "%"}
        found += [_device(row) for row in await console.store.rows(sql.DEVICES, {**values, **beginning})]
        found += [_home(row, 10) for row in await console.store.rows(sql.HOMES_BY_ID, {**values, "home_ids": list(asked.home_ids)})]
    return found


async def _phones(console: Running, who: Who, asked: Asked | None, limit: int) -> list[Hit] | None:
    """Homes by a telephone, and the search is recorded; None where it was no search for one."""
    if asked is None or not asked.phones:
        return None
    rows = await console.store.rows(sql.PHONES, {**who.scope.values(), "phones": list(asked.phones), "limit": limit})
    # A number of digits may be a household's: it counts as a telephone where it can be none other, or was found as one.
    if not rows and not any(phone.startswith("+") for phone in asked.phones):
        return None
    about = rows[0]["home_id"] if len(rows) == 1 else ""
    asked_for = next((phone for phone in asked.phones if phone.startswith("+")), asked.phones[0])
    detail = {"found": len(rows), "phone": masking.number(asked_for)}
    await console.access.audit.note(who, "searched_by_phone", about=about, detail=detail)
    return [_home(row, 20, of=_ROLES.get(row["role"], (row["role"], row["role"]))) for row in rows]


async def _note(console: Running, who: Who, q: str, asked: Asked, found: Iterable[Hit]) -> None:
    """Record that somebody looked for a home: by what can be an address or a household number, or by any number that led to one."""
    homes = list(dict.fromkeys(hit.home_id for hit in found if hit.home_id is not None))
    if homes or asked.address is not None or asked.household_no is not None:
        await console.access.audit.note_search(who, q, homes)


async def _open_incidents(console: Running, who: Who, found: Iterable[Hit]) -> dict[str, Hit]:
    homes = sorted({hit.home_id for hit in found if hit.home_id is not None})
    if not homes:
        return {}
    rows = await console.store.rows(sql.OPEN_INCIDENTS, {**who.scope.values(), "home_ids": homes})
    return {row["place"]: _incident(row, 0) for row in rows}


def _with_incidents(found: Sequence[Hit], incidents: dict[str, Hit]) -> list[SearchHit]:
    """Each home that was found is led by its open incident, once."""
    told = {hit.id for hit in found if hit.kind == "incident"}
    hits: list[SearchHit] = []
    for hit in found:
        incident = incidents.get(hit.home_id or "")
        if incident is not None and hit.kind == "home" and incident.id not in told:
            told.add(incident.id)
            hits.append(_told(incident, incident))
        hits.append(_told(hit, incident))
    return hits


def _told(hit: Hit, incident: Hit | None) -> SearchHit:
    return SearchHit(
        kind=hit.kind,
        id=hit.id,
        title_zh=hit.title.zh,
        title_en=hit.title.en,
        detail_zh=hit.detail.zh,
        detail_en=hit.detail.en,
        home_id=hit.home_id,
        open_incident_id=None if incident is None else incident.id,
    )


def _home(row: Row, rank: int, of: tuple[str, str] | None = None) -> Hit:
    zh, en = f"户号 {row['household_no']} · {row['community']}", f"household {row['household_no']} · {row['community']}"
    if of is not None:
        zh, en = f"电话属于该户{of[0]} · {zh}", f"the number of its {of[1]} · {en}"
    return Hit("home", row["home_id"], home_address(row), Words(zh=zh, en=en), row["home_id"], rank)


def _device(row: Row) -> Hit:
    kind, where, gone = said(DEVICE_KINDS, row["kind"]), home_address(row), row["retired"]
    title = Words(zh=f"{kind.zh} {row['device_id']}", en=f"{kind.en} {row['device_id']}")
    detail = Words(zh=where.zh + ("（已停用）" if gone else ""), en=where.en + (" (retired)" if gone else ""))
    return Hit("device", row["device_id"], title, detail, row["home_id"], 5 + 35 * row["rank"] + 5 * gone)


def _order(row: Row) -> Hit:
    kind, state = said(ORDER_KINDS, row["kind"]), said(ORDER_STATES, row["state"])
    title = Words(zh=f"{kind.zh} {row['order_no']}", en=f"{kind.en} {row['order_no']}")
    place: dict[str, Any] = row["place"]
    where_zh = masking.text(place.get("address_zh") or place.get("zh") or "")
    where_en = masking.text(place.get("address_en") or place.get("en") or where_zh)
    detail = Words(zh=" · ".join(filter(None, (state.zh, where_zh))), en=" · ".join(filter(None, (state.en, where_en))))
    return Hit("order", row["order_no"], title, detail, row["home_id"], 1)


def _incident(row: Row, rank: int) -> Hit:
    kind, is_open = said(INCIDENT_KINDS, row["kind"]), row["state"] == "open"
    title = Words(zh=f"{kind.zh}（{'未结' if is_open else '已结'}）", en=f"{kind.en} ({'open' if is_open else 'closed'})")
    # A place that was told to the hotline is a text of a person; to be found it needs no number in it.
    return Hit("incident", str(row["incident_id"]), title, addresses(masking.incident(row)), row["home_id"], rank)
