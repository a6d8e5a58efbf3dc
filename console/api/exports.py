"""Downloads of incidents and of work orders over a period, as CSV, for a reason. It is on record before the first line is given.

Decides how much is held at once: a piece is read, written and forgotten, however long the period, and no connection to the database is kept
for somebody whose download is slow. Names are shown or masked as the lists show them to whoever asks, within his districts.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, LiteralString

from fastapi import Depends
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from console import masking
from console.access.who import Who
from console.api import incidents, orders
from console.api.needs import Console, needs, noun
from console.api.reason import Reason
from console.desk import export_columns, sheet
from console.problems import responses
from console.running import Running
from console.store import Row
from console.vocabulary import ORDER_STATES, said
from core.local_time import local

router = noun("incidents")

PIECE: Final = 200
_YEARS_MS: Final = 4_102_444_800_000
_LONGEST_MS: Final = 366 * 86_400_000
_FILE: Final = {
    200: {
        "description": "UTF-8 with a byte order mark; times are Beijing time / CSV 文件，时间为北京时间",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    },
    **responses(422),
}
Moment = Annotated[int, Field(ge=0, le=_YEARS_MS)]
Exporter = Annotated[Who, Depends(needs("export"))]


class Export(BaseModel):
    """A period, and why it is wanted."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason
    from_ms: Moment = Field(description="from, Unix ms: incidents by when they were received, orders by when they were created")
    to_ms: Moment = Field(description="to, excluded, Unix ms; at most 366 days after `from_ms`")
    language: Literal["zh", "en"] | None = Field(None, description="of the file; left out: yours")

    @model_validator(mode="after")
    def _is_a_period(self) -> "Export":
        if not 0 < self.to_ms - self.from_ms <= _LONGEST_MS:
            raise ValueError("to_ms must be after from_ms, by no more than 366 days")
        return self


Shown = Callable[[Sequence[Row]], Awaitable[list[dict[str, Any]]]]


@router.post("/exports/incidents", summary="Download incidents as CSV · 导出事件", response_class=StreamingResponse, responses=_FILE)
async def export_incidents(console: Console, who: Exporter, asked: Export) -> StreamingResponse:
    """Newest first, with every clock and how each ended; the self-check's are left out."""

    async def shown(rows: Sequence[Row]) -> list[dict[str, Any]]:
        return [each.values(clear=incidents.sees(each.row, who)) for each in await incidents.gather(console.store, rows)]

    return await _download(
        console,
        who,
        asked,
        about="incidents",
        counted=incidents.INCIDENTS_COUNTED,
        listed=incidents.INCIDENTS_NEWEST,
        every=incidents.EVERY,
        key=("received_ms", "incident_id"),
        columns=export_columns.INCIDENTS,
        shown=shown,
    )


@router.post(
    "/exports/orders",
    summary="Download work orders as CSV · 导出抢修单",
    response_class=StreamingResponse,
    responses=_FILE,
    tags=["orders"],
)
async def export_orders(console: Console, who: Exporter, asked: Export) -> StreamingResponse:
    """Newest first, with their causes, tests and times; the self-check's are left out."""

    async def shown(rows: Sequence[Row]) -> list[dict[str, Any]]:
        found = [masking.shown(row, masking.order, clear=masking.sees_people(who, home_open=row["home_open"])) for row in rows]
        return [{**row, "state_words": said(ORDER_STATES, row["state"])} for row in found]

    return await _download(
        console,
        who,
        asked,
        about="orders",
        counted=orders.ORDERS_COUNTED,
        listed=orders.ORDERS_NEWEST,
        every=orders.EVERY,
        key=("created_ms", "order_id"),
        columns=export_columns.ORDERS,
        shown=shown,
    )


async def _download(
    console: Running,
    who: Who,
    asked: Export,
    *,
    about: str,
    counted: LiteralString,
    listed: LiteralString,
    every: Mapping[str, Any],
    key: tuple[str, str],
    columns: Sequence[sheet.Column],
    shown: Shown,
) -> StreamingResponse:
    language = asked.language or who.language
    filters = {**every, "since_ms": asked.from_ms, "until_ms": asked.to_ms, **who.scope.values()}
    count = await console.store.row(counted, filters)

    async def piece(last: Row | None) -> list[Row]:
        at, after = (None, None) if last is None else (last[key[0]], last[key[1]])
        return await console.store.rows(listed, {**filters, "at": at, "id": after, "rows": PIECE})

    # Read before it is recorded and answered: where the database is away nothing was exported, and that can still be said.
    first = await piece(None)
    head = sheet.heading(columns, language) + sheet.lines(columns, await shown(first), language)
    detail = {
        "from_ms": asked.from_ms,
        "to_ms": asked.to_ms,
        "rows": 0 if count is None else count["rows"],
        "districts": None if who.scope.districts is None else list(who.scope.districts),
    }
    await console.access.audit.note(who, "exported", about=about, reason=asked.reason, detail=detail)

    async def pieces() -> AsyncIterator[str]:
        yield head
        rows = first
        while len(rows) == PIECE:
            rows = await piece(rows[-1])
            if rows:
                yield sheet.lines(columns, await shown(rows), language)

    # Neither a browser nor the record of answers given (Idempotency-Key) may keep it.
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{about}-{_day(asked.from_ms)}-{_day(asked.to_ms - 1)}.csv"',
    }
    return StreamingResponse(pieces(), media_type="text/csv; charset=utf-8", headers=headers)


def _day(ms: int) -> str:
    return f"{local(ms):%Y%m%d}"
