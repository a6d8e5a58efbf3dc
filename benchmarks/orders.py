"""``python -m benchmarks.orders``: how long until every order of a storm is durable, from the moment its message is taken.

Dispatch's own inbox, ladders, journal and ledger on a database of their own, with the product's settings; the telephone takes every call
and says nothing. Decides nothing; the broker's part, and the line's beside it on the same machine, are in ``benchmarks.loop``.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import psycopg
import uvloop

from core import log
from core.clock import SystemClock
from core.station import ContactFacts, HomeFacts, OrderMessage, ValveMessage
from deploy.embedded.postgres import PostgresServer
from deploy.embedded.testing import reachable_folder, remove_folder
from deploy.migrate import migrate
from dispatch.call_records import CallRecords
from dispatch.canary import CanaryCalls
from dispatch.database import Lane
from dispatch.inbox import Inbox
from dispatch.journal import CallJournal
from dispatch.ledger import Ledger
from dispatch.settings import DispatchSettings
from dispatch.switchboard import Switchboard
from dispatch.tasks import Desk

_CREWS: Final = 60
_LONGEST_S: Final = 300.0


class _Telephone:
    """Takes every request, says nothing of it."""

    connected = True

    def ask(self, request: object) -> None:
        pass


def _order(number: int, clock: SystemClock) -> OrderMessage:
    home = HomeFacts(
        home_id=f"H{number}", household_no=str(number), address_zh="岳麓区 云栖花园 3栋 1单元 501室", address_en="Room 501",
        district_code="430104", estate="云栖花园", building="3", unit="1", room="501",
        lon=112.9 + number % 100 / 1000, lat=28.2 + number // 100 / 1000, coord_datum="WGS-84",
        contacts=tuple(ContactFacts(position=at, name="某某某", role="resident", phone=f"sip:{number}{at}@sim.invalid") for at in (1, 2)),
        meter_id=f"M{number}",
    )  # fmt: skip
    now_ms = clock.now_ms()
    return OrderMessage(
        message_id=uuid4(), incident_id=uuid4(), at_ms=now_ms, valve="commanded", incident_kind="leak", order_kind="emergency",
        simulated=True, home=home, place=home.home_id, send_crew=True, call=True, ch4_lel=18.0, received_ms=now_ms,
    )  # fmt: skip


def _news(order: OrderMessage, number: int, clock: SystemClock) -> ValveMessage:
    valve = "accepted" if number == 0 else "reported_closed"
    return ValveMessage(message_id=uuid4(), incident_id=order.incident_id, at_ms=clock.now_ms() + number, valve=valve)


async def _crews(dsn: str) -> None:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(
            "INSERT INTO crews SELECT 'C' || n, '430104', 112.9 + n * 0.002, 28.2, 'WGS-84', '00:00', '24:00', true, NULL, 1"
            " FROM generate_series(1, %s) n",
            (_CREWS,),
        )
        await connection.execute("INSERT INTO technicians SELECT crew_id || '-1', crew_id, '李师傅', 'sip:1@sim.invalid' FROM crews")


async def measure(dsn: str, folder: Path, orders: int, news: int) -> tuple[list[float], float]:
    """Seconds from taking to *taken* of each order message, and of everything; all taken at once with ``news`` of its valve behind each."""
    await _crews(dsn)
    settings, clock = DispatchSettings(), SystemClock()
    lanes = [Lane(dsn, "orders"), Lane(dsn, "records")]
    journal = CallJournal(folder, settings.journal_max_bytes)
    journal.open()
    ledger, records = Ledger(lanes[0]), CallRecords(lanes[1], journal)
    desk, telephone = Desk(ledger, clock, journal), _Telephone()
    switchboard = Switchboard(settings, clock, telephone, records, desk)
    durable: dict[UUID, float] = {}
    all_taken = asyncio.Event()

    def taken(message_id: UUID) -> None:
        durable[message_id] = time.perf_counter()
        if len(durable) == orders * (1 + news):
            all_taken.set()

    canary = CanaryCalls(settings, clock, telephone, records, ledger)
    inbox = Inbox(clock, ledger, switchboard, canary, journal, taken, settings.inbox_window)
    for lane in lanes:
        await lane.open()
    working = [asyncio.create_task(work) for work in (ledger.run(), records.run(), journal.run())]
    messages = [_order(number, clock) for number in range(orders)]
    began = {}
    for order in messages:
        began[order.message_id] = time.perf_counter()
        inbox.take(order, "broker")
        for number in range(news):
            inbox.take(_news(order, number, clock), "broker")
        await asyncio.sleep(0)  # as they come from the broker: not all in one turn of the loop
    async with asyncio.timeout(_LONGEST_S):
        await all_taken.wait()
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)
    await journal.close()
    for lane in lanes:
        await lane.close()
    first = min(began.values())
    await _every_order_is_there(dsn, orders)
    return sorted(durable[which] - first for which in began), max(durable.values()) - first


async def _every_order_is_there(dsn: str, orders: int) -> None:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        row = await (await connection.execute("SELECT count(*), count(DISTINCT order_no), count(crew_id) FROM work_orders")).fetchone()
    assert row == (orders, orders, min(orders, _CREWS)), row


async def run(orders: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="gas-sentinel-bench-") as name:
        place = reachable_folder(Path(name)) / "postgres"
        server = PostgresServer(place)
        try:
            server.start()
            migrate(server.dsn("bench"))
            for number, (many, news) in enumerate(((50, 0), (50, 3), (orders, 0), (orders, 3))):
                dsn = server.create_database(f"bench_{number}", "bench")
                took, everything = await measure(dsn, Path(name) / str(number), many, news)
                half, most, last = (took[round(part * (many - 1))] for part in (0.5, 0.99, 1.0))
                said = f"durable p50 {half:7.3f} s   p99 {most:7.3f} s   all {last:7.3f} s   with their news {everything:7.3f} s"
                print(f"{many:5} orders, {news} news each   {said}", flush=True)
        finally:
            server.stop()
            remove_folder(place)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orders", description="A storm's orders until durable. · 风暴中建单耗时。")
    parser.add_argument("--orders", type=int, default=900, help="orders of the storm (default 900) · 抢修单数")
    options = parser.parse_args()
    log.configure("benchmarks", "error")
    uvloop.run(run(options.orders))


if __name__ == "__main__":
    main()
