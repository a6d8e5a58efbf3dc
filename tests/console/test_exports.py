"""Downloads: whose they are, what stands in them, what is on record of them, and that a spreadsheet carries nothing of them out."""

import asyncio
import csv
import io
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from starlette.types import Message, Receive, Scope, Send

from console.access.idempotency import OnceOnly
from console.access.rights import Role
from console.api.exports import PIECE
from console.desk import sheet
from console.desk.export_columns import INCIDENTS, ORDERS
from console.store import Store
from console.vocabulary import Words
from tests.console.eyes import HERE, city, look_as
from tests.console.stage import T0, Records, Served

EXPORTS = "/api/v1/exports"
DAY = 86_400_000
EXPORTERS: tuple[Role, ...] = ("supervisor", "engineer", "auditor")
PERIOD = {"reason": "季度报表 / quarterly report", "from_ms": T0 - 2 * DAY, "to_ms": T0 + DAY}


def asked(client: httpx.Client, about: str, **more: Any) -> httpx.Response:
    return client.post(f"{EXPORTS}/{about}", json={**PERIOD, **more})


def table(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(b"\xef\xbb\xbf"), "without it a spreadsheet in China reads another encoding"
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def test_only_who_may_export_is_given_anything(console: Served, records: Records) -> None:
    city(records)
    others: tuple[Role, ...] = ("viewer", "operator", "dispatcher", "technician", "integration")
    for role in others:
        for about in ("incidents", "orders"):
            refused = asked(look_as(console, role), about)
            assert (refused.status_code, refused.json()["reason"]) == (403, "not_allowed"), role
    assert records.db.execute("SELECT count(*) FROM audit").fetchone() == (0,)
    for role in EXPORTERS:
        for about in ("incidents", "orders"):
            assert table(asked(look_as(console, role), about)), role


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": None},
        {"reason": " "},
        {"reason": "x"},
        {"to_ms": PERIOD["from_ms"]},
        {"from_ms": T0 - 400 * DAY},
        {"language": "fr"},
        {"more": 1},
    ],
)
def test_without_a_reason_or_a_period_there_is_none(console: Served, records: Records, wrong: dict[str, Any]) -> None:
    auditor = look_as(console, "auditor")
    for about in ("incidents", "orders"):
        assert asked(auditor, about, **wrong).status_code == 422
    assert records.db.execute("SELECT count(*) FROM audit").fetchone() == (0,)


def test_incidents_come_with_their_clocks_and_how_they_ended(console: Served, records: Records) -> None:
    here, there = city(records)
    records.change("incidents", "incident_id", there.incident, state="closed", closed_ms=T0 + 3_600_007)
    facts = {"household_no": "000012345678901234", "address_zh": "芙蓉区 云栖花园 3栋", "address_en": "Building 3", "district_code": HERE}
    records.change("incidents", "incident_id", here.incident, home=facts)
    records.incident(3, kind="canary", home_id="canary-home", home={})
    records.incident(4, at_ms=T0 + 2 * DAY, home={})
    answer = asked(look_as(console, "auditor"), "incidents")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"] == 'attachment; filename="incidents-20260331-20260403.csv"'
    rows = table(answer)
    assert {row["事件编号"] for row in rows} == {str(each) for of in (here, there) for each in (of.incident, of.closed)}
    (mine,) = (row for row in rows if row["事件编号"] == str(here.incident))
    told = ("类型", "状态", "模拟", "户号", "T0 报警", "T2 平台收到", "T6a 呼出", "T10 接单", "T14 复气", "抢修单", "抢修单状态", "结束")
    assert [mine[name] for name in told] == [
        "燃气泄漏", "未结", "是", "'000012345678901234", "2026-04-02 17:00:00.000", "2026-04-02 17:00:00.040", "2026-04-02 17:00:00.070",
        "2026-04-02 17:00:00.080", "", here.order_no, "已到场", "",
    ]  # fmt: skip
    (other,) = (row for row in rows if row["事件编号"] == str(there.incident))
    assert (other["状态"], other["结束"]) == ("已结", "2026-04-02 18:00:00.007")


def test_orders_come_with_their_causes_and_times_in_either_language(console: Served, records: Records) -> None:
    here, _ = city(records)
    records.change(
        "work_orders", "order_id", here.order, cause="hose", cause_note='=HYPERLINK("http://x")\n13812341234', test_passed=True,
        test_start_kpa=5.0, made_safe_ms=T0 + 1,
    )  # fmt: skip
    records.order(uuid4(), 9, kind="canary", place={})
    rows = table(asked(look_as(console, "auditor"), "orders", language="en"))
    assert len(rows) == 2
    (mine,) = (row for row in rows if row["order"] == here.order_no)
    told = ("kind", "state", "cause", "note on the cause", "test passed", "test, start kPa", "made safe", "archived", "household number")
    assert [mine[name] for name in told] == [
        "emergency order", "on site", "hose", "'=HYPERLINK(\"http://x\")\n138****1234", "yes", "5", "2026-04-02 17:00:00.001", "", "",
    ]  # fmt: skip


def test_names_are_shown_and_masked_as_the_lists_show_them(console: Served, records: Records) -> None:
    here, there = city(records)
    records.change("incidents", "incident_id", there.incident, state="closed")
    called = {role: {row["事件编号"]: row["被叫人"] for row in table(asked(look_as(console, role), "incidents"))} for role in EXPORTERS}
    shown = {role: (names[str(here.incident)], names[str(there.incident)]) for role, names in called.items()}
    assert shown == {"supervisor": ("周敏", "黄**"), "engineer": ("周**", "黄**"), "auditor": ("周**", "黄**")}


