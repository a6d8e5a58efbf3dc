"""How far an incident is, is counted here and worded by the pages, by a table of their own: the two must say the same."""

import re
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Final, get_args

from alarm_engine.judgement.alarm_table import ALARM_TABLE
from console.api.overview import Steps
from core.station import IncidentKind, ValveKnowledge
from dispatch.judgement.order_table import OrderState
from tests.console.stage import Records, Served

WORDS: Final = (Path(__file__).resolve().parents[2] / "console" / "web" / "src" / "shared" / "words.ts").read_text(encoding="utf-8")
KINDS: Final = [kind for kind in ALARM_TABLE if kind != "canary"]
STATES: Final = [None, *get_args(OrderState)]


def _listed(name: str) -> list[str]:
    body = re.search(rf"const {name}\b[^=]*= [^\[]*\[([^\]]*)\]", WORDS)
    assert body is not None, name
    return re.findall(r'"(\w+)"', body[1])


def _of_order() -> dict[str, str]:
    body = re.search(r"const STEP_OF_ORDER[^=]*= \{(.*?)\};", WORDS, re.DOTALL)
    assert body is not None
    return dict(re.findall(r'(\w+): "(\w+)"', body[1]))


def _step(kind: str, valve: str, state: str | None) -> str:
    """As the pages' ``stepOf`` does."""
    if step := _of_order().get(state or "created"):
        return step
    if valve in _listed("CLOSING"):
        return "closing"
    if state not in {None, "created", "waiting"}:
        return "crew_under_way"
    return "unplanned" if kind in _listed("PLANNED_BY_HAND") else "crew_wanted"


def test_the_pages_name_the_steps_that_are_counted() -> None:
    assert _listed("STEPS") == list(Steps.model_fields)
    assert _listed("PLANNED_BY_HAND") == [kind for kind in KINDS if not ALARM_TABLE[kind].crew]


def test_every_incident_is_counted_where_the_pages_show_it(console: Served, records: Records) -> None:
    """Nobody is under way to a place that no crew was given."""
    stories: set[tuple[IncidentKind, str, str | None]]
    stories = {("leak", valve, state) for valve, state in product(get_args(ValveKnowledge), (None, "waiting", "accepted"))}
    stories |= {(kind, valve, state) for kind, valve, state in product(KINDS, ("none", "commanded"), STATES)}
    for number, (kind, valve, state) in enumerate(sorted(stories, key=str), 1):
        incident = records.incident(number, kind=kind, valve=valve)
        if state is not None:
            records.order(incident, number, incident_kind=kind, kind=ALARM_TABLE[kind].order, state=state)
    counted = console.get("/api/v1/overview")["incidents_by_step"]
    assert counted == {**dict.fromkeys(_listed("STEPS"), 0), **Counter(_step(*story) for story in stories)}
    assert all(counted.values()), "a step that nothing of this comes to"
