"""What people and the other stations ask of the line, and its answers. The line decides; a refusal names its ground in both languages.

Kinds: ``hotline_report``, ``close_valve``, ``open_valve``, ``set_hold``, ``lift_hold``, ``self_test``, ``report``, ``order_finished``. When
a valve may be opened stands in :mod:`alarm_engine.reopening`.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alarm_engine import metrics
from alarm_engine.engine import Engine
from alarm_engine.incident import HOTLINE_PLACE, Incident
from alarm_engine.record import event
from alarm_engine.refusal import Refused
from alarm_engine.reopening import Reopening
from alarm_engine.rows import Rows
from core.ids import incident_id
from core.messages import CommandName
from core.station import HomeFacts

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
SETTLED = """
SELECT test_passed IS TRUE AS tested, CASE WHEN test_passed THEN test_ms ELSE coalesce(made_safe_ms, cause_ms) END AS settled_ms
FROM work_orders WHERE order_no = %(order_no)s
"""
"""Whether the order passed its test, and the moment (Unix ms) up to which what leaked was dealt with."""


class Requests:
    """Takes pending requests and answers each once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reopening = Reopening(engine)
        self._kinds: dict[str, Callable[[Connection, UUID, Body, str], Awaitable[Body]]] = {
            "hotline_report": self._hotline_report,
            "close_valve": self._close_valve,
            "open_valve": self._open_valve,
            "set_hold": self._set_hold,
            "lift_hold": self._lift_hold,
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
        place = home.home_id if home is not None else f"{HOTLINE_PLACE}{request_id}"
        caller = None if body.get("caller_phone") is None else str(body["caller_phone"])
        before = state.open_by_place.get(place)
        now_ms = state.clock.now_ms()
        if before is not None and before.kind != "past_leak":
            return self._hotline_again(before, body, actor)
        key = incident_id("hotline_report", str(request_id), 0, 0, 0)
        meter = state.registry.meter_of(home) if home is not None else None
        wanted = body.get("close", True) or (before is not None and before.close_owed)
        close = engine.valves.close(meter, key, 1, "hotline_report", actor) if meter is not None and wanted else None
        if before is not None:
            engine.close(before, now_ms, "line", "superseded")
        incident = Incident(
            incident_id=key,
            kind="hotline_report",
            place=place,
            account="hotline",
            device_id=None,
            home=_street(place, body) if home is None else state.registry.facts(home),
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
            events=[
                event(
                    key,
                    now_ms,
                    "opened",
                    actor=actor,
                    kind="hotline_report",
                    note=body.get("note"),
                    place=body.get("place"),
                    caller_phone=caller,
                )
            ]
        )
        engine.start(incident, close, rows, None, now_ms, caller)
        return {"incident_id": str(key), "already_open": False, "closing": close is not None}

    def _hotline_again(self, before: Incident, body: Body, actor: str) -> Body:
        """Somebody smells it in a home that leaks already: as good as another leak item. A passed test is void."""
        engine, state = self._engine, self._engine.state
        now_ms = state.clock.now_ms()
        before.last_leak_ms = now_ms
        rows = Rows(
            events=[
                event(
                    before.incident_id,
                    now_ms,
                    "leak_again",
                    actor=actor,
                    hotline=True,
                    note=body.get("note"),
                    caller_phone=body.get("caller_phone"),
                )
            ]
        )
        opening = before.opening is not None and before.opening.under_way
        awaited = before.close is not None and before.close.under_way
        wanted = body.get("close", True) and not (before.is_closed or awaited)
        if before.meter_id is not None and (opening or wanted):
            engine.close_again(before, "hotline_report", actor)
        if before.place in state.registry.homes:
            engine.holds.safety(before.place, before.incident_id, now_ms, rows)
        engine.leaks.say_again(before, now_ms, None, rows)
        rows.incidents[before.incident_id] = before.row()
        state.keeper.put(rows)
        return {"incident_id": str(before.incident_id), "already_open": True}

    async def _close_valve(self, _: Connection, request_id: UUID, body: Body, actor: str) -> Body:
        """A person asks for a close of the meter that hangs there now; it joins the home's open incident or stands alone."""
        engine, state = self._engine, self._engine.state
        home = state.registry.homes.get(body["home_id"])
        meter = state.registry.meter_of(home) if home is not None else None
        if home is None or meter is None:
            raise Refused("no_meter", "该户没有可切断的燃气表", "This home has no meter with a valve")
        reason = str(body.get("reason") or "desk")[:64]
        incident = state.open_by_place.get(home.home_id)
        if incident is not None:
            engine.close_again(incident, reason, actor)
            return {"command_id": str(incident.close.command_id) if incident.close else None, "incident_id": str(incident.incident_id)}
        return {"command_id": str(engine.valves.close_loose(meter, request_id, reason, actor).command_id)}

    # -- opening ---------------------------------------------------------------------------------------------------------------

    async def _open_valve(self, connection: Connection, request_id: UUID, body: Body, actor: str) -> Body:
        """Ask for an open; what the database knows of the order is read here."""
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(ORDER_FOR_OPENING, {"order_no": body["order_no"], "actor": actor})
            order = await cursor.fetchone()
        if order is None:
            raise Refused("unknown_order", "没有这张抢修单", "There is no such order")
        incident = self._engine.incident(order["incident_id"])
        if incident is None:
            raise Refused("incident_closed", "事件已结束", "The incident is over")
        return self._reopening.open(incident, order, request_id, actor, body["age_s"])

    async def _set_hold(self, _: Connection, request_id: UUID, body: Body, actor: str) -> Body:
        cause, reason = str(body.get("cause") or "")[:64], str(body.get("reason") or "")[:256]
        return self._reopening.set_hold(body["home_id"], body["hold"], cause, request_id, actor, reason)

    async def _lift_hold(self, _: Connection, _request_id: UUID, body: Body, actor: str) -> Body:
        cause, why = str(body.get("cause") or ""), str(body.get("why") or "")[:256]
        return self._reopening.lift_hold(body["home_id"], body["hold"], cause, str(body.get("authority") or ""), actor, why)

    # -- the rest --------------------------------------------------------------------------------------------------------------

    async def _ask_device(self, _: Connection, request_id: UUID, body: Body, actor: str) -> Body:
        device = self._engine.state.registry.devices.get(body["device_id"])
        if device is None or device.retired:
            raise Refused("unknown_device", "没有这台设备", "There is no such device")
        name: CommandName = "self_test" if body["kind"] == "self_test" else "report"
        record = self._engine.valves.order(name, device, None, request_id, "desk", actor)
        self._engine.state.keeper.put(Rows(commands={record.command_id: record.row()}))
        return {"command_id": str(record.command_id)}

    async def _order_finished(self, connection: Connection, _request_id: UUID, body: Body, actor: str) -> Body:
        """Dispatch archived the order: the incident ends, unless it has leaked since the order's test, or since the place was made safe."""
        incident = self._engine.incident(UUID(body["incident_id"]))
        if incident is None:
            return {"already_closed": True}
        order = await (await connection.execute(SETTLED, {"order_no": str(body.get("order_no") or "")})).fetchone()
        # It may have ended while the database answered.
        if self._engine.incident(incident.incident_id) is None:
            return {"already_closed": True}
        tested, settled_ms = (False, None) if order is None else order
        self._reopening.refuse_after_leak(incident, settled_ms)
        self._engine.close(incident, self._engine.state.clock.now_ms(), actor, str(body.get("outcome", "")), tested=tested)
        return {"incident_id": str(incident.incident_id)}


def _street(place: str, body: Body) -> HomeFacts | None:
    """The address that a caller gave where no home of the registry is meant; it stands in the incident and on the order."""
    text = str(body.get("place") or "").strip()[:500]
    if not text:
        return None
    return HomeFacts(
        home_id=place,
        household_no="",
        address_zh=text,
        address_en=text,
        district_code=str(body.get("district_code") or ""),
        estate="",
        building="",
        unit="",
        room="",
    )
