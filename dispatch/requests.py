"""Requests of people: each is checked, carried out and answered in one transaction, so that an answer is never without its effect.

Who may do what is decided here; whether it fits the order's state by ``judgement.order_table``; what was measured by its own rule. A
refusal answers with a reason in both languages and changes nothing.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import psycopg
import structlog
from psycopg.types.json import Jsonb
from pydantic import ValidationError

from core.clock import Clock
from dispatch import metrics, orders, orders_sql, requests_sql
from dispatch.database import Connection, DatabaseAway, Lane
from dispatch.judgement import tightness
from dispatch.judgement.crews import on_duty
from dispatch.judgement.order_table import OrderEvent, OrderState, after
from dispatch.judgement.reasons import REASONS, Reason
from dispatch.judgement.true_time import true_time
from dispatch.request_bodies import (
    BODIES,
    AtOrder,
    CauseFound,
    CrewPosition,
    MadeSafe,
    Noted,
    Reassign,
    TaskDone,
    TightnessTest,
)
from dispatch.settings import DispatchSettings

Answer = dict[str, object]
_EVENTS: Final[dict[str, OrderEvent]] = {
    "accept": "accept",
    "on_site": "arrive",
    "no_access": "find_nobody",
    "made_safe": "make_safe",
    "record_cause": "record_cause",
    "restore": "restore",
    "archive": "archive",
}
_MEASURED: Final = frozenset({"made_safe", "record_cause", "tightness_test"})


class Refused(Exception):  # noqa: N818  an answer, not a fault
    """The request is answered with this reason."""

    def __init__(self, reason: Reason, **more: object) -> None:
        super().__init__(reason.code)
        self.reason = reason
        self.more = more


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: what, with which checked body, by whom."""

    kind: str
    body: Any
    actor: str
    now_ms: int
    at_ms: int
    """When it was done, Unix ms; before ``now_ms`` where a phone without reception told it later."""

    @property
    def told(self) -> Answer:
        """What a step's record says of its times, where it was not told as it was done."""
        happened_ms = self.body.happened_ms if isinstance(self.body, Noted) else None
        return {} if happened_ms is None else {"happened_ms": happened_ms, "received_ms": self.now_ms}


