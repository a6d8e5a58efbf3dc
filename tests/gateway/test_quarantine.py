"""Bad input is a counted, bounded row: one an account, reason and payload, whoever sends how much of it."""

from typing import Any

import psycopg
import pytest

from gateway import quarantine as bounds
from gateway.decode import Rejection
from gateway.quarantine import Quarantine


async def stored(dsn: str, quarantine: Quarantine) -> list[dict[str, Any]]:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await quarantine.store(connection)
        cursor = await connection.execute("SELECT account, reason, count, first_ms, last_ms FROM quarantine ORDER BY account, count")
        return [dict(zip(("account", "reason", "count", "first_ms", "last_ms"), row, strict=True)) for row in await cursor.fetchall()]


async def test_the_same_payload_is_one_row_however_often(database: str) -> None:
    quarantine = Quarantine()
    for at_ms in range(1_000):
        quarantine.add("D1", "alarm", Rejection("not_json", b"{", "D1"), at_ms)
        if at_ms % 100 == 99:
            rows = await stored(database, quarantine)
    assert rows == [{"account": "D1", "reason": "not_json", "count": 1_000, "first_ms": 0, "last_ms": 999}]


async def test_an_account_that_makes_up_payloads_is_bounded_and_pushes_nobody_out(database: str) -> None:
    quarantine = Quarantine()
    quarantine.add("D2", "alarm", Rejection("not_json", b"{", "D2"), 1)
    for number in range(5_000):
        quarantine.add("HOSTILE", "telemetry", Rejection("not_json", b"%d" % number, "HOSTILE"), 2)
        if number % 500 == 0:
            await stored(database, quarantine)
    rows = await stored(database, quarantine)
    hostile = [row for row in rows if row["account"] == "HOSTILE"]
    assert len(hostile) == 201
    assert sum(row["count"] for row in hostile) == 5_000
    assert [row["account"] for row in rows if row["account"] != "HOSTILE"] == ["D2"]


async def test_on_disk_the_newest_stay_and_the_oldest_go(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "_MOST_ROWS", 10)
    monkeypatch.setattr(bounds, "_TIDY_EVERY", 40)
    quarantine = Quarantine()
    quarantine.add("FIRST", "alarm", Rejection("not_json", b"{", "FIRST"), 0)
    for number in range(1, 40):
        quarantine.add(f"D{number}", "alarm", Rejection("not_json", b"{", f"D{number}"), number)
        if number % 13 == 0:
            rows = await stored(database, quarantine)
    # 40 were written and the bound was kept; who is heard of again is new again, with his first time and his count.
    assert sorted(row["last_ms"] for row in rows) == list(range(30, 40))
    quarantine.add("D30", "alarm", Rejection("not_json", b"{", "D30"), 100)
    for number in range(40, 79):
        quarantine.add(f"D{number}", "alarm", Rejection("not_json", b"{", f"D{number}"), number)
    rows = await stored(database, quarantine)
    assert sorted(row["last_ms"] for row in rows) == [*range(70, 79), 100]
    (again,) = (row for row in rows if row["last_ms"] == 100)
    assert again == {"account": "D30", "reason": "not_json", "count": 2, "first_ms": 30, "last_ms": 100}
