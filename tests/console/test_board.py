"""The work-order board: every open order in one column, its age from the step that brought it there, and giving one to another crew."""

from collections.abc import AsyncIterator
from typing import get_args

import pytest

from console.desk.columns import COLUMN_OF, COLUMNS
from dispatch.judgement.order_table import OrderState
from tests.console.desk_stage import OPERATOR, Desk, person, running_desk
from tests.console.stage import T0, Records
from tests.console.test_requests import station

DISPATCHER = person("wang", "dispatcher")


@pytest.fixture
async def desk(database: str) -> AsyncIterator[Desk]:
    async with running_desk(database) as found:
        yield found


def test_every_state_but_archived_has_a_column() -> None:
    assert set(COLUMN_OF) == set(get_args(OrderState)) - {"archived"}
    assert set(COLUMN_OF.values()) == set(COLUMNS)


async def test_orders_stand_in_their_columns_first_to_be_worked_first(desk: Desk, records: Records) -> None:
    for number, (state, priority) in enumerate(
        [("waiting", 2), ("waiting", 1), ("assigned", 1), ("accepted", 1), ("on_site", 1), ("cause_recorded", 1), ("made_safe", 2),
         ("tightness_passed", 1), ("restored", 1), ("no_access", 1), ("created", 3)], start=1,
    ):  # fmt: skip
        records.order(records.incident(number, home_id=f"h{number}"), number, state=state, priority=priority, at_ms=T0 + number)
    records.order(records.incident(20, home_id="h20"), 20, state="archived", archived_ms=T0)
    records.order(records.incident(21, home_id="h21"), 21, state="waiting", kind="canary")
    board = await desk.get("/board")
    numbers = {column: [int(order["order_no"][-4:]) for order in board[column]] for column in COLUMNS}
    assert numbers == {
        "waiting": [2, 1, 11], "assigned": [3], "accepted": [4], "on_site": [5], "made_safe": [6, 7], "tested": [8, 9], "no_access": [10],
    }  # fmt: skip
    assert {column: count["count"] for column, count in board["counts"].items()} == {name: len(found) for name, found in numbers.items()}
    assert board["now_ms"] > 0


async def test_an_order_is_as_old_as_the_step_that_brought_it_there(desk: Desk, records: Records) -> None:
    order = records.order(records.incident(1, home_id=None, place="x", home={}), state="on_site", at_ms=T0)
    for at_ms, event, before, after in (
        (T0, "created", None, "created"),
        (T0 + 10, "assign", "created", "assigned"),
        (T0 + 90, "arrive", "accepted", "on_site"),
        (T0 + 95, "valve", "on_site", "on_site"),
    ):
        records.put("order_steps", order_id=order, at_ms=at_ms, event=event, from_state=before, to_state=after, actor="dispatch")
    board = await desk.get("/board")
    assert [found["since_ms"] for found in board["on_site"]] == [T0 + 90]
    assert board["counts"]["on_site"] == {"count": 1, "oldest_ms": T0 + 90}
    assert board["counts"]["waiting"] == {"count": 0, "oldest_ms": None}


async def test_a_column_lists_a_hundred_and_counts_all(desk: Desk, records: Records) -> None:
    records.db.execute(
        """INSERT INTO work_orders
           (order_id, order_no, kind, incident_id, incident_kind, simulated, priority, state, place, valve, created_ms)
           SELECT gen_random_uuid(), 'QX-260402-' || n, 'emergency', gen_random_uuid(), 'leak', true, 1, 'waiting', '{}', 'commanded', n
           FROM generate_series(1, 250) AS n"""
    )
    board = await desk.get("/board")
    assert (len(board["waiting"]), board["counts"]["waiting"]) == (100, {"count": 250, "oldest_ms": 1})
    assert [order["created_ms"] for order in board["waiting"]] == list(range(1, 101))


async def test_everybody_sees_his_own_board(desk: Desk, records: Records) -> None:
    records.crew("c1")
    here = records.incident(1, home_id="h1")
    records.order(here, 1, state="assigned", crew_id="c1", place={"district_code": "430102"})
    records.order(records.incident(2, home_id="h2"), 2, state="assigned", crew_id="c2", place={"district_code": "430104"})
    for who, count in (
        (OPERATOR, 2),
        (person("fu", "operator", districts=("430102",)), 1),
        (person("t", "technician", crew_id="c1"), 1),
        (person("u", "technician", crew_id="c3"), 0),
    ):
        board = await desk.get("/board", who)
        assert (len(board["assigned"]), board["counts"]["assigned"]["count"]) == (count, count)


async def test_an_order_is_given_to_another_crew_by_dispatch(desk: Desk, database: str, records: Records) -> None:
    records.order(records.incident(1, home_id="h1"), state="assigned", crew_id="c1", place={"district_code": "430102"})
    path = "/orders/QX-260402-0001/reassign"
    with station(database, "dispatch", "done", {"crew_id": "c2"}) as asked:
        answer = await desk.post(path, DISPATCHER, crew_id="c2", note="路近")
        assert answer["answer"] == {"crew_id": "c2"}
        await desk.post(path, DISPATCHER)
    assert asked == [
        {"kind": "reassign", "actor": "wang", "body": {"order_no": "QX-260402-0001", "crew_id": "c2", "note": "路近"}},
        {"kind": "reassign", "actor": "wang", "body": {"order_no": "QX-260402-0001", "note": ""}},
    ]


async def test_a_refusal_of_dispatch_is_handed_on(desk: Desk, database: str, records: Records) -> None:
    records.order(records.incident(1, home_id="h1"), state="made_safe")
    with station(database, "dispatch", "refused", {"reason": "made_safe_stays", "zh": "不改派", "en": "it stays"}):
        assert await desk.refused("POST", "/orders/QX-260402-0001/reassign", DISPATCHER) == (409, "made_safe_stays")


async def test_who_may_not_assign_asks_nobody(desk: Desk, records: Records) -> None:
    records.order(records.incident(1, home_id="h1"), state="assigned", place={"district_code": "430102"})
    path = "/orders/QX-260402-0001/reassign"
    assert await desk.refused("POST", path, OPERATOR) == (403, "not_allowed")
    assert await desk.refused("POST", path, person("yue", "dispatcher", districts=("430104",))) == (404, "not_found")
    assert await desk.refused("POST", "/orders/none/reassign", DISPATCHER) == (404, "not_found")
    assert records.db.execute("SELECT count(*) FROM requests").fetchone() == (0,)
