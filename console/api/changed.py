"""Reads what a notice says has changed, once for all watchers, as the GETs give it. One statement a kind, however many things.

Each thing comes in clear and masked, with what ties it to places and people; who is sent which is the stream's to judge, by the same rules
as the lists.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from console import masking
from console.access.in_scope import Tie, crews_of, districts_of
from console.access.who import Who
from console.api import attachments, calls, commands, crews, handover, incidents, orders, remarks, tasks, timeline
from console.desk import remarks_rows
from console.desk.handover_document import covers
from console.field import attachments_sql
from console.joined import kin_of
from console.recordings_folder import RecordingsFolder
from console.ring import Told, in_scope
from console.store import Row, Store
from console.ties import Ties, ties_of
from core.ids import CANARY_HOME, CANARY_METER

_REMEMBERED_CALLS = 10_000
_EARLY_INCIDENTS = 1_000

_Sentence = tuple[UUID, timeline.Entry, timeline.Entry]


class ChangedThings:
    """Remembers which moments of a call were told, because a call's row holds all of them and each is one sentence."""

    def __init__(self, recordings: RecordingsFolder | None = None) -> None:
        self._recordings = recordings or RecordingsFolder(None)
        self._told: OrderedDict[UUID, set[str]] = OrderedDict()
        self._early: OrderedDict[UUID, list[_Sentence]] = OrderedDict()

    async def read(self, store: Store, wanted: Mapping[str, Sequence[str]], now_ms: int) -> list[Told]:
        """What changed, of ``wanted`` (kind of notice -> ids), in the order in which it is told. Raises DatabaseAway."""
        # The clocks of every incident that an order or call serves move with it, whichever it began for.
        incident_ids = list((await kin_of(store, _uuids(wanted, "incident"))).all())
        told = [_incident(found) for found in await incidents.by_id(store, incident_ids) if found.row["kind"] != "canary"]
        rows = {name: await _rows(store, statement, _uuids(wanted, name)) for name, statement in _STATEMENTS.items()}
        ties = await ties_of(store, [row for of_kind in rows.values() for row in of_kind])
        for name, of_kind in rows.items():
            told += [self._thing(name, row, ties) for row in of_kind if not _of_canary(name, row)]
        told += [_crew(row, now_ms) for row in await _crews(store, wanted, rows["order"])]
        told += await _remarks(store, _uuids(wanted, "remark"))
        told += await _attachments(store, _uuids(wanted, "attachment"))
        told += await _handovers(store, _uuids(wanted, "handover"))
        numbers = [int(thing) for thing in wanted.get("step", [])]
        steps = await store.rows(timeline.STEPS_BY_NO, {"ids": numbers}) if numbers else []
        told += [_taken_back(step, now_ms) for step in steps if step["event"] == "reassign" and step["detail"].get("from_crew")]
        return told + await self._story(store, wanted, steps, incident_ids)

    def _thing(self, name: str, row: Row, ties: Ties) -> Told:
        tie = ties.of(row["incident_id"], row["home_id"], *_own_district(name, row))
        match name:
            case "order":
                # An order is its own crew's alone, whoever else works the incident; and it keeps the district it was made for.
                tie = Tie(districts_of(*_own_district(name, row)), crews_of([row]), tie.home_open, tie.whose)
                return _told(name, orders.from_row(row, clear=True), orders.from_row(row, clear=False), tie)
            case "call":
                clear, masked = (calls.from_row(row, self._recordings, clear=each) for each in (True, False))
                return _told(name, clear, masked, tie)
            case "command":
                return _told(name, commands.from_row(row, clear=True), commands.from_row(row, clear=False), tie)
            case _:
                return _told(name, tasks.from_row(row, clear=True), tasks.from_row(row, clear=False), tie)

    # --- the story of incidents -------------------------------------------------------------------------------------------------

    async def _story(
        self, store: Store, wanted: Mapping[str, Sequence[str]], steps: Sequence[Row], incident_ids: Sequence[UUID]
    ) -> list[Told]:
        entries = await self._entries(store, wanted, steps)
        # Dispatch hears of an incident over the broker and may write before the line has: its sentences wait for their place.
        for incident_id in incident_ids:
            entries = [*self._early.pop(incident_id, []), *entries]
        if not entries:
            return []
        placed = await timeline.live(store, entries)
        self._keep(entries, {each.clear.entry_id for each in placed})
        ties = await ties_of(store, [], [each.clear.incident_id for each in placed])
        return [
            _told("timeline", each.clear, each.masked, ties.of(each.clear.incident_id, None))
            for each in placed
            if each.clear.incident_kind != "canary"
        ]

    def _keep(self, entries: Sequence[_Sentence], placed: set[str]) -> None:
        for incident_id, clear, masked in entries:
            if clear.entry_id not in placed:
                self._early.setdefault(incident_id, []).append((incident_id, clear, masked))
        while len(self._early) > _EARLY_INCIDENTS:
            self._early.popitem(last=False)

    async def _entries(self, store: Store, wanted: Mapping[str, Sequence[str]], steps: Sequence[Row]) -> list[_Sentence]:
        found: list[_Sentence] = []
        if ids := _uuids(wanted, "timeline"):
            found += timeline.of_events(await store.rows(timeline.EVENTS_BY_ID, {"ids": ids})).pairs()
        found += timeline.of_steps(steps).pairs()
        if ids := _uuids(wanted, "remark"):
            found += timeline.of_remarks(await remarks_rows.rows_by_id(store, ids)).pairs()
        if ids := _uuids(wanted, "call"):
            for row in await store.rows(timeline.CALLS_BY_ID, {"ids": ids}):
                told = self._told.setdefault(row["call_id"], set())
                fresh = [pair for pair in timeline.of_calls([row]).pairs() if pair[1].kind not in told]
                told.update(clear.kind for _, clear, _ in fresh)
                found += fresh
            while len(self._told) > _REMEMBERED_CALLS:
                self._told.popitem(last=False)
        return sorted(found, key=lambda sentence: sentence[1].at_ms)


