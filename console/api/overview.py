"""The figures at the head of the page: how many homes are watched, what is open, who is free.

Counts what its reader may see, and judges nothing.
"""

from collections import OrderedDict
from typing import Any
from weakref import WeakKeyDictionary

from pydantic import BaseModel, Field

from console.access.in_scope import TASK_IN_SCOPE, incident_in_scope
from console.access.scope import IN_SCOPE_HOME, IN_SCOPE_ORDER, Scope
from console.api.crews import CREWS, from_row
from console.api.needs import Console, noun
from console.api.reader import Reader
from console.briefly import Briefly
from console.desk.alarmed_again import alarms_anew
from console.problems import responses
from console.running import Running
from console.store import Row

router = noun("homes")

# Homes come and go by registry import alone, and there are many: they are counted less often than what goes on in them.
HOMES = f"""
    SELECT count(*) AS homes, count(*) FILTER (WHERE simulated) AS homes_simulated FROM homes
    WHERE retired_at IS NULL AND {IN_SCOPE_HOME}"""
FIGURES = f"""
    SELECT o.*, c.*,
           (SELECT count(*) FROM tasks WHERE done_ms IS NULL AND home_id IS DISTINCT FROM 'CANARY' AND {TASK_IN_SCOPE}) AS tasks_open,
           (SELECT count(DISTINCT home_id) FROM valve_holds JOIN homes USING (home_id)
            WHERE lifted_ms IS NULL AND retired_at IS NULL AND {IN_SCOPE_HOME}) AS valves_closed_by_hold
    FROM (SELECT count(*) AS orders_open, count(*) FILTER (WHERE state = 'waiting') AS orders_waiting FROM work_orders
          WHERE archived_ms IS NULL AND kind <> 'canary' AND {IN_SCOPE_ORDER}) AS o,
         (SELECT count(DISTINCT home_id) FILTER (WHERE condition = 'blind') AS blind,
                 count(DISTINCT home_id) FILTER (WHERE condition = 'silent') AS silent,
                 count(DISTINCT home_id) FILTER (WHERE condition = 'powerless') AS powerless
          FROM home_conditions JOIN homes USING (home_id) WHERE ended_ms IS NULL AND retired_at IS NULL AND {IN_SCOPE_HOME}) AS c"""
# How far each open incident has come, by the order that works it, under whatever id of the incident that was made.
STEPS = f"""
    WITH opened AS MATERIALIZED (
        SELECT i.incident_id, i.received_ms, i.kind, i.valve,
               (SELECT max(r.alarm_ms) FROM incident_remarks r WHERE r.incident_id = i.incident_id AND r.kind = 'acknowledge') AS seen_ms
        FROM incidents i WHERE i.state = 'open' AND i.kind <> 'canary' AND {incident_in_scope("i")}),
    worked AS (
        SELECT incident_id, w.order_id FROM opened JOIN work_orders w USING (incident_id)
        UNION SELECT opened.incident_id, w.order_id FROM opened JOIN incident_aliases a USING (incident_id)
              JOIN work_orders w ON w.incident_id = a.alias_id
        UNION SELECT opened.incident_id, a.order_id FROM opened JOIN order_aliases a USING (incident_id)),
    stepped AS (
        SELECT DISTINCT ON (opened.incident_id) opened.incident_id, opened.received_ms, opened.seen_ms, w.accepted_ms,
               CASE WHEN w.state IN ('restored', 'archived') THEN 'restored'
                    WHEN w.state = 'tightness_passed' THEN 'tested'
                    WHEN w.state IN ('made_safe', 'cause_recorded') THEN 'made_safe'
                    WHEN w.state = 'on_site' THEN 'on_site'
                    WHEN opened.valve IN ('commanded', 'accepted', 'no_answer', 'refused', 'travel_time_over', 'gas_still_flows')
                        THEN 'closing'
                    WHEN w.state NOT IN ('created', 'waiting') THEN 'crew_under_way'
                    WHEN opened.kind IN ('unknown_sender', 'garbled_alarm') THEN 'unplanned'
                    ELSE 'crew_wanted' END AS step
        FROM opened LEFT JOIN worked USING (incident_id) LEFT JOIN work_orders w USING (order_id)
        ORDER BY opened.incident_id, (w.kind = 'emergency') DESC NULLS LAST, w.created_ms)
    SELECT step, count(*) AS incidents,
           min(CASE WHEN seen_ms IS NULL AND accepted_ms IS NULL THEN received_ms
                    ELSE (SELECT min(anew.at_ms) FROM {alarms_anew("stepped")} AS anew WHERE anew.at_ms > greatest(seen_ms, accepted_ms))
               END) AS unhandled_ms
    FROM stepped GROUP BY step"""

