"""Today's promise kept: how many leaks were answered within a second, and how many had somebody on site within half an hour."""

from typing import Final, LiteralString

from pydantic import BaseModel, Field

from console.access.in_scope import incident_in_scope
from console.access.who import Who
from console.api.needs import Console, noun
from console.api.reader import Reader
from console.desk.memory import memory
from console.desk.promise_kept import Kept, day_of, promises
from console.joined import JOINED
from console.problems import responses
from console.running import Running

router = noun("incidents")

LEAKS: Final[LiteralString] = f"""
    SELECT i.incident_id FROM incidents i
    WHERE i.received_ms >= %(since_ms)s AND i.kind IN ('leak', 'hotline_report') AND {incident_in_scope("i")}"""
# The caller of a hotline report is not rung, and whoever else there is may not be: only a leak promises a call.
CLOCKS: Final[LiteralString] = f"""
    WITH {JOINED},
    worked AS (SELECT asked, min(w.created_ms) AS created_ms, min(w.on_site_ms) AS on_site_ms
               FROM ordered JOIN work_orders w USING (order_id) WHERE w.kind = 'emergency' GROUP BY asked),
    rung AS (SELECT asked, min(c.placed_ms) AS placed_ms FROM named JOIN calls c ON c.incident_id = named.id GROUP BY asked)
    SELECT i.received_ms AS "T2", i.close_sent_ms AS "T3", rung.placed_ms AS "T6a", worked.created_ms AS "T8", worked.on_site_ms AS "T11",
           i.valve NOT IN ('no_meter', 'none') AS can_close,
           i.kind = 'leak' AND jsonb_array_length(coalesce(i.home -> 'contacts', '[]')) > 0 AS can_ring
    FROM asked JOIN incidents i ON i.incident_id = asked.asked
    LEFT JOIN worked USING (asked) LEFT JOIN rung USING (asked)"""


class PromiseCount(BaseModel):
    """One promise over the day."""

    kept: int = Field(description="kept within their time")
    of: int = Field(description="that were due: kept or missed")
    pending: int = Field(description="have still time, and are in neither count")
    worst_ms: int | None = Field(description="the longest it took, ms; null while nothing was carried out")


class PromiseKept(BaseModel):
    """The promises of the local day in Changsha. The self-check is not counted."""

    day: str = Field(description="YYYY-MM-DD", examples=["2026-04-02"])
    leaks: int = Field(description="leaks and hotline reports received today")
    close_sent_1s: PromiseCount = Field(description="close command within 1 s of receiving (T2 to T3), where there is a valve to close")
    called_1s: PromiseCount = Field(description="first call placed within 1 s (T2 to T6a), where there is somebody to ring")
    ordered_1s: PromiseCount = Field(description="work order within 1 s (T2 to T8)")
    on_site_30min: PromiseCount = Field(description="crew on site within 30 min (T2 to T11)")
    at_ms: int = Field(description="Unix ms")


@router.get("/promise", summary="Today's promise kept · 今日承诺", responses=responses())
async def read_promise(console: Console, who: Reader) -> PromiseKept:
    """At most two seconds old."""
    return await memory(console).promise.get(who.scope, lambda: _count(console, who))


async def _count(console: Running, who: Who) -> PromiseKept:
    now = console.clock.now_ms()
    day, since_ms = day_of(now)
    leaks = await console.store.rows(LEAKS, {**who.scope.values(), "since_ms": since_ms})
    clocks = await console.store.rows(CLOCKS, {"ids": [row["incident_id"] for row in leaks]}) if leaks else []
    found = promises(clocks, now)
    return PromiseKept(
        day=day,
        leaks=found.leaks,
        close_sent_1s=_told(found.close_sent),
        called_1s=_told(found.called),
        ordered_1s=_told(found.ordered),
        on_site_30min=_told(found.on_site),
        at_ms=now,
    )


def _told(kept: Kept) -> PromiseCount:
    return PromiseCount(kept=kept.kept, of=kept.of, pending=kept.pending, worst_ms=kept.worst_ms)
