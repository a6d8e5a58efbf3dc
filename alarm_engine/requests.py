"""What people and the other stations ask of the line, and its answers. The line decides; a refusal names its ground in both languages.

Kinds: ``hotline_report``, ``close_valve``, ``open_valve``, ``self_test``, ``report``, ``order_finished``. Opening is never queued: it is
sent to a meter just heard, for a technician on site whose tightness test is stored and later than the last leak.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alarm_engine import metrics
from alarm_engine.engine import Engine
from alarm_engine.incident import Incident
from alarm_engine.record import event
from alarm_engine.rows import Rows
from core.ids import incident_id
from core.messages import CommandName
from core.registry.model import Device

Body = dict[str, Any]
Connection = psycopg.AsyncConnection[Any]

PENDING = """
SELECT request_id, kind, body, actor, extract(epoch FROM clock_timestamp() - made_at)::float8 AS age_s FROM requests
WHERE station = 'line' AND state = 'pending' ORDER BY made_at LIMIT 100
"""
ANSWER = """
UPDATE requests SET state = %(state)s, answer = %(answer)s, answered_at = clock_timestamp()
WHERE request_id = %(request_id)s AND state = 'pending'
"""
ORDER_FOR_OPENING = """
SELECT o.incident_id, o.state, o.test_passed, o.test_ms, o.on_site_ms, o.technician_id, o.crew_id,
       EXISTS (SELECT FROM technicians t WHERE t.crew_id = o.crew_id AND t.technician_id = %(actor)s AND t.retired_at IS NULL) AS own_crew
