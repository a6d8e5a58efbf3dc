"""Draws up the document of a handover from what is open now. Reads; signs nothing."""

from collections.abc import Mapping
from typing import Any, Final

from console.access.rights import rights_of
from console.access.scope import Scope
from console.api.incidents import addresses
from console.desk import handover_sql as sql
from console.desk.handover_document import (
    BlindGroup,
    Document,
    HoldCount,
    HoldInForce,
    OpenIncident,
    OpenTask,
    PromiseDue,
    ShiftRemark,
    districts_of,
    holds_of,
)
from console.desk.remarks_rows import of_remark
from console.home_address import home_address
from console.store import Row, Store
from console.vocabulary import HOLDS, INCIDENT_KINDS, ORDER_STATES, TASK_KINDS, VALVE_CAUSES, Words, known_of_valve, said

_SHIFT_MS: Final = 12 * 3_600_000
_REVISIT: Final = Words(zh="到访不遇，须再次上门", en="no access: somebody comes again")
_PROOF: Final = Words(zh="届时可证明阀门是否关严", en="it can then be told whether the valve holds")


async def draft(store: Store, desk: str, now_ms: int) -> Document:
    """What the desk would hand over at ``now_ms``. Raises DatabaseAway."""
    scope = Scope(districts_of(desk), None).values()
    last = await store.row(sql.LAST_TAKEN, {"desk": desk})
    began_ms = last["at_ms"] if last is not None and last["at_ms"] is not None else now_ms - _SHIFT_MS
    groups = await store.rows(sql.BLIND_GROUPS, scope)
    revisits, proofs = await store.rows(sql.REVISITS, scope), await store.rows(sql.PROOFS, scope)
    due = [_due("revisit", _REVISIT, row, _told(row["place"], row["home_id"] or "")) for row in revisits]
    due += [_due("proof", _PROOF, row, addresses(row)) for row in proofs]
    return Document(
        desk=desk,
        made_ms=now_ms,
        shift_began_ms=began_ms,
        incidents=[_incident(row) for row in await store.rows(sql.INCIDENTS, scope)],
        tasks=[_task(row) for row in await store.rows(sql.TASKS, scope)],
        holds=[_hold(row) for row in await store.rows(sql.HOLDS, scope)],
        hold_counts=[_hold_count(row) for row in await store.rows(sql.HOLD_COUNTS, scope)],
        blind_groups=[BlindGroup(**row, thing=_building(row)) for row in groups],
        blind_buildings=groups[0]["buildings"] if groups else 0,
        promises=sorted(due, key=lambda promise: promise.due_ms),
        remarks=[_remark(row) for row in await store.rows(sql.REMARKS, {**scope, "since_ms": began_ms})],
    )


async def people(store: Store, desk: str) -> dict[str, str]:
    """Who may own something of the desk: name to what he is called. Whoever does tasks, and has a district of the desk."""
    wanted = districts_of(desk)
    return {
        row["name"]: row["display"]
        for row in await store.rows(sql.PEOPLE)
        if "task" in rights_of(frozenset(row["roles"]))
        and (row["districts"] is None or wanted is None or set(wanted) & set(row["districts"]))
    }


def _home(row: Row) -> dict[str, str]:
    where = home_address(row)
    return {"address_zh": where.zh, "address_en": where.en}


def _told(place: Mapping[str, Any], otherwise: str) -> Words:
    """The address in an order's record of its place."""
    zh = place.get("address_zh") or otherwise
    return Words(zh=zh, en=place.get("address_en") or zh)


def _incident(row: Row) -> OpenIncident:
    where = addresses(row)
    return OpenIncident(
        thing=f"incident:{row['incident_id']}",
        incident_id=str(row["incident_id"]),
        home_id=row["home_id"],
        kind_words=said(INCIDENT_KINDS, row["kind"]),
        valve_words=known_of_valve(row["valve"], row["proof"], row["clearing"]),
        received_ms=row["received_ms"],
        seen_by=row["seen_by"],
        order_no=row["order_no"],
        order_words=None if row["order_state"] is None else said(ORDER_STATES, row["order_state"]),
        address_zh=where.zh,
        address_en=where.en,
    )


def _task(row: Row) -> OpenTask:
    return OpenTask(
        thing=f"task:{row['task_id']}",
        task_id=str(row["task_id"]),
        incident_id=None if row["incident_id"] is None else str(row["incident_id"]),
        home_id=row["home_id"],
        words=said(TASK_KINDS, row["kind"]),
        priority=row["priority"],
        created_ms=row["created_ms"],
        **_home(row),
    )


def _hold(row: Row) -> HoldInForce:
    cause = said(VALVE_CAUSES, row["cause"]) if row["cause"] else None
    return HoldInForce(
        thing=f"hold:{row['hold_id']}",
        hold=row["hold"],
        home_id=row["home_id"],
        words=said(HOLDS, row["hold"]),
        cause_words=cause,
        set_ms=row["set_ms"],
        **_home(row),
    )


def _hold_count(row: Row) -> HoldCount:
    return HoldCount(**row, thing=holds_of(row["hold"]), words=said(HOLDS, row["hold"]))


def _building(row: Row) -> str:
    return "blind:" + "/".join(row[part] for part in ("district_code", "community", "estate", "building"))


def _due(kind: str, words: Words, row: Row, where: Words) -> PromiseDue:
    return PromiseDue(
        thing=f"{kind}:{row.get('order_no') or row['incident_id']}",
        kind=kind,
        words=words,
        incident_id=None if row["incident_id"] is None else str(row["incident_id"]),
        order_no=row.get("order_no"),
        home_id=row["home_id"],
        due_ms=row["due_ms"],
        address_zh=where.zh,
        address_en=where.en,
    )


def _remark(row: Row) -> ShiftRemark:
    told = of_remark(row)
    return ShiftRemark(at_ms=row["at_ms"], incident_id=str(row["incident_id"]), by=row["display"], zh=told["zh"], en=told["en"])