class Requests:
    """Answers the pending requests of this station."""

    def __init__(self, settings: DispatchSettings, clock: Clock, lane: Lane, work_done: Callable[[UUID, bool], None]) -> None:
        """``work_done`` is told of every incident whose place was made safe (False) or whose order was archived (True)."""
        self._settings = settings
        self._clock = clock
        self._lane = lane
        self._work_done = work_done
        self._log = structlog.get_logger()

    async def answer_all(self) -> int:
        """Answer what is pending, oldest first; returns how many. Raises DatabaseAway."""
        count = 0
        while await self._answer_next():
            count += 1
        return count

    async def _answer_next(self) -> bool:
        finished: list[tuple[UUID, bool]] = []
        began = time.monotonic()

        async def work(connection: Connection) -> tuple[str, str] | None:
            finished.clear()
            row = await (await connection.execute(requests_sql.NEXT)).fetchone()
            if row is None:
                return None
            state, answer = await self._carry_out(connection, row, finished)
            parameters = {"request_id": row["request_id"], "state": state, "answer": Jsonb(answer)}
            await connection.execute(requests_sql.ANSWER, parameters)
            return row["kind"], state

        done = await self._lane.run(work)
        if done is None:
            return False
        kind = done[0] if done[0] in BODIES else "unknown"
        metrics.REQUESTS.labels(kind, done[1]).inc()
        metrics.REQUEST_ANSWER.observe(time.monotonic() - began)
        for incident_id, archived in finished:
            self._work_done(incident_id, archived)
        return True

    async def _carry_out(self, connection: Connection, row: Mapping[str, Any], finished: list[tuple[UUID, bool]]) -> tuple[str, Answer]:
        try:
            async with connection.transaction():  # a savepoint: a refusal leaves nothing behind
                model = BODIES.get(row["kind"])
                if model is None:
                    raise Refused(REASONS["unknown_kind"])
                body = model.model_validate(row["body"])
                now_ms = self._clock.now_ms()
                return "done", await self._do(connection, Asked(row["kind"], body, row["actor"], now_ms, now_ms), finished)
        except Refused as refused:
            reason, more = refused.reason, refused.more
        except ValidationError as error:
            found = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False, include_input=False)]
            reason, more = REASONS["bad_request"], {"detail": found[:10]}
        except (DatabaseAway, psycopg.OperationalError, psycopg.InterfaceError):
            raise
        except Exception:  # noqa: BLE001  one failure must not stop the others
            # A request that breaks us must not stand in front of everybody else's for ever.
            self._log.exception("a request failed", kind=row["kind"], request_id=str(row["request_id"]))
            reason, more = REASONS["failed_here"], {}
        return "refused", {"reason": reason.code, "zh": reason.zh, "en": reason.en, **more}

    async def _do(self, connection: Connection, asked: Asked, finished: list[tuple[UUID, bool]]) -> Answer:
        body = asked.body
        if isinstance(body, TaskDone):
            return await self._task_done(connection, asked, body)
        if isinstance(body, CrewPosition):
            return await self._position(connection, asked, body)
        order = await (await connection.execute(orders_sql.ORDER_BY_NO, {"order_no": body.order_no})).fetchone()
        if order is None:
            raise Refused(REASONS["no_such_order"])
        if isinstance(body, Reassign):
            return await self._reassign(connection, asked, body, order)
        technician = await self._technician(connection, asked, body, order)
        told = await self._told_before(connection, asked, order, technician)
        if told is not None:
            return told
        asked = await self._timed(connection, asked, order)
        if isinstance(body, TightnessTest):
            return await self._test(connection, asked, body, order, technician)
        event = _EVENTS[asked.kind]
        changes, detail = await self._facts(connection, asked, body, order)
        state = await orders.move(connection, order, event, technician, asked.at_ms, changes, {**detail, **asked.told})
        if isinstance(state, Reason):
            raise Refused(state)
        if event in ("make_safe", "archive"):
            finished.append((order["incident_id"], event == "archive"))
        if event == "archive":
            await orders.tell_finished(connection, order, _outcome(order), asked.now_ms)
            await orders.share_out(connection, asked.now_ms)
        return {"order_no": order["order_no"], "state": state}

    # -- orders --------------------------------------------------------------------------------------------------------

    async def _technician(self, connection: Connection, asked: Asked, body: AtOrder, order: orders.Row) -> str:
        """Who acts: a technician of the order's crew. Only a test's pressures may be entered by another on his behalf."""
        technician = body.technician_id or asked.actor
        on_behalf = isinstance(body, TightnessTest)
        if technician != asked.actor and not on_behalf:
            raise Refused(REASONS["not_your_order"])
        if order["crew_id"] is None:
            raise Refused(REASONS["archived" if order["state"] == "archived" else "not_assigned"])
        found = await (
            await connection.execute(orders_sql.IS_TECHNICIAN, {"technician_id": technician, "crew_id": order["crew_id"]})
        ).fetchone()
        if found is None or not found["found"]:
            raise Refused(REASONS["not_your_order"])
        return technician

    async def _told_before(self, connection: Connection, asked: Asked, order: orders.Row, technician: str) -> Answer | None:
        """The answer to an act that is on record: a phone that lost the answer tells it again, perhaps days later."""
        if not asked.told:
            return None
        events = ["pass_test", "fail_test"] if asked.kind == "tightness_test" else [_EVENTS[asked.kind]]
        row = {"order_id": order["order_id"], "events": events, "technician": technician, "happened_ms": asked.told["happened_ms"]}
        found = await (await connection.execute(requests_sql.TOLD_BEFORE, row)).fetchone()
        if found is None:
            return None
        answer: Answer = {"order_no": order["order_no"], "state": order["state"], "again": True}
        if asked.kind == "tightness_test":
            answer |= {"passed": found["detail"].get("passed"), "reasons": _worded(found["detail"].get("reasons") or [])}
        return answer

    async def _timed(self, connection: Connection, asked: Asked, order: orders.Row) -> Asked:
        """With the time at which it was done. What was measured before the last leak says nothing of the place as it is."""
        if asked.told:
            at_ms = true_time(asked.body.happened_ms, order["created_ms"], asked.now_ms)
            if isinstance(at_ms, Reason):
                raise Refused(at_ms)
            asked = replace(asked, at_ms=at_ms)
        if isinstance(asked.body, TightnessTest) or (asked.told and asked.kind in _MEASURED):
            await self._check_since_leak(connection, asked, order)
        if asked.told and asked.kind == "tightness_test" and asked.at_ms < (order["test_ms"] or 0):
            # The desk entered one on his behalf in between: the newer one stands.
            raise Refused(REASONS["later_test_known"])
        return asked

    @staticmethod
    async def _check_since_leak(connection: Connection, asked: Asked, order: orders.Row) -> None:
        """Refuses what was measured before the last leak, and a test that was begun before it.

        Pressures that the desk enters count from when it enters them: a test is taken to have begun no earlier than it did. Simulated
        crews say in seconds what takes minutes.
        """
        row = {"order_id": order["order_id"]}
        found = await (await connection.execute(requests_sql.LAST_LEAK, row)).fetchone()
        leak_ms = None if found is None else found["said_ms"]
        if leak_ms is None:
            return
        if asked.told and asked.at_ms < leak_ms:
            raise Refused(REASONS["leak_since_then"])
        if isinstance(asked.body, TightnessTest) and (asked.told or not order["simulated"]):
            begun_ms = asked.at_ms - round(asked.body.minutes * 60_000)
            if begun_ms < leak_ms:
                raise Refused(REASONS["leak_during_test"])

    async def _facts(
        self, connection: Connection, asked: Asked, body: AtOrder, order: orders.Row
    ) -> tuple[dict[str, object], dict[str, object]]:
        """The columns that this step writes and what its record says; refuses what was measured or is missing."""
        now = asked.at_ms
        if isinstance(body, MadeSafe):
            self._check_state_first(order, "make_safe")
            if body.reading_lel >= self._settings.safe_reading_lel:
                raise Refused(REASONS["reading_not_safe"], limit_lel=self._settings.safe_reading_lel)
            return (
                {"made_safe_ms": now, "safe_reading_lel": body.reading_lel},
                {"reading_lel": body.reading_lel, "note": body.note},
            )
        if isinstance(body, CauseFound):
            if body.cause == "no_leak_found" and not body.note:
                raise Refused(REASONS["reason_wanted"])
            return {"cause": body.cause, "cause_note": body.note, "cause_ms": now}, {"cause": body.cause, "note": body.note}
        note: dict[str, object] = {"note": body.note} if isinstance(body, Noted) else {}
        match asked.kind:
            case "accept":
                return {"accepted_ms": now}, note
            case "on_site":
                return {"on_site_ms": order["on_site_ms"] or now, "revisit_due_ms": None}, note
            case "no_access":
                due = now + round(self._settings.revisit_after_s * 1000)
                return {"no_access_ms": now, "revisit_due_ms": due}, {**note, "revisit_due_ms": due}
            case "restore":
                await self._check_open(connection, order)
                return {"restored_ms": now}, note
            case _:
                self._check_state_first(order, "archive")
                if order["state"] == "tightness_passed" and order["valve"] == "opened":
                    raise Refused(REASONS["restore_first"])
                return {"archived_ms": now}, {**note, "outcome": _outcome(order)}

    @staticmethod
    def _check_state_first(order: orders.Row, event: OrderEvent) -> None:
        """Where both the state and the measurement are wrong, the state is what to say."""
        found = after(order["kind"], order["state"], event)
        if isinstance(found, Reason):
            raise Refused(found)

    async def _check_open(self, connection: Connection, order: orders.Row) -> None:
        self._check_state_first(order, "restore")
        if not order["place"].get("has_meter") or order["valve"] == "no_meter":
            return
        row = {"order_id": order["order_id"], "after_ms": order["test_ms"] or 0}
        found = await (await connection.execute(orders_sql.OPENED_AFTER, row)).fetchone()
        if order["valve"] != "opened" or found is None or not found["found"]:
            raise Refused(REASONS["valve_not_open"])

    async def _test(self, connection: Connection, asked: Asked, body: TightnessTest, order: orders.Row, technician: str) -> Answer:
        """A test is always recorded, passed or not. ``entered_by`` is whoever typed the pressures for the technician."""
        entered_by = body.entered_by or (asked.actor if asked.actor != technician else None)
        failures = tightness.failures(self._settings.tightness_rule(), body.start_kpa, body.end_kpa, body.minutes)
        passed = not failures
        measured = {"start_kpa": body.start_kpa, "end_kpa": body.end_kpa, "minutes": body.minutes}
        changes = {
            "test_start_kpa": body.start_kpa,
            "test_end_kpa": body.end_kpa,
            "test_minutes": body.minutes,
            "test_passed": passed,
            "test_ms": asked.at_ms,
            "test_by": technician,
        }
        detail = {
            **measured,
            "passed": passed,
            "reasons": [reason.code for reason in failures],
            "test_by": technician,
            "entered_by": entered_by,
            **asked.told,
        }
        event: OrderEvent = "pass_test" if passed else "fail_test"
        state = await orders.move(connection, order, event, technician, asked.at_ms, changes, detail)
        if isinstance(state, Reason):
            raise Refused(state)
        return {"order_no": order["order_no"], "state": state, "passed": passed, "reasons": _worded([r.code for r in failures])}

    async def _reassign(self, connection: Connection, asked: Asked, body: Reassign, order: orders.Row) -> Answer:
        crew = order["crew_id"]
        state: OrderState | Reason = order["state"]
        if body.crew_id is None or state != "waiting":
            state = await orders.take_back(connection, order, asked.actor, asked.now_ms, body.note)
        if isinstance(state, Reason):
            raise Refused(state)
        if body.crew_id is not None:
            state = await orders.give_to(connection, {**order, "state": state}, body.crew_id, asked.actor, asked.now_ms)
            if isinstance(state, Reason):
                raise Refused(state)
            # The crew that it was taken from is free for whoever waits.
            await orders.share_out(connection, asked.now_ms)
            return {"order_no": order["order_no"], "state": state, "crew_id": body.crew_id}
        given = dict(await orders.share_out(connection, asked.now_ms, {str(order["order_id"]): crew}))
        if order["order_no"] not in given:
            raise Refused(REASONS["no_other_crew"])
        return {"order_no": order["order_no"], "state": "assigned", "crew_id": given[order["order_no"]]}

    # -- the desk ------------------------------------------------------------------------------------------------------

    async def _task_done(self, connection: Connection, asked: Asked, body: TaskDone) -> Answer:
        row = {"task_id": body.task_id, "now_ms": asked.now_ms, "actor": asked.actor, "note": body.note}
        if await (await connection.execute(requests_sql.TASK_DONE, row)).fetchone() is None:
            raise Refused(REASONS["no_such_task"])
        return {"task_id": str(body.task_id)}

    async def _position(self, connection: Connection, asked: Asked, body: CrewPosition) -> Answer:
        found = await (await connection.execute(requests_sql.CREW_EXISTS, {"crew_id": body.crew_id})).fetchone()
        if found is None or not found["found"]:
            raise Refused(REASONS["no_such_crew"])
        row = {"crew_id": body.crew_id, "actor": asked.actor}
        allowed = await (await connection.execute(requests_sql.MAY_TELL_POSITION, row)).fetchone()
        if allowed is None or not allowed["member"]:
            raise Refused(REASONS["not_your_crew"])
        if not allowed["under_way"]:
            # Where people are while they work on nothing is nobody's business.
            raise Refused(REASONS["no_order_under_way"])
        if not on_duty(allowed["shift_start"], allowed["shift_end"], asked.now_ms):
            raise Refused(REASONS["off_shift"])
        await connection.execute(requests_sql.CREW_POSITION, {**body.model_dump(), "now_ms": asked.now_ms})
        return {"crew_id": body.crew_id, "at_ms": asked.now_ms}


def _worded(codes: Iterable[str]) -> list[Answer]:
    return [{"reason": code, "zh": REASONS[code].zh, "en": REASONS[code].en} for code in codes]


def _outcome(order: orders.Row) -> str:
    return "restored" if order["state"] == "restored" else "closed_without_gas"