FROM work_orders o WHERE o.order_no = %(order_no)s
"""


@dataclass(frozen=True, slots=True)
class Refused(Exception):  # noqa: N818  an answer, not a fault
    """The line will not do it: ``reason`` from a closed list, with its wording."""

    reason: str
    zh: str
    en: str


class Requests:
    """Takes pending requests and answers each once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kinds: dict[str, Callable[[Connection, UUID, Body, str], Awaitable[Body]]] = {
            "hotline_report": self._hotline_report,
            "close_valve": self._close_valve,
            "open_valve": self._open_valve,
            "self_test": self._ask_device,
            "report": self._ask_device,
            "order_finished": self._order_finished,
        }

    async def answer_pending(self, connection: Connection) -> int:
        """Answer what waits; returns how many. Raises psycopg errors when the database is away: the requests stay pending."""
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(PENDING)
            found = await cursor.fetchall()
        for row in found:
            state, answer = await self._answer(connection, row)
            metrics.requests.labels(row["kind"] if row["kind"] in self._kinds else "unknown", state).inc()
            await connection.execute(ANSWER, {"state": state, "answer": Jsonb(answer), "request_id": row["request_id"]})
        return len(found)

    async def _answer(self, connection: Connection, row: Body) -> tuple[str, Body]:
        handle = self._kinds.get(row["kind"])
        try:
            if handle is None:
                raise Refused("unknown_kind", "没有这种请求", "There is no such request")
            body = {**row["body"], "kind": row["kind"], "age_s": row["age_s"]}
            return "done", await handle(connection, row["request_id"], body, row["actor"])
        except Refused as refusal:
            return "refused", {"reason": refusal.reason, "zh": refusal.zh, "en": refusal.en}
        except psycopg.OperationalError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError, psycopg.Error) as error:
            # Whatever is wrong with one request, it is answered: it must not stand before the others for ever.
            return "refused", {"reason": "bad_request", "zh": "请求内容不完整或有误", "en": f"The request is incomplete: {error}"}

    # -- closing ---------------------------------------------------------------------------------------------------------------

    async def _hotline_report(self, _: Connection, request_id: UUID, body: Body, actor: str) -> Body:
        """Somebody smells gas: an incident for any address; the valve closes unless he says otherwise or there is none."""
        engine, state = self._engine, self._engine.state
        home = state.registry.homes.get(body["home_id"]) if body.get("home_id") else None
        if body.get("home_id") and (home is None or home.retired):
            raise Refused("unknown_home", "没有这一户", "There is no such home")
        place = home.home_id if home is not None else f"hotline:{request_id}"
        caller = None if body.get("caller_phone") is None else str(body["caller_phone"])
        before = state.open_by_place.get(place)
        now_ms = state.clock.now_ms()
        if before is not None and before.kind != "past_leak":
            state.keeper.put(
                Rows(events=[event(before.incident_id, now_ms, "leak_again", actor=actor, hotline=True, note=body.get("note"))])
            )
            awaited = before.close is not None and before.close.under_way
            if body.get("close", True) and before.meter_id is not None and not before.is_closed and not awaited:
                engine.valves.next_attempt(before, "hotline_report", actor)
            return {"incident_id": str(before.incident_id), "already_open": True}
        if before is not None:
            engine.close(before, now_ms, "line", "superseded")
        key = incident_id("hotline_report", str(request_id), 0, 0, 0)
        meter = state.registry.meter_of(home) if home is not None else None
        close = engine.valves.close(meter, key, 1, "hotline_report", actor) if meter is not None and body.get("close", True) else None
        incident = Incident(
            incident_id=key,
            kind="hotline_report",
            place=place,
            account="hotline",
            device_id=None,
            home=None if home is None else state.registry.facts(home),
            simulated=home.simulated if home is not None else bool(body.get("simulated", False)),
            lane="hotline",
            reason="hotline_report",
            ch4_lel=None,
            alarm_lel=None,
            boot=0,
            seq=0,
            alarmed_ms=now_ms,
            received_ms=now_ms,
            last_leak_ms=now_ms,
            meter_id=meter.device_id if meter is not None else None,
        )
        rows = Rows(
            events=[event(key, now_ms, "opened", actor=actor, kind="hotline_report", note=body.get("note"), place=body.get("place"))]
        )
        engine.start(incident, close, rows, None, now_ms, caller)
        return {"incident_id": str(key), "already_open": False, "closing": close is not None}

    async def _close_valve(self, _: Connection, request_id: UUID, body: Body, actor: str) -> Body:
        """A person asks for a close; it joins the home's open incident or stands alone."""
        engine, state = self._engine, self._engine.state
        home = state.registry.homes.get(body["home_id"])
        meter = state.registry.meter_of(home) if home is not None else None
        if home is None or meter is None:
            raise Refused("no_meter", "该户没有可关断的燃气表", "This home has no meter with a valve")
        reason = str(body.get("reason") or "desk")[:64]
        incident = state.open_by_place.get(home.home_id)
        if incident is not None:
            engine.valves.next_attempt(incident, reason, actor)
            return {"command_id": str(incident.close.command_id) if incident.close else None, "incident_id": str(incident.incident_id)}
        record = engine.valves.close(meter, request_id, 1, reason, actor)
        record.incident_id = None
        state.keeper.put(Rows(commands={record.command_id: record.row()}))
        return {"command_id": str(record.command_id)}

    # -- opening ---------------------------------------------------------------------------------------------------------------

    async def _open_valve(self, connection: Connection, request_id: UUID, body: Body, actor: str) -> Body:
        """Send an open to the meter at which a technician stands. Every guard of the rule is checked here, against what is stored."""
        if body["age_s"] > self._engine.state.settings.open_heard_within_s:
            raise Refused("too_late", "开阀请求已过时,请重新提出", "This request to open has waited too long: ask again")
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(ORDER_FOR_OPENING, {"order_no": body["order_no"], "actor": actor})
            order = await cursor.fetchone()
        if order is None:
            raise Refused("unknown_order", "没有这张抢修单", "There is no such order")
        incident = self._engine.incident(order["incident_id"])
        if incident is None:
            raise Refused("incident_closed", "事件已结束", "The incident is over")
        try:
            meter = self._may_open(incident, order)
        except Refused as refusal:
            at_ms = self._engine.state.clock.now_ms()
            refused = event(incident.incident_id, at_ms, "open_refused", actor=actor, reason=refusal.reason)
            self._engine.state.keeper.put(Rows(events=[refused]))
            raise
        record = self._engine.valves.order("open_valve", meter, incident.incident_id, request_id, "tightness_passed", actor)
        incident.opening = record
        rows = Rows(commands={record.command_id: record.row()})
        at_ms = record.sent_ms or record.issued_ms
        rows.events.append(event(incident.incident_id, at_ms, "open_sent", actor=actor, mark=str(request_id), device_id=meter.device_id))
        self._engine.state.keeper.put(rows)
        return {"command_id": str(record.command_id), "expires_ms": record.expires_ms}

    def _may_open(self, incident: Incident, order: Body) -> Device:
        state = self._engine.state
        if not order["own_crew"]:
            raise Refused("not_on_this_order", "只有本单的抢修人员可以开阀", "Only the order's own technician may open")
        if order["on_site_ms"] is None:
            raise Refused("not_on_site", "抢修人员尚未到场", "The technician is not on site")
        if order["state"] != "tightness_passed" or not order["test_passed"] or order["test_ms"] is None:
            raise Refused("no_passed_test", "严密性试验未合格,不能开阀", "No tightness test has passed")
        if order["test_ms"] <= incident.last_leak_ms:
            raise Refused("leak_after_test", "试验之后又有泄漏报警,须重新试验", "It leaked again after the test: test anew")
        if not state.settings.broker_access_control and not incident.simulated:
            raise Refused(
                "no_access_control",
                "消息代理没有访问控制,模拟小区以外不能开阀",
                "The broker has no access control: no valve is opened outside the simulation",
            )
        meter = state.registry.devices.get(incident.meter_id or "")
        if meter is None:
            raise Refused("no_meter", "该户没有可开启的燃气表", "This home has no meter with a valve")
        heard = state.devices.of(meter.device_id).heard
        if state.clock.monotonic() - heard > state.settings.open_heard_within_s:
            self._engine.valves.order("report", meter, None, incident.incident_id, "before_open", "line")
            raise Refused(
                "meter_not_heard",
                "燃气表最近没有通信,已请它上报,请稍候再试",
                "The meter was not heard just now; it was asked to report: try again in a moment",
            )
        return meter

    # -- the rest --------------------------------------------------------------------------------------------------------------

    async def _ask_device(self, _: Connection, request_id: UUID, body: Body, actor: str) -> Body:
        device = self._engine.state.registry.devices.get(body["device_id"])
        if device is None or device.retired:
            raise Refused("unknown_device", "没有这台设备", "There is no such device")
        name: CommandName = "self_test" if body["kind"] == "self_test" else "report"
        record = self._engine.valves.order(name, device, None, request_id, "desk", actor)
        self._engine.state.keeper.put(Rows(commands={record.command_id: record.row()}))
        return {"command_id": str(record.command_id)}

    async def _order_finished(self, _: Connection, _request_id: UUID, body: Body, actor: str) -> Body:
        """Dispatch archived the order: the incident ends."""
        incident = self._engine.incident(UUID(body["incident_id"]))
        if incident is None:
            return {"already_closed": True}
        self._engine.close(incident, self._engine.state.clock.now_ms(), actor, str(body.get("outcome", "")))
        return {"incident_id": str(incident.incident_id)}
