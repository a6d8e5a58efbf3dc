"""The work-order board: open orders by column with their ages, and taking one from its crew. Dispatch writes orders and decides."""

from typing import Annotated, Any, Final, LiteralString

from fastapi import Depends, Response
from pydantic import BaseModel, Field

from console import masking
from console.access.in_scope import home_open
from console.access.scope import order_in_scope
from console.access.who import Who
from console.api import orders
from console.api.needs import Console, needs, noun
from console.api.reader import Reader
from console.api.requests import ANSWERS, Asked, Note, Outcome, actor_of, put
from console.desk.columns import COLUMN_OF, COLUMNS
from console.problems import responses

router = noun("orders")

_SHOWN_MAX: Final = 100

# Since when an order stands in its state: the last step that brought it there, not one that only noted something.
BOARD: Final[LiteralString] = f"""
    WITH standing AS (
        SELECT o.order_id, o.home_id, o.incident_id, o.created_ms, o.priority, c.board_column,
               coalesce((SELECT max(s.at_ms) FROM order_steps s WHERE s.order_id = o.order_id AND s.to_state = o.state
                         AND s.from_state IS DISTINCT FROM s.to_state), o.created_ms) AS since_ms
        FROM work_orders o JOIN unnest(%(states)s::text[], %(columns)s::text[]) AS c (state, board_column) USING (state)
        WHERE o.archived_ms IS NULL AND o.kind <> 'canary' AND {order_in_scope("o")}
    ), ranked AS (
        SELECT standing.*, count(*) OVER wide AS many, min(since_ms) OVER wide AS oldest_ms,
               row_number() OVER (PARTITION BY board_column ORDER BY priority, since_ms, order_id) AS place
        FROM standing WINDOW wide AS (PARTITION BY board_column)
    )
    SELECT ranked.order_id, board_column, since_ms, many, oldest_ms, {home_open("ranked.home_id", "ranked.incident_id")} AS home_open
    FROM ranked WHERE place <= %(shown)s ORDER BY board_column, place"""


class BoardOrder(orders.Order):
    """An order on the board."""

    since_ms: int = Field(description="it stands in its state since, Unix ms")


class ColumnCount(BaseModel):
    """How much stands in a column."""

    count: int = Field(description="all of them, also where fewer are listed")
    oldest_ms: int | None = Field(description="since when the one stands there that stands there longest, Unix ms; null: empty")


class BoardCounts(BaseModel):
    """Of every column."""

    waiting: ColumnCount
    assigned: ColumnCount
    accepted: ColumnCount
    on_site: ColumnCount
    made_safe: ColumnCount
    tested: ColumnCount
    no_access: ColumnCount


class Board(BaseModel):
    """Open orders by column, each column by priority and then by age, at most 100 of each."""

    waiting: list[BoardOrder] = Field(description="no crew yet · 等待派单")
    assigned: list[BoardOrder] = Field(description="派单")
    accepted: list[BoardOrder] = Field(description="接单")
    on_site: list[BoardOrder] = Field(description="到场")
    made_safe: list[BoardOrder] = Field(description="已控制, its cause known or not yet")
    tested: list[BoardOrder] = Field(description="严密性试验合格, gas restored or not yet")
    no_access: list[BoardOrder] = Field(description="到访不遇")
    counts: BoardCounts
    now_ms: int = Field(description="Unix ms: ages are counted to this")


class ReassignOrder(Asked):
    """Take an order from its crew."""

    crew_id: str | None = Field(None, min_length=1, max_length=64, description="to this crew; absent: to the nearest other that is free")
    note: Note = ""


@router.get("/board", summary="Open orders by column · 抢修单看板", responses=responses())
async def read_board(console: Console, who: Reader) -> Board:
    """Everything that is not archived, in scope."""
    states: list[str] = list(COLUMN_OF)
    values = {"states": states, "columns": list(COLUMN_OF.values()), "shown": _SHOWN_MAX, **who.scope.values()}
    standing = await console.store.rows(BOARD, values)
    found = await console.store.rows(orders.ORDERS_BY_ID, {"ids": [row["order_id"] for row in standing]})
    by_id = {row["order_id"]: row for row in found}
    columns: dict[str, list[BoardOrder]] = {column: [] for column in COLUMNS}
    counts: dict[str, Any] = {column: ColumnCount(count=0, oldest_ms=None) for column in COLUMNS}
    for row in standing:
        counts[row["board_column"]] = ColumnCount(count=row["many"], oldest_ms=row["oldest_ms"])
        # Archived between the two statements: it is on no board any more.
        if (order := by_id.get(row["order_id"])) is not None:
            shown = orders.from_row(order, clear=masking.sees_people(who, home_open=row["home_open"]))
            columns[row["board_column"]].append(BoardOrder.model_construct(**dict(shown), since_ms=row["since_ms"]))
    return Board(**columns, counts=BoardCounts(**counts), now_ms=console.clock.now_ms())


@router.post("/orders/{order_no}/reassign", summary="Give an order to another crew · 改派", responses=ANSWERS, tags=["requests"])
async def reassign(
    console: Console,
    response: Response,
    who: Annotated[Who, Depends(needs("assign"))],
    order_no: orders.OrderNo,
    asked: ReassignOrder,
) -> Outcome:
    """Dispatch takes it from its crew and sends another, or refuses: after made safe it stays."""
    await orders.known(console.store, order_no, who)
    body = {"order_no": order_no, "note": asked.note, **({} if asked.crew_id is None else {"crew_id": asked.crew_id})}
    return await put(console, response, "dispatch", "reassign", actor_of(who, asked.actor), body)
