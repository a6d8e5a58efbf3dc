"""The list of devices, by their ids, each with the latest that was heard of it. Reads the registry and what the line wrote.

Decides by what a list of 384,000 is narrowed: all of it goes along an index. One device alone is ``console.api.homes``.
"""

from typing import Annotated, Literal

from fastapi import Query

from alarm_engine.judgement.conditions import Condition
from console.access.in_scope import DEVICE_IN_SCOPE
from console.api.homes import DEVICE_COLUMNS, Device
from console.api.needs import Console, Database, noun
from console.api.reader import Reader
from console.paging import After, Limit, Page, behind, next_of
from console.problems import responses

router = noun("homes")

# As bytes, whatever the language of the database: a beginning is then one stretch of the index, and the pages go along it.
# The rest of each device is read for the rows of the page alone.
DEVICES = f"""
    WITH listed AS MATERIALIZED (
        SELECT d.* FROM devices d
        WHERE d.retired_at IS NULL AND {DEVICE_IN_SCOPE}
          AND (%(kind)s::text IS NULL OR d.kind = %(kind)s)
          AND (%(home_id)s::text IS NULL OR d.home_id = %(home_id)s)
          AND (%(district_code)s::text IS NULL
               OR EXISTS (SELECT FROM homes h WHERE h.home_id = d.home_id AND h.district_code = %(district_code)s))
          AND (%(condition)s::text IS NULL OR d.device_id IN (
               SELECT c.device_id FROM home_conditions c WHERE c.condition = %(condition)s AND c.ended_ms IS NULL))
          AND (%(beginning)s::text IS NULL OR d.device_id COLLATE "C" LIKE %(beginning)s)
          AND (%(last)s::text IS NULL OR d.device_id COLLATE "C" > %(last)s)
        ORDER BY d.device_id COLLATE "C" LIMIT %(rows)s)
    SELECT {DEVICE_COLUMNS} FROM listed d LEFT JOIN device_state s USING (device_id) ORDER BY d.device_id COLLATE "C"
    """


@router.get("/devices", summary="Devices with the latest heard of them · 设备列表", responses=responses(422))
async def list_devices(
    store: Database,
    console: Console,
    who: Reader,
    kind: Annotated[Literal["meter", "detector", "hub"] | None, Query(description="devices of this kind only")] = None,
    home_id: Annotated[str | None, Query(max_length=64, description="devices of this home")] = None,
    district_code: Annotated[str | None, Query(max_length=12, description="GB/T 2260", examples=["430102"])] = None,
    condition: Annotated[Condition | None, Query(description="devices that make their home blind, silent or powerless now")] = None,
    device_id: Annotated[str | None, Query(min_length=1, max_length=32, description="devices whose id begins with this")] = None,
    limit: Limit = 50,
    after: After = None,
) -> Page[Device]:
    """Devices in service, sorted by id. All filters must hold. A hub stands in no home: every desk sees it.

    A search with `device_id` is recorded: a device leads to its home.
    """
    (last,) = behind("devices", after, str)
    beginning = None if device_id is None else device_id.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    values = {"kind": kind, "home_id": home_id, "district_code": district_code, "condition": condition, "beginning": beginning}
    rows = await store.rows(DEVICES, {**values, "last": last, "rows": limit + 1, **who.scope.values()})
    if device_id is not None:
        homes = dict.fromkeys(row["home_id"] for row in rows[:limit] if row["home_id"] is not None)
        await console.access.audit.note_search(who, device_id, list(homes))
    return Page(
        items=[Device(**row) for row in rows[:limit]],
        next=next_of("devices", rows, limit, lambda row: (row["device_id"],)),
    )
