"""What plays the outside of dispatch in its tests: people at telephones, the line at the broker, and a view of the rows."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from core import topics
from core.clock import Clock
from core.door import close_door
from core.mqtt.link import Link
from core.mqtt.port import Incoming
from core.station import ContactFacts, HomeFacts, OrderMessage, Taken
from deploy.embedded.testing import TestBroker
from dispatch.voice.protocol import (
    REQUEST,
    Answered,
    CallRequest,
    Ended,
    HangupRequest,
    Hello,
    Key,
    Placed,
    Reason,
    Ringing,
    Spoken,
    VoiceEvent,
    WordingRequest,
)

# Thursday 2 April 2026, 10:00 in Shanghai.
MORNING_MS = 1_775_095_200_000
PATIENCE_S = 60.0


class PlayedVoiceWorker:
    """Speaks the worker's side of the protocol; a test says what people at the telephone do."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.clock = clock
        self.placed: asyncio.Queue[CallRequest] = asyncio.Queue()
        self.words: asyncio.Queue[WordingRequest] = asyncio.Queue()
        self.hung_up: asyncio.Queue[str] = asyncio.Queue()
        self.requests: list[CallRequest] = []
        self.under_way: dict[str, CallRequest] = {}
        self._ends: dict[str, Ended] = {}
        self._kept: list[VoiceEvent] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def stop(self) -> None:
        assert self._server is not None
        await close_door(self._server)
        for writer in list(self._writers):
            writer.close()
        await self._server.wait_closed()
        self.path.unlink(missing_ok=True)

    async def die(self) -> None:
        """The worker is gone and forgets everything."""
        await self.stop()
        self.under_way.clear()
        self._ends.clear()
        self._kept.clear()

    async def next_call(self) -> CallRequest:
        async with asyncio.timeout(PATIENCE_S):
            return await self.placed.get()

    async def next_words(self) -> WordingRequest:
        async with asyncio.timeout(PATIENCE_S):
            return await self.words.get()

    def ring(self, call: CallRequest) -> None:
        self._tell(Placed(call_id=call.call_id, at_ms=self.clock.now_ms()))
        self._tell(Ringing(call_id=call.call_id, at_ms=self.clock.now_ms()))

    def answer(self, call: CallRequest) -> None:
        self.ring(call)
        self._tell(Answered(call_id=call.call_id, at_ms=self.clock.now_ms()))

    def speak(self, call: CallRequest, sentence: str) -> None:
        self._tell(Spoken(call_id=call.call_id, at_ms=self.clock.now_ms(), text=sentence))

    def press(self, call: CallRequest, digit: str) -> None:
        self._tell(Key(call_id=call.call_id, at_ms=self.clock.now_ms(), digit=digit))

    def end(self, call: CallRequest, reason: Reason, **more: Any) -> None:
        facts: dict[str, Any] = {"answered": False, "ended_by": "never_connected", **more}
        self._end(Ended(call_id=call.call_id, at_ms=self.clock.now_ms(), reason=reason, **facts))

    def nobody_answers(self, call: CallRequest) -> None:
        self.ring(call)
        self.end(call, "no_answer", sip_code=487, q850_cause=19, cause_source="mapped")

    def presses(self, call: CallRequest, digit: str, reason: Reason) -> None:
        self.answer(call)
        self.press(call, digit)
        self.end(call, reason, answered=True, ended_by="us", sip_code=200, q850_cause=16, cause_source="mapped", spoken_s=6.0)

    def hangs_up_early(self, call: CallRequest) -> None:
        self.answer(call)
        self.end(call, "far_hung_up", answered=True, ended_by="far", sip_code=200, q850_cause=16, cause_source="header", spoken_s=5.0)

    # -- the protocol --------------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(Hello(calls=tuple(self.under_way)).line())
        self._writers.add(writer)
        kept, self._kept = self._kept, []
        for event in kept:
            self._tell(event)
        try:
            while line := await reader.readline():
                self._obey(REQUEST.validate_json(line))
        except ConnectionError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _obey(self, request: CallRequest | WordingRequest | HangupRequest) -> None:
        match request:
            case CallRequest() if request.call_id in self._ends:
                self._tell(self._ends[request.call_id])
            case CallRequest(known=True) if request.call_id not in self.under_way:
                self.end(request, "worker_lost")
            case CallRequest() if request.call_id not in self.under_way:
                self.under_way[request.call_id] = request
                self.requests.append(request)
                self.placed.put_nowait(request)
            case WordingRequest():
                self.words.put_nowait(request)
            case HangupRequest(call_id=which) if which in self.under_way:
                self.hung_up.put_nowait(which)
                self.end(self.under_way[which], "hangup_asked", ended_by="us")
            case _:
                pass

    def _end(self, ended: Ended) -> None:
        self.under_way.pop(ended.call_id, None)
        self._ends[ended.call_id] = ended
        self._tell(ended)

    def _tell(self, event: VoiceEvent) -> None:
        if not self._writers:
            self._kept.append(event)
        for writer in self._writers:
            writer.write(event.line())


