"""When a valve may be opened, and by whose word each hold is lifted. The platform opens nothing: a person at the meter confirms.

Every guard of the rule is checked here against what is stored and what is in memory; the requests bring what the database knows.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from alarm_engine.engine import Engine
from alarm_engine.incident import Incident
from alarm_engine.judgement.holds import ON_REQUEST, Authority, Hold, against_opening, may_lift, named
from alarm_engine.record import event
from alarm_engine.refusal import Refused
from alarm_engine.rows import Rows
from core.registry.model import Device

_TEST_AHEAD_MS = 10_000

OrderFacts = Mapping[str, Any]
"""``own_crew``, ``on_site_ms``, ``state``, ``test_passed``, ``test_ms`` of the work order of the incident, as stored."""


class Reopening:
    """Sends opens that every rule allows; sets and lifts holds that people ask for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._state = engine.state

    # -- opening ---------------------------------------------------------------------------------------------------------------

    def open(self, incident: Incident, order: OrderFacts, request_id: UUID, actor: str, age_s: float = 0.0) -> dict[str, Any]:
        """Send an open to the meter at which a technician stands; it expires and is never queued. Raises :class:`Refused`."""
        if age_s > self._state.settings.open_heard_within_s:
            raise Refused("too_late", "开阀请求已过时,请重新提出", "This request to open has waited too long: ask again")
        try:
            meter = self._may_open(incident, order)
        except Refused as refusal:
            refused = event(incident.incident_id, self._state.clock.now_ms(), "open_refused", actor=actor, reason=refusal.reason)
            self._state.keeper.put(Rows(events=[refused]))
            raise
        record = self._engine.valves.order("open_valve", meter, incident.incident_id, request_id, "tightness_passed", actor)
        incident.opening = record
        rows = Rows(commands={record.command_id: record.row()})
        at_ms = record.sent_ms or record.issued_ms
        rows.events.append(event(incident.incident_id, at_ms, "open_sent", actor=actor, mark=str(request_id), device_id=meter.device_id))
        self._state.keeper.put(rows)
        return {"command_id": str(record.command_id), "expires_ms": record.expires_ms}

    def _may_open(self, incident: Incident, order: OrderFacts) -> Device:
        state = self._state
        if not order["own_crew"]:
            raise Refused("not_on_this_order", "只有本单的抢修人员可以开阀", "Only the order's own technician may open")
        if order["on_site_ms"] is None:
            raise Refused("not_on_site", "抢修人员尚未到场", "The technician is not on site")
        # A test of the future says that the clock was set back since: whether a leak came after it cannot be told.
        future = order["test_ms"] is not None and order["test_ms"] > state.clock.now_ms() + _TEST_AHEAD_MS
        if order["state"] != "tightness_passed" or not order["test_passed"] or order["test_ms"] is None or future:
            raise Refused("no_passed_test", "严密性试验未合格,不能开阀", "No tightness test has passed")
        self.refuse_after_leak(incident, order["test_ms"])
        self._refuse_held(incident)
        if not state.settings.broker_access_control and not incident.simulated:
            raise Refused(
                "no_access_control",
                "消息代理没有访问控制,模拟小区以外不能开阀",
                "The broker has no access control: no valve is opened outside the simulation",
            )
        meter = state.registry.devices.get(incident.meter_id or "")
        if meter is None or meter.retired or meter.home_id != incident.place:
            # One that the registry has moved hangs on another home's wall by now, and that home's holds are not looked at here.
            raise Refused("no_meter", "该户没有可开启的燃气表", "This home has no meter with a valve")
        # What a hub or a broker kept and delivers late says nothing of the meter now.
        spoke = state.devices.of(meter.device_id).spoke
        if state.clock.monotonic() - spoke > state.settings.open_heard_within_s:
            self._engine.valves.ask_report(meter, incident.incident_id, "before_open")
            raise Refused(
                "meter_not_heard",
                "燃气表最近没有通信,已请它上报,请稍候再试",
                "The meter was not heard just now; it was asked to report: try again in a moment",
            )
        return meter

    def refuse_after_leak(self, incident: Incident, test_ms: int | None) -> None:
        """Refuse what a test older than the last leak should allow, and tell dispatch once more that the test is void."""
        if test_ms is None or test_ms > incident.last_leak_ms:
            return
        rows = Rows()
        self._engine.leaks.say_again(incident, self._state.clock.now_ms(), None, rows)
        rows.incidents[incident.incident_id] = incident.row()
        self._state.keeper.put(rows)
        raise Refused("leak_after_test", "试验之后又有泄漏报警,须重新试验", "It leaked again after the test: test anew")

    def _refuse_held(self, incident: Incident) -> None:
        in_force = self._engine.holds.of(incident.place)
        against = against_opening([(h.hold, h.cause, h.incident_id == incident.incident_id) for h in in_force], test_passed=True)
        if against:
            raise Refused("held", f"阀门仍被保持关闭:{named(against, 'zh')}", f"The valve is held closed: {named(against, 'en')}")

    # -- holds on request --------------------------------------------------------------------------------------------------------

    def set_hold(self, home_id: str, hold: str, cause: str, request_id: UUID, actor: str, reason: str) -> dict[str, Any]:
        """Keep a valve closed because somebody is away or works on the pipe; it is closed, if it is not. Raises :class:`Refused`."""
        state = self._state
        home = state.registry.homes.get(home_id)
        if home is None or home.retired:
            raise Refused("unknown_home", "没有这一户", "There is no such home")
        if hold not in ON_REQUEST:
            raise Refused("hold_not_by_request", "该保持不能由申请设置", "This hold is not set by request")
        at_ms = state.clock.now_ms()
        incident = state.open_by_place.get(home_id)
        meter = state.registry.meter_of(home)
        answer: dict[str, Any] = {"home_id": home_id, "hold": hold, "command_id": None}
        if incident is not None and incident.close is not None:
            if not incident.is_closed and not incident.close.under_way:
                self._engine.valves.next_attempt(incident, hold, actor)
                answer["command_id"] = str(incident.close.command_id)
        elif meter is not None:
            answer["command_id"] = str(self._engine.valves.close_loose(meter, request_id, hold, actor).command_id)
        rows = Rows()
        record = self._engine.holds.set(home_id, "away" if hold == "away" else "works", at_ms, actor, rows, cause=cause)
        if rows:
            state.keeper.put(rows)
        return {**answer, "already_held": record is None, "reason": reason}

    def lift_hold(self, home_id: str, hold: str, cause: str, authority: str, actor: str, why: str) -> dict[str, Any]:
        """Take off a hold that its authority may take off. Opens nothing. Raises :class:`Refused`."""
        in_force: dict[tuple[str, str], Any] = {record.key: record for record in self._engine.holds.of(home_id)}
        record = in_force.get((hold, cause))
        if record is None:
            raise Refused("no_such_hold", "该户没有这项保持", "There is no such hold on this home")
        asked = _authority(record.hold, authority)
        if asked is None or not may_lift(record.hold, record.cause, asked):
            raise Refused("not_this_authority", "该保持只能由其授权方解除", "This hold is lifted by its own authority alone")
        rows = Rows()
        self._engine.holds.lift(record, asked, self._state.clock.now_ms(), actor, why, rows)
        self._state.keeper.put(rows)
        return {"home_id": home_id, "hold": hold, "cause": cause}


def _authority(hold: Hold, claimed: str) -> Authority | None:
    """The authority that a request may speak with: its own, or an inspection where it says that one was made."""
    if hold in ON_REQUEST:
        return "request"
    return "inspection" if claimed == "inspection" else None
