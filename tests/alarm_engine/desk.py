"""The stage of the requests: an engine, and a database in which people and dispatch ask it."""

from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alarm_engine.requests import Requests
from core.messages import Command
from tests.alarm_engine.stage import HOME, Stage


class Desk:
    """An engine, and a database with the requests, orders and technicians that it reads."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self.stage = Stage()
        self.connection = connection
        self.requests = Requests(self.stage.engine)

    async def insert(self, kind: str, body: object, actor: str = "T1", age_s: float = 0.0, station: str = "line") -> UUID:
        request_id = uuid4()
        await self.connection.execute(
            "INSERT INTO requests (request_id, station, kind, body, actor, made_at) "
            "VALUES (%s, %s, %s, %s, %s, clock_timestamp() - make_interval(secs => %s))",
            (request_id, station, kind, Jsonb(body), actor, age_s),
        )
        return request_id

    async def answer_to(self, request_id: UUID) -> tuple[str, dict[str, Any]]:
        async with self.connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute("SELECT state, answer FROM requests WHERE request_id = %s", (request_id,))
            row = await cursor.fetchone()
        assert row is not None
        return row["state"], row["answer"]

    async def ask(self, kind: str, body: object, actor: str = "T1", age_s: float = 0.0) -> dict[str, Any]:
        """Ask and be answered."""
        request_id = await self.insert(kind, body, actor, age_s)
        assert await self.requests.answer_pending(self.connection) == 1
        state, answer = await self.answer_to(request_id)
        assert state == "done", answer
        return answer

    async def refused(self, kind: str, body: object, actor: str = "T1", age_s: float = 0.0) -> str:
        """Ask and be refused: the reason. A refusal speaks both languages."""
        request_id = await self.insert(kind, body, actor, age_s)
        assert await self.requests.answer_pending(self.connection) == 1
        state, answer = await self.answer_to(request_id)
        assert state == "refused", answer
        assert answer["zh"]
        assert answer["en"]
        reason: str = answer["reason"]
        return reason

    @property
    def sent(self) -> list[str]:
        """What went out, without the questions of the watch over a closed valve."""
        return [message.command for _, message in self.stage.ports.commands if not message.reason.startswith("proof")]

    @property
    def opens(self) -> list[Command]:
        return [message for _, message in self.stage.ports.commands if message.command == "open_valve"]

    # -- a home that is ready for its gas ----------------------------------------------------------------------------------------

    async def order(self, **changes: Any) -> None:
        """The work order of the open incident, by default with everything that an open needs."""
        now = self.stage.clock.now_ms()
        incident = self.stage.incident()
        await self.connection.execute(
            "INSERT INTO crews VALUES ('C1', '430102', 113, 28, 'WGS-84', '00:00', '24:00', true, NULL, 1), "
            "('C2', '430102', 113, 28, 'WGS-84', '00:00', '24:00', true, NULL, 1) ON CONFLICT DO NOTHING"
        )
        await self.connection.execute(
            "INSERT INTO technicians VALUES ('T1', 'C1', '甲', 'sip:1@sim.invalid', NULL), ('T2', 'C2', '乙', 'sip:2@sim.invalid', NULL), "
            "('GONE', 'C1', '丙', 'sip:3@sim.invalid', now()) ON CONFLICT DO NOTHING"
        )
        row: dict[str, Any] = {
            "order_id": uuid4(),
            "order_no": "Q-1",
            "kind": "emergency",
            "incident_id": incident.incident_id,
            "incident_kind": incident.kind,
            "home_id": HOME,
            "simulated": True,
            "priority": 1,
            "state": "tightness_passed",
            "place": Jsonb({}),
            "valve": incident.valve,
            "crew_id": "C1",
            "technician_id": "T1",
            "created_ms": now,
            "on_site_ms": now,
            "test_passed": True,
            "test_ms": now + 1,
            **changes,
        }
        names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
        await self.connection.execute(f"INSERT INTO work_orders ({names}) VALUES ({marks})", list(row.values()))

    async def ready(self, **changes: Any) -> None:
        """A leak that is closed, found, repaired and tested; the meter has just spoken."""
        self.stage.alarm()
        self.stage.ack("done", "closed")
        await self.stage.pass_time(60.0)
        await self.order(**changes)
        self.stage.meter("closed", "command")