def test_nothing_of_another_district_is_taken_out(console: Served, records: Records) -> None:
    here, there = city(records)
    mine = look_as(console, "supervisor", districts=[HERE])
    for about in ("incidents", "orders"):
        whole, part = asked(look_as(console, "supervisor"), about), asked(mine, about)
        assert there.find_in(whole.text), about
        assert here.find_in(part.text), about
        assert not there.find_in(part.text), about
    (row,) = records.db.execute("SELECT detail FROM audit WHERE about = 'orders' AND detail -> 'districts' <> 'null'").fetchall()
    assert row[0] == {"from_ms": PERIOD["from_ms"], "to_ms": PERIOD["to_ms"], "rows": 1, "districts": [HERE]}


def test_who_took_what_and_why_is_on_record(console: Served, records: Records) -> None:
    city(records)
    auditor = console.signed_in("auditor", name="wang")
    for about in ("incidents", "orders"):
        asked(auditor, about)
    rows = records.db.execute("SELECT who, what, about, reason, detail FROM audit ORDER BY audit_no").fetchall()
    period = {"from_ms": PERIOD["from_ms"], "to_ms": PERIOD["to_ms"], "districts": None}
    assert rows == [
        ("wang", "exported", "incidents", PERIOD["reason"], {**period, "rows": 4}),
        ("wang", "exported", "orders", PERIOD["reason"], {**period, "rows": 2}),
    ]


def test_what_cannot_be_recorded_is_not_given(console: Served, records: Records) -> None:
    here, _ = city(records)
    auditor = look_as(console, "auditor")
    for about in ("incidents", "orders"):
        with records.db.transaction():
            records.db.execute("LOCK TABLE audit")
            found = asked(auditor, about)
        assert (found.status_code, found.json()["reason"]) == (503, "database_away")
        assert not here.find_in(found.text)


def test_a_long_period_comes_piece_by_piece_and_whole(console: Served, records: Records) -> None:
    many = 2 * PIECE + 7
    for number in range(many):
        # Some came at once: no piece ends between two of them without going on there.
        incident = records.incident(1, at_ms=T0 + number // 3, home_id=None, place=f"p{number}", kind="unknown_sender", home={})
        records.order(incident, number, at_ms=T0 + number // 3, home_id=None)
    auditor = look_as(console, "auditor")
    for about, key, sent in (("incidents", "T2 平台收到", "事件编号"), ("orders", "建单", "单号")):
        for headers in ({}, {"Idempotency-Key": f"once-{about}"}):
            rows = table(auditor.post(f"{EXPORTS}/{about}", json=PERIOD, headers=headers))
            assert len({row[sent] for row in rows}) == len(rows) == many
            assert [row[key] for row in rows] == sorted((row[key] for row in rows), reverse=True)
    assert records.db.execute("SELECT count(*) FROM idempotency_keys").fetchone() == (0,)
    assert records.db.execute("SELECT DISTINCT (detail ->> 'rows')::int FROM audit WHERE what = 'exported'").fetchall() == [(many,)]


async def test_what_nobody_may_keep_is_handed_on_piece_by_piece_also_under_a_key(database: str) -> None:
    """Held until its end, a year of incidents would have to fit in memory; here it would never end."""
    store, heard = Store(database), asyncio.Event()
    await store.start()

    async def download(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"no-store")]})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await heard.wait()
        await send({"type": "http.response.body", "body": b"last"})

    said: list[bytes] = []

    async def send(message: Message) -> None:
        said.append(message.get("body", b""))
        if message.get("more_body"):
            heard.set()

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "POST", "path": "/exports", "query_string": b""}
    try:
        async with asyncio.timeout(60):
            await OnceOnly(store).answer(download, scope, receive, send, owner="user:1", key="once", body=b"{}", now_ms=T0)
    finally:
        await store.stop()
    assert said == [b"", b"first", b"last"]
    with psycopg.connect(database) as db:
        assert db.execute("SELECT count(*) FROM idempotency_keys").fetchone() == (0,)


@pytest.mark.parametrize(
    "words", ["=1+1", "+8613812341234", "-1", "@SUM(A1)", "\t=1", " =1", "＝1+1", "＋1", "\r=1", "00123", "430100000001"]
)
def test_no_cell_is_carried_out_or_made_a_figure_of(words: str) -> None:
    assert sheet.text(words) == f"'{words}"


@pytest.mark.parametrize("words", ["", "芙蓉区", "QX-260402-0017", "a=b", "4301000001", "0", "5-1", "周**"])
def test_any_other_text_stays_as_it_is(words: str) -> None:
    assert sheet.text(words) == words


@pytest.mark.parametrize(
    ("value", "zh", "en"),
    [
        (None, "", ""),
        (True, "是", "yes"),
        (-1.5, "-1.5", "-1.5"),
        (23.0, "23", "23"),
        (Words(zh="=切断", en="closed"), "'=切断", "closed"),
        (sheet.At(T0 + 7), "2026-04-02 17:00:00.007", "2026-04-02 17:00:00.007"),
        (sheet.At(None), "", ""),
    ],
)
def test_each_kind_of_cell(value: Any, zh: str, en: str) -> None:
    assert (sheet.cell(value, "zh"), sheet.cell(value, "en")) == (zh, en)


@pytest.mark.parametrize("columns", [INCIDENTS, ORDERS])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_column_has_a_name_of_its_own(columns: tuple[sheet.Column, ...], language: sheet.Language) -> None:
    names = [sheet.cell(each.name, language) for each in columns]
    assert len(set(names)) == len(names)
    assert all(names)
