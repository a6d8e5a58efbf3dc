"""The stage of the console's tests: the stations' rows written by SQL, and a real server on a free port."""

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import psycopg.sql
from psycopg.types.json import Jsonb

from console.__main__ import ConsoleServer, serve
from console.access.rights import Role
from console.access.secret import csrf_of, digest, new_secret
from console.settings import ConsoleSettings

T0 = 1_775_120_400_000
"""2 April 2026 17:00 Beijing time, Unix ms."""

_PATIENCE_S = 90
"""For what comes: how soon is no matter of these tests, and the machine may be busy."""

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Of no use over plain HTTP; without one every client would read the machine's certificate authorities anew."""


class Records:
    """Plays the stations: writes the rows that they would write."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.db = psycopg.connect(dsn, autocommit=True)

    def close(self) -> None:
        self.db.close()

    def put(self, table: str, **values: Any) -> None:
        columns = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, values))
        marks = psycopg.sql.SQL(", ").join(psycopg.sql.Placeholder() * len(values))
        statement = psycopg.sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(psycopg.sql.Identifier(table), columns, marks)
        self.db.execute(statement, [Jsonb(value) if isinstance(value, dict) else value for value in values.values()])

    def change(self, table: str, key: str, value: object, /, **values: Any) -> None:
        parts = [psycopg.sql.SQL("{} = %s").format(psycopg.sql.Identifier(name)) for name in values]
        statement = psycopg.sql.SQL("UPDATE {} SET {} WHERE {} = %s").format(
            psycopg.sql.Identifier(table), psycopg.sql.SQL(", ").join(parts), psycopg.sql.Identifier(key)
        )
        self.db.execute(statement, [*(Jsonb(v) if isinstance(v, dict) else v for v in values.values()), value])

    def home(self, number: int = 1, *, estate: str = "云栖花园", simulated: bool = True, **values: Any) -> str:
        home_id = f"home-{number:04}"
        row = {
            "home_id": home_id,
            "household_no": f"4301{number:06}",
            "district_code": "430102",
            "district": "芙蓉区",
            "subdistrict": "文艺路街道",
            "community": "识字里社区",
            "estate": estate,
            "building": "3",
            "unit": "2",
            "floor": "5",
            "room": f"{500 + number}",
            "language": "zh",
            "simulated": simulated,
            "version": 1,
        }
        self.put("homes", **{**row, **values})
        for kind in ("meter", "detector"):
            device = f"{kind[0].upper()}{number:05}"
            self.put("devices", device_id=device, kind=kind, home_id=home_id, account=device, version=1)
        self.put("contacts", home_id=home_id, position=1, name="周敏", role="resident", phone=f"sip:1{number:04}@sim.invalid")
        return home_id

    def incident(self, number: int = 1, *, at_ms: int = T0, **values: Any) -> UUID:
        incident_id: UUID = values.pop("incident_id", None) or uuid4()
        home_id = values.pop("home_id", f"home-{number:04}")
        row = {
            "incident_id": incident_id,
            "kind": "leak",
            "state": "open",
            "home_id": home_id,
            "account": f"D{number:05}",
            "place": home_id or f"account:D{number:05}",
            "device_id": f"D{number:05}",
            "meter_id": f"M{number:05}",
            "simulated": True,
            "lane": "alarm",
            "reason": "event",
            "ch4_lel": 23.0,
            "alarm_lel": 10.0,
            "boot": 1,
            "seq": number,
            "valve": "commanded",
            "alarmed_ms": at_ms,
            "received_ms": at_ms + 40,
            "close_sent_ms": at_ms + 41,
            "last_leak_ms": at_ms,
            "home": {
                "home_id": home_id,
                "address_zh": f"芙蓉区 云栖花园 3栋 2单元 {500 + number}室",
                "address_en": f"Room {500 + number}, Unit 2, Building 3, 云栖花园, Furong District",
            },
        }
        self.put("incidents", **{**row, **values})
        return incident_id

    def event(self, incident_id: UUID, kind: str, at_ms: int, actor: str = "line", *, entry_no: int | None = None, **detail: Any) -> UUID:
        """``entry_no`` None: written by a line that gave no numbers yet."""
        event_id = uuid4()
        self.put(
            "incident_events", event_id=event_id, incident_id=incident_id, at_ms=at_ms, kind=kind, actor=actor, detail=detail,
            entry_no=entry_no,
        )  # fmt: skip
        return event_id

    def order(self, incident_id: UUID, number: int = 1, *, at_ms: int = T0 + 60, **values: Any) -> UUID:
        order_id = uuid4()
        row = {
            "order_id": order_id,
            "order_no": f"QX-260402-{number:04}",
            "kind": "emergency",
            "incident_id": incident_id,
            "incident_kind": "leak",
            "home_id": f"home-{number:04}",
            "simulated": True,
            "priority": 1,
            "state": "created",
            "place": {"zh": "芙蓉区 云栖花园", "en": "Furong"},
            "valve": "commanded",
            "created_ms": at_ms,
        }
        self.put("work_orders", **{**row, **values})
        return order_id

    def step(self, order_id: UUID, event: str, at_ms: int, to_state: str, actor: str = "dispatch", **detail: Any) -> None:
        self.put("order_steps", order_id=order_id, at_ms=at_ms, event=event, to_state=to_state, actor=actor, detail=detail)

    def call(self, incident_id: UUID, *, at_ms: int = T0 + 60, **values: Any) -> UUID:
        call_id = uuid4()
        row = {
            "call_id": call_id,
            "incident_id": incident_id,
            "home_id": "home-0001",
            "attempt": 1,
            "position": 1,
            "name": "周敏",
            "role": "resident",
            "address": "sip:10001@sim.invalid",
            "simulated": True,
            "language": "zh",
            "requested_ms": at_ms,
        }
        self.put("calls", **{**row, **values})
        return call_id

    def command(self, incident_id: UUID | None, *, at_ms: int = T0 + 41, **values: Any) -> UUID:
        command_id = uuid4()
        row = {
            "command_id": command_id,
            "device_id": "M00001",
            "account": "M00001",
            "command": "close_valve",
            "incident_id": incident_id,
            "attempt": 1,
            "order_no": at_ms,
            "reason": "leak",
            "state": "sent",
            "sends": 1,
            "issued_ms": at_ms,
            "expires_ms": at_ms + 60_000,
            "sent_ms": at_ms,
            "requested_by": "line",
        }
        self.put("commands", **{**row, **values})
        return command_id

    def crew(self, crew_id: str = "芙蓉-1", **values: Any) -> str:
        row = {
            "crew_id": crew_id,
            "district_code": "430102",
            "lon": 113.01,
            "lat": 28.19,
            "coord_datum": "WGS-84",
            "shift_start": "00:00",
            "shift_end": "24:00",
            "simulated": True,
            "version": 1,
        }
        self.put("crews", **{**row, **values})
        self.put("technicians", technician_id=f"{crew_id}-A", crew_id=crew_id, name="李强", phone="sip:90001@sim.invalid")
        return crew_id

    def task(self, incident_id: UUID | None = None, *, at_ms: int = T0, **values: Any) -> UUID:
        task_id = uuid4()
        row = {
            "task_id": task_id,
            "incident_id": incident_id,
            "kind": "call_people",
            "priority": 1,
            "simulated": True,
            "created_ms": at_ms,
        }
        self.put("tasks", **{**row, **values})
        return task_id


class Served:
    """A running console. ``http`` is signed in with the platform's own token, as the simulated technicians are."""

    def __init__(self, url: str, server: ConsoleServer, dsn: str, token: str) -> None:
        self.url = url
        self.server = server
        self.dsn = dsn
        self._clients: list[httpx.Client] = []
        self.http = self.anybody()
        self.http.headers["Authorization"] = f"Bearer {token}"

    def anybody(self) -> httpx.Client:
        """A client that is not signed in."""
        self._clients.append(httpx.Client(base_url=self.url, timeout=_PATIENCE_S, trust_env=False, verify=_NO_TLS))
        return self._clients[-1]

    def signed_in(self, *roles: Role, name: str = "", districts: list[str] | None = None, technician_id: str | None = None) -> httpx.Client:
        """A browser in which a new user is signed in: with his cookie, and with the word that his changes must carry.

        His name is that of his first role, where none is given.
        """
        user_id, cookie, now_ms = uuid4(), new_secret(), time.time_ns() // 1_000_000
        with psycopg.connect(self.dsn, autocommit=True) as db:
            db.execute(
                "INSERT INTO users (user_id, name, display, roles, districts, technician_id, made_ms, made_by, changed_ms)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, 'test', %s)",
                [user_id, name or roles[0], name or roles[0], list(roles), districts, technician_id, now_ms, now_ms],
            )
            db.execute(
                "INSERT INTO sessions (session_hash, user_id, origin, made_ms, seen_ms, ends_ms) VALUES (%s, %s, '', %s, %s, %s)",
                [digest(cookie), user_id, now_ms, now_ms, now_ms + 12 * 3_600_000],
            )
        client = self.anybody()
        client.cookies.set("gs_session", cookie)
        client.headers["X-CSRF-Token"] = csrf_of(cookie)
        client.headers["Origin"] = self.url
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of a GET that must succeed."""
        response = self.http.get(path, params=params)
        assert response.status_code == 200, response.text
        return response.json()


@contextmanager
def running_console(dsn: str, *, look_s: float | None = None, **settings: Any) -> Iterator[Served]:
    """Serve on a free loopback port, in a thread with a loop of its own. ``look_s``: who listens is looked after so often."""
    token = new_secret("gs_")
    server = serve(ConsoleSettings(postgres_dsn=dsn, **{"http_port": 0, "platform_token": token, **settings}))
    if look_s is not None:
        server.running.changes._look_s = look_s
    listening = threading.Event()
    loop_of: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        loop_of.append(asyncio.get_running_loop())
        startup = server.startup

        async def started(sockets: Any = None) -> None:
            await startup(sockets)
            listening.set()

        server.startup = started  # type: ignore[method-assign]  # the server has no other word for: it listens
        await server.serve()
        # A browser may have connected in the very moment of the end, or not have read what it was sent.
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="console")
    thread.start()
    assert listening.wait(_PATIENCE_S)
    port = server.servers[0].sockets[0].getsockname()[1]
    served = Served(f"http://127.0.0.1:{port}", server, dsn, token)
    try:
        yield served
    finally:
        served.close()
        server.should_exit = True
        thread.join(_PATIENCE_S)
        assert not thread.is_alive()


def frames(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """(event, data) of a stream's lines; what has no data is left out."""
    event, data = "", ""
    for line in lines:
        if line.startswith("event: "):
            event = line[7:]
        elif line.startswith("data: "):
            data = line[6:]
        elif not line and data:
            yield event, json.loads(data)
            event, data = "", ""
