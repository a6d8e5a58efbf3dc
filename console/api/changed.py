"""Reads what a notice says has changed, once for all watchers, as the GETs give it. One statement a kind, however many things."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from uuid import UUID

from pydantic import BaseModel

from console.api import calls, commands, incidents, orders, tasks, timeline
from console.joined import kin_of
from console.store import Store
from core.ids import CANARY_HOME, CANARY_METER

_REMEMBERED_CALLS = 10_000
_EARLY_INCIDENTS = 1_000


class ChangedThings:
    """Remembers which moments of a call were told, because a call's row holds all of them and each is one sentence."""

    def __init__(self) -> None:
        self._told: OrderedDict[UUID, set[str]] = OrderedDict()
        self._early: OrderedDict[UUID, list[timeline.Entry]] = OrderedDict()

    async def read(self, store: Store, wanted: Mapping[str, Sequence[str]]) -> list[tuple[str, BaseModel]]:
        """(event name, thing) for ``wanted`` (kind of notice -> ids). Raises DatabaseAway."""
        told: list[tuple[str, BaseModel]] = []
        # The clocks of every incident that an order or call serves move with it, whichever it began for.
        incident_ids = (await kin_of(store, _uuids(wanted, "incident"))).all()
        wanted = {**wanted, "incident": [str(each) for each in incident_ids]}
        for name, by_id in (
            ("incident", incidents.by_id),
            ("command", commands.by_id),
            ("order", orders.by_id),
            ("call", calls.by_id),
            ("task", tasks.by_id),
        ):
            if ids := _uuids(wanted, name):
                things: Mapping[UUID, BaseModel] = await by_id(store, ids)
                told += [(name, thing) for thing in things.values() if not _of_canary(thing)]
        entries = await self._entries(store, wanted)
        # Dispatch hears of an incident over the broker and may write before the line has: its sentences wait for their place.
        for incident_id in _uuids(wanted, "incident"):
            entries = [*((incident_id, entry) for entry in self._early.pop(incident_id, [])), *entries]
        if entries:
            placed = await timeline.live(store, entries)
            told += [("timeline", entry) for entry in placed if entry.incident_kind != "canary"]
            self._keep(entries, {entry.entry_id for entry in placed})
        return told

    def _keep(self, entries: Sequence[tuple[UUID, timeline.Entry]], placed: set[str]) -> None:
        for incident_id, entry in entries:
            if entry.entry_id not in placed:
                self._early.setdefault(incident_id, []).append(entry)
        while len(self._early) > _EARLY_INCIDENTS:
            self._early.popitem(last=False)

    async def _entries(self, store: Store, wanted: Mapping[str, Sequence[str]]) -> list[tuple[UUID, timeline.Entry]]:
        found: list[tuple[UUID, timeline.Entry]] = []
        if ids := _uuids(wanted, "timeline"):
            rows = await store.rows(timeline.EVENTS_BY_ID, {"ids": ids})
            found += [(row["incident_id"], timeline.of_event(row)) for row in rows]
        if numbers := [int(thing) for thing in wanted.get("step", [])]:
            rows = await store.rows(timeline.STEPS_BY_NO, {"ids": numbers})
            found += [(row["incident_id"], timeline.of_step(row)) for row in rows]
        if ids := _uuids(wanted, "call"):
            for row in await store.rows(timeline.CALLS_BY_ID, {"ids": ids}):
                told = self._told.setdefault(row["call_id"], set())
                fresh = [entry for entry in timeline.of_call(row) if entry.kind not in told]
                told.update(entry.kind for entry in fresh)
                found += [(row["incident_id"], entry) for entry in fresh]
            while len(self._told) > _REMEMBERED_CALLS:
                self._told.popitem(last=False)
        return sorted(found, key=lambda pair: pair[1].at_ms)


def _of_canary(thing: BaseModel) -> bool:
    """The self-check walks every minute; it is no news to anybody who watches."""
    match thing:
        case incidents.Incident() | orders.Order():
            return thing.kind == "canary"
        case commands.Command():
            return thing.device_id == CANARY_METER
        case calls.Call():
            return calls.of_canary(thing)
        case tasks.Task():
            return thing.home_id == CANARY_HOME
        case _:
            return False


def _uuids(wanted: Mapping[str, Sequence[str]], name: str) -> list[UUID]:
    return [UUID(thing) for thing in wanted.get(name, [])]
