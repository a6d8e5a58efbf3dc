"""The stage of the technician's story: his order in a real database, the real dispatch answering his requests, and a line that is played.

Dispatch's own code judges every step. The line is played, because its part here is one answer: it sends an open to the meter, and
somebody at the meter confirms it when the story says so.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from core.clock import SystemClock
from dispatch.database import Lane
from dispatch.requests import Requests
from dispatch.settings import DispatchSettings
from tests.console.stage import Records

ORDER_NO = "QX-260402-0001"
CREW = "芙蓉-1"
TECHNICIAN = "芙蓉-1-A"
_LOOK_S = 0.05
_OPEN_SENT = """
    INSERT INTO commands (command_id, device_id, account, command, incident_id, attempt, order_no, reason, state, sends, issued_ms,
                          expires_ms, requested_by)
    SELECT %s, 'M00001', 'M00001', 'open_valve', incident_id, 1, %s, 'tightness_passed', 'sent', 1, %s, %s, 'test'
    FROM work_orders WHERE order_no = %s"""
_ANSWER = "UPDATE requests SET state = 'done', answer = %s, answered_at = clock_timestamp() WHERE request_id = %s"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Visit:
    """An emergency order of his crew for a leak at home-0001, and what the place and the line do."""

    def __init__(self, records: Records) -> None:
        self.records = records
        began = now_ms() - 600_000
        records.home(
            1, meter_location="厨房", access_note="门禁 1234#", lon=112.9388, lat=28.2282, coord_datum="WGS-84", flags=["lives_alone"]
        )
        records.crew(CREW)
        self.incident = records.incident(
            1, at_ms=began, valve="reported_closed", reported_closed_ms=began + 1500, proof="holds", clearing="clearing"
        )
        self.order_id = self.order(1, began)
        self.heard(methane=2.4, valve="closed")

    def order(self, number: int, at_ms: int, **values: Any) -> UUID:
        """An order of his crew, assigned."""
        place = {
            "place": f"home-{number:04}", "has_meter": True, "flags": [], "send_crew": True, "lon": 112.9388, "lat": 28.2282,
            "coord_datum": "WGS-84", "address_zh": f"芙蓉区 云栖花园 3栋 2单元 {500 + number}室",
            "address_en": f"Room {500 + number}, Unit 2, Building 3, 云栖花园, Furong District",
        }  # fmt: skip
        incident = values.pop("incident", self.incident)
        row = {"state": "assigned", "crew_id": CREW, "technician_id": TECHNICIAN, "assigned_ms": at_ms + 200, "valve": "reported_closed"}
        order_id = self.records.order(incident, number, at_ms=at_ms, place=place, **{**row, **values})
        self.records.step(order_id, "created", at_ms, "created")
        self.records.step(order_id, "assign", at_ms + 200, "assigned", crew_id=CREW)
        return order_id

    def heard(self, *, methane: float, valve: str) -> None:
        """Detector and meter are heard now."""
        for device, values in (("D00001", {"ch4_lel": methane, "state": "normal"}), ("M00001", {"valve": valve, "cause": "command"})):
            self.records.db.execute("DELETE FROM device_state WHERE device_id = %s", [device])
            self.records.put(
                "device_state", device_id=device, last_ts=now_ms(), last_boot=1, last_seq=1, heard_ms=now_ms(), lane="telemetry", **values
            )

    def leak_again(self) -> None:
        """Gas leaks anew: the order is back to on site, as dispatch does it."""
        at_ms = now_ms()
        self.records.change("incidents", "incident_id", self.incident, last_leak_ms=at_ms)
        self.records.change("work_orders", "order_id", self.order_id, state="on_site", made_safe_ms=None, test_passed=None, test_ms=None)
        self.records.step(self.order_id, "leak_again", at_ms, "on_site", "line", said_ms=at_ms, ch4_lel=14.0)

    def confirm_at_the_meter(self) -> None:
        """Somebody presses the meter's key: the line hears that the valve is open."""
        at_ms = now_ms()
        self.records.change("commands", "command", "open_valve", state="opened", done_ms=at_ms, result="done")
        self.records.change("incidents", "incident_id", self.incident, valve="opened", opened_valve_ms=at_ms)
        self.records.change("work_orders", "order_id", self.order_id, valve="opened")
        self.records.step(self.order_id, "valve", at_ms, "tightness_passed", "line", valve="opened", said_ms=at_ms)
        self.heard(methane=0.0, valve="open")

    def state(self) -> str:
        row = self.records.db.execute("SELECT state FROM work_orders WHERE order_id = %s", [self.order_id]).fetchone()
        assert row is not None
        return str(row[0])

    def steps(self) -> list[tuple[str, str, int]]:
        """(event, actor, true time) of everything done by people, oldest first."""
        rows = self.records.db.execute(
            "SELECT event, actor, at_ms FROM order_steps WHERE order_id = %s AND actor LIKE '芙蓉%%' ORDER BY step_no", [self.order_id]
        )
        return [(row[0], row[1], row[2]) for row in rows.fetchall()]


@contextmanager
def stations(dsn: str) -> Iterator[None]:
    """Dispatch answers requests, in a thread; the line is played."""
    over = threading.Event()

    async def answer() -> None:
        lane = Lane(dsn, "requests")
        requests = Requests(DispatchSettings(postgres_dsn=dsn), SystemClock(1.0, None), lane, lambda *_: None)
        try:
            while not over.is_set():
                await requests.answer_all()
                await asyncio.to_thread(_play_line, dsn)
                await asyncio.sleep(_LOOK_S)
        finally:
            await lane.close()

    thread = threading.Thread(target=lambda: asyncio.run(answer()), name="stations")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(60)
        assert not thread.is_alive()


def _play_line(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as db:
        asked = db.execute("SELECT request_id, kind, body FROM requests WHERE station = 'line' AND state = 'pending'").fetchall()
        for request_id, kind, body in asked:
            answer: dict[str, Any] = {}
            if kind == "open_valve":
                at_ms, command = now_ms(), uuid4()
                db.execute(_OPEN_SENT, [command, at_ms, at_ms, at_ms + 60_000, body["order_no"]])
                answer = {"command_id": str(command), "expires_ms": at_ms + 60_000}
            db.execute(_ANSWER, [Jsonb(answer), request_id])