# --- one thing of each kind, in clear and masked, with its tie -------------------------------------------------------------------------


def _told(name: str, clear: BaseModel, masked: BaseModel, tie: Tie) -> Told:
    clear_for = partial(masking.sees_people, home_open=tie.home_open)
    return Told(name, clear, masked, in_scope(tie), clear_for, tie.whose, over=not tie.home_open)


def _incident(found: incidents.Gathered) -> Told:
    whose = found.row["home_id"] or str(found.row["incident_id"])
    tie = Tie(districts_of(found.row["district_code"]), crews_of(found.orders), found.row["home_open"], whose)
    return _told("incident", found.incident(clear=True), found.incident(clear=False), tie)


def _own_district(name: str, row: Row) -> list[str | None]:
    match name:
        case "order":
            return [row["place"].get("district_code")]
        case "task":
            return [row["detail"].get("district_code")]
        case _:
            return []


def _crew(row: Row, now_ms: int) -> Told:
    tie = Tie(districts_of(row["district_code"]), frozenset({(row["crew_id"], None)}))
    clear, masked = (crews.from_row(row, now_ms, clear=each) for each in (True, False))
    return Told("crew", clear, masked, in_scope(tie), lambda who: crews.sees(row, who))


async def _remarks(store: Store, ids: Sequence[UUID]) -> list[Told]:
    rows = await remarks_rows.rows_by_id(store, ids) if ids else []
    ties = await ties_of(store, rows)
    return [
        _told("remark", remarks.from_row(row), remarks.from_row(masking.remark(row)), ties.of(row["incident_id"], None)) for row in rows
    ]


async def _attachments(store: Store, ids: Sequence[UUID]) -> list[Told]:
    told = []
    for row in await store.rows(attachments_sql.BY_ID, {"ids": list(ids)}) if ids else []:
        picture = attachments.Attachment(**row)
        told.append(Told("attachment", picture, picture, in_scope(Tie(districts_of(row["district_code"]), crews_of([row]))), _reads_people))
    return told


async def _handovers(store: Store, ids: Sequence[UUID]) -> list[Told]:
    found = await handover.by_id(store, ids) if ids else {}
    return [Told("handover", brief, brief, partial(_hands_over, brief.desk), _reads_people) for brief in found.values()]


def _hands_over(desk: str, who: Who) -> bool:
    """In whose districts all of the desk lies: whom the list shows it."""
    return who.may("handover") and who.scope.crew_id is None and covers(who.scope.districts, desk)


class TakenBack(BaseModel):
    """Says to a crew that an order is no longer theirs: what they knew of it they read again, and find no more."""

    reason: Literal["taken_back"] = "taken_back"
    order_no: str
    since_ms: int | None = None
    now_ms: int


def _taken_back(step: Row, now_ms: int) -> Told:
    crew_id, said = step["detail"]["from_crew"], TakenBack(order_no=step["order_no"], now_ms=now_ms)
    return Told("resync", said, said, lambda who: who.scope.crew_id == crew_id, _reads_people)


def _reads_people(who: Who) -> bool:
    return who.may("read_people")


_STATEMENTS = {"command": commands.COMMANDS_BY_ID, "order": orders.ORDERS_BY_ID, "call": calls.CALLS_BY_ID, "task": tasks.TASKS_BY_ID}


def _of_canary(name: str, row: Row) -> bool:
    """The self-check walks every minute; it is no news to anybody who watches."""
    match name:
        case "order":
            return bool(row["kind"] == "canary")
        case "command":
            return bool(row["device_id"] == CANARY_METER)
        case "call":
            return calls.of_canary(row)
        case _:
            return bool(row["home_id"] == CANARY_HOME)


async def _rows(store: Store, statement: Any, ids: Sequence[UUID]) -> list[Row]:
    return await store.rows(statement, {"ids": list(ids)}) if ids else []


async def _crews(store: Store, wanted: Mapping[str, Sequence[str]], of_orders: Sequence[Row]) -> list[Row]:
    """Crews that moved, and those whose order changed: with it they are busy or free, and seen or not."""
    ids = {*wanted.get("crew", []), *(row["crew_id"] for row in of_orders if row["crew_id"] is not None)}
    return await crews.rows_by_id(store, list(ids)) if ids else []


def _uuids(wanted: Mapping[str, Sequence[str]], name: str) -> list[UUID]:
    return [UUID(thing) for thing in wanted.get(name, [])]