class Line:
    """The line's side of the broker: says messages, hears what dispatch has taken."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.taken: list[UUID] = []
        self._heard = asyncio.Event()

    def hear(self, incoming: Incoming) -> None:
        self.taken.append(Taken.model_validate_json(incoming.payload).message_id)
        incoming.ack()
        self._heard.set()

    def say(self, message: Any) -> None:
        self.link.publish(topics.TO_DISPATCH, message.model_dump_json().encode(), qos=1)

    async def until_taken(self, message: Any, times: int = 1) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.taken.count(message.message_id) < times:
                self._heard.clear()
                await self._heard.wait()


async def forget_dispatch(broker: TestBroker) -> None:
    """The broker keeps no session of dispatch, and nothing that waits in one."""
    link = Link(
        *(broker.host, broker.port, "dispatch", "dispatch", broker.accounts["dispatch"]),
        on_message=lambda _: None,
        clean_start=True,
        session_expiry_s=0,
    )
    await link.start()
    await link.wait_connected(PATIENCE_S)
    await link.stop()


@asynccontextmanager
async def the_line(broker: TestBroker) -> AsyncIterator[Line]:
    """The line's side of this broker, connected."""
    said: Line
    link = Link(
        broker.host,
        broker.port,
        "line",
        "line",
        broker.accounts["line"],
        on_message=lambda incoming: said.hear(incoming),
        subscriptions=[topics.TO_LINE],
        clean_start=True,
        session_expiry_s=0,
    )
    said = Line(link)
    await link.start()
    await link.wait_connected(PATIENCE_S)
    yield said
    await link.stop()


class Records:
    """What is in the database."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    async def rows(self, statement: str, *parameters: object) -> list[dict[str, Any]]:
        async with await psycopg.AsyncConnection.connect(self.dsn, row_factory=dict_row, autocommit=True) as connection:
            cursor = await connection.execute(statement, parameters)
            return await cursor.fetchall() if cursor.description else []

    async def until(
        self, statement: str, *parameters: object, enough: Callable[[list[dict[str, Any]]], bool] = bool
    ) -> list[dict[str, Any]]:
        """Read again until the rows are as expected. The wait is for other tasks of this process, its end a failure."""
        async with (
            asyncio.timeout(PATIENCE_S),
            await psycopg.AsyncConnection.connect(self.dsn, row_factory=dict_row, autocommit=True) as connection,
        ):
            while not enough(found := await (await connection.execute(statement, parameters)).fetchall()):
                await asyncio.sleep(0.01)
        return found

    async def crew(
        self, crew_id: str, lon: float = 112.94, lat: float = 28.23, *, simulated: bool = True, shift: str = "00:00-24:00"
    ) -> None:
        start, _, end = shift.partition("-")
        await self.rows(
            "INSERT INTO crews (crew_id, district_code, lon, lat, coord_datum, shift_start, shift_end, simulated, version)"
            " VALUES (%s, '430104', %s, %s, 'WGS-84', %s, %s, %s, 1)",
            crew_id,
            lon,
            lat,
            start,
            end,
            simulated,
        )
        for member in ("1", "2"):
            await self.rows(
                "INSERT INTO technicians (technician_id, crew_id, name, phone) VALUES (%s, %s, '李师傅', 'sip:7000@sim.invalid')",
                f"{crew_id}-{member}",
                crew_id,
            )

    async def request(self, kind: str, actor: str, **body: object) -> UUID:
        request_id = uuid4()
        await self.rows(
            "INSERT INTO requests (request_id, station, kind, body, actor) VALUES (%s, 'dispatch', %s, %s, %s)",
            request_id,
            kind,
            Jsonb(body),
            actor,
        )
        return request_id

    async def ask(self, kind: str, actor: str, **body: object) -> dict[str, Any]:
        """Ask and wait for the answer: ``{"state": done|refused, **answer}`` under ``asked`` and the answer's own words."""
        request_id = await self.request(kind, actor, **body)
        found = await self.until("SELECT state, answer FROM requests WHERE request_id = %s AND state <> 'pending'", request_id)
        return {"asked": found[0]["state"], **found[0]["answer"]}


def home(**changes: Any) -> HomeFacts:
    facts: dict[str, Any] = {
        "home_id": "H1",
        "household_no": "0001",
        "address_zh": "岳麓区 云栖花园 3栋 1单元 501室",
        "address_en": "Room 501, Unit 1, Building 3, 云栖花园, Yuelu District",
        "district_code": "430104",
        "estate": "云栖花园",
        "building": "3",
        "unit": "1",
        "room": "501",
        "lon": 112.94,
        "lat": 28.23,
        "coord_datum": "WGS-84",
        "meter_id": "M1",
        "contacts": (contact(1), contact(2, role="family")),
    }
    return HomeFacts(**{**facts, **changes})


def contact(position: int, phone: str | None = None, role: str = "resident") -> ContactFacts:
    return ContactFacts(position=position, name=f"张{position}", role=role, phone=phone or f"sip:80{position:02}@sim.invalid")


def order_message(**changes: Any) -> OrderMessage:
    """An order message of a place of its own, unless ``place`` is given."""
    facts: dict[str, Any] = {
        "message_id": uuid4(),
        "incident_id": uuid4(),
        "at_ms": MORNING_MS,
        "incident_kind": "leak",
        "order_kind": "emergency",
        "simulated": True,
        "home": home(),
        "place": str(uuid4()),
        "send_crew": True,
        "call": True,
        "valve": "commanded",
        "ch4_lel": 18.0,
        "received_ms": MORNING_MS,
    }
    return OrderMessage(**{**facts, **changes})