_CREWS_MAX = 1000
_SCOPES_MAX = 200
_HOMES_SECONDS = 10.0


class Steps(BaseModel):
    """Open incidents by how far they have come; each is counted once."""

    closing: int = Field(0, description="the valve is not yet reported closed, and nobody is on site")
    crew_wanted: int = Field(0, description="the valve is closed or there is none, and no crew is given yet")
    unplanned: int = Field(0, description="the same, where no crew is sent until a person plans it: an unknown sender, a garbled alarm")
    crew_under_way: int = Field(0, description="the valve is closed or there is none, and a crew is given")
    on_site: int = Field(0, description="到场")
    made_safe: int = Field(0, description="已控制")
    tested: int = Field(0, description="严密性试验 passed")
    restored: int = Field(0, description="复气, or no gas is to be restored")


class Overview(BaseModel):
    """What is watched and what is going on, of what you may see. At most a second old, the homes ten."""

    homes: int = Field(description="homes in service")
    homes_simulated: int = Field(description="of them simulated")
    incidents_open: int = Field(description="without the self-check")
    incidents_by_step: Steps
    oldest_unhandled_ms: int | None = Field(
        description="the oldest alarm of an open incident, its first or one anew, that nobody has acknowledged and no crew accepted since "
        "came then, Unix ms; null: none"
    )
    orders_open: int
    orders_waiting: int = Field(description="orders that no crew is free for")
    tasks_open: int
    valves_closed_by_hold: int = Field(description="homes whose valve is kept closed by a hold")
    blind: int = Field(description="homes whose detector cannot detect")
    silent: int = Field(description="homes with a device that is not heard: unknown, never normal")
    powerless: int = Field(description="homes with a device that has no mains")
    canary_age_s: float | None = Field(description="seconds since the last full self-check; null: off, or the line cannot be asked")
    canary_passed: bool = Field(
        description="a self-check was full since the line started; before the first, canary_age_s counts from the start"
    )
    crews: int
    crews_free: int = Field(description="on duty and without an order")
    crews_busy: int
    at_ms: int = Field(description="Unix ms")


class _Counted:
    """What was counted lately in each scope."""

    def __init__(self) -> None:
        self._scopes: OrderedDict[Scope, tuple[Briefly[Overview], Briefly[Row]]] = OrderedDict()

    def of(self, scope: Scope) -> tuple[Briefly[Overview], Briefly[Row]]:
        if scope not in self._scopes:
            self._scopes[scope] = (Briefly(1.0), Briefly(_HOMES_SECONDS))
        self._scopes.move_to_end(scope)
        while len(self._scopes) > _SCOPES_MAX:
            self._scopes.popitem(last=False)
        return self._scopes[scope]


_COUNTED: WeakKeyDictionary[Running, _Counted] = WeakKeyDictionary()


@router.get("/overview", summary="Figures at a glance · 概览", responses=responses())
async def read_overview(console: Console, who: Reader) -> Overview:
    """Homes, open incidents and orders, crews."""
    scope = who.scope
    brief, homes = _COUNTED.setdefault(console, _Counted()).of(scope)
    return await brief.get(lambda: _count(console, scope, homes))


async def _count(console: Running, scope: Scope, homes: Briefly[Row]) -> Overview:
    now = console.clock.now_ms()
    values = scope.values()

    async def count_homes() -> Row:
        return await console.store.row(HOMES, values) or {}

    figures: dict[str, Any] = {**await homes.get(count_homes), **(await console.store.row(FIGURES, values) or {})}
    steps = await console.store.rows(STEPS, values)
    crews = [from_row(crew, now, clear=False) for crew in await console.store.rows(CREWS, {"last": None, "rows": _CREWS_MAX, **values})]
    health = await console.doctor.ask(now)
    age = health.parts["line"].detail.get("canary_age_s")
    return Overview(
        **figures,
        incidents_open=sum(row["incidents"] for row in steps),
        incidents_by_step=Steps(**{row["step"]: row["incidents"] for row in steps}),
        oldest_unhandled_ms=min((row["unhandled_ms"] for row in steps if row["unhandled_ms"] is not None), default=None),
        canary_age_s=age if isinstance(age, int | float) else None,
        canary_passed=health.parts["line"].detail.get("canary_passed") is not False and isinstance(age, int | float),
        crews=len(crews),
        crews_free=sum(crew.state == "free" for crew in crews),
        crews_busy=sum(crew.state == "busy" for crew in crews),
        at_ms=now,
    )
