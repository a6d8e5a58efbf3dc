"""What is measured at an order's place now, and what stands against opening its valve. Decides nothing: the line judges an open again.

Says beforehand what the line would refuse, so that a technician in a stairwell is not sent to the meter in vain.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

from pydantic import BaseModel, Field

from console.store import Store
from console.vocabulary import CLEARINGS, HOLDS, PROOFS, REFUSALS, VALVE_CAUSES, VALVE_KNOWLEDGE, Words, said

_INCIDENTS: Final[LiteralString] = """
    SELECT i.incident_id, i.state, i.valve, i.proof, i.proof_due_ms, i.clearing, i.answer_due_ms, i.before_meter_ms, i.last_leak_ms,
           i.alarm_lel, i.close_sent_ms, i.holds_ms, i.opened_valve_ms
    FROM incidents i WHERE i.incident_id = ANY(%(incident_ids)s)"""
_DEVICES: Final[LiteralString] = """
    SELECT d.home_id, d.device_id, d.kind, s.heard_ms, s.state, s.ch4_lel, s.valve, s.cause, s.flow_m3h, s.connectivity
    FROM devices d LEFT JOIN device_state s USING (device_id)
    WHERE d.home_id = ANY(%(home_ids)s) AND d.retired_at IS NULL AND d.kind IN ('detector', 'meter')
    ORDER BY d.home_id, d.kind, d.device_id"""
_HOLDS: Final[LiteralString] = """
    SELECT home_id, hold, incident_id FROM valve_holds WHERE home_id = ANY(%(home_ids)s) AND lifted_ms IS NULL ORDER BY set_ms"""
_OPENINGS: Final[LiteralString] = """
    SELECT DISTINCT ON (incident_id) incident_id, command_id, state, issued_ms, expires_ms, done_ms, result, detail
    FROM commands WHERE incident_id = ANY(%(incident_ids)s) AND command = 'open_valve' ORDER BY incident_id, order_no DESC"""

_BEFORE_THE_TEST: Final = frozenset({"created", "waiting", "assigned", "accepted", "on_site", "no_access", "made_safe", "cause_recorded"})


class Detector(BaseModel):
    """A methane detector of the home."""

    device_id: str
    ch4_lel: float | None = Field(description="methane, %LEL")
    state: str | None
    heard_ms: int | None = Field(description="when it was last heard, Unix ms; null: never")


class Meter(BaseModel):
    """The meter with its valve."""

    device_id: str
    valve: str | None = Field(description="as it last said: open, closed, opening, closing, fault, unknown")
    cause: Words | None
    flow_m3h: float | None = Field(description="m³/h")
    connectivity: str | None
    heard_ms: int | None = Field(description="when it was last heard, Unix ms; null: never")


class Opening(BaseModel):
    """The newest order to open; a person at the meter confirms it before it expires."""

    command_id: UUID
    state: str
    issued_ms: int
    expires_ms: int
    done_ms: int | None
    result: str | None
    detail: str | None


class Against(BaseModel):
    """One thing that stands against opening the valve."""

    reason: str
    zh: str
    en: str


class Live(BaseModel):
    """What is measured at the place of an order. Silence is unknown, never normal: judge `heard_ms` first. Times are Unix ms."""

    order_no: str
    now_ms: int
    state: str = Field(description="the order's")
    incident_open: bool
    alarm_lel: float | None = Field(description="set-point of the alarm, %LEL")
    last_leak_ms: int | None
    detectors: list[Detector]
    meter: Meter | None
    valve: str = Field(description="what is known of the valve: the first two of four answers")
    valve_words: Words
    close_sent_ms: int | None = Field(description="when the close was first sent; null: it was not")
    answer_due_ms: int | None = Field(description="the meter sleeps: it hears the close at its next report, expected then")
    proof: str = Field(description="third answer: does the valve hold")
    proof_words: Words
    proof_due_ms: int | None
    holds_ms: int | None = Field(description="when it was seen to hold; stays when the valve is opened")
    clearing: str = Field(description="fourth answer: does the room clear")
    clearing_words: Words
    before_meter: bool = Field(description="a leak before the meter is suspected")
    opened_ms: int | None = Field(description="when the valve was opened at the meter")
    opening: Opening | None
    against_opening: list[Against] = Field(description="empty: the line may be asked to open; it decides")


async def live_of(store: Store, orders: Sequence[Mapping[str, Any]], now_ms: int) -> dict[str, Live]:
    """Order number -> what is measured there, for rows of ``work_orders``. Raises DatabaseAway."""
    values = {
        "incident_ids": [order["incident_id"] for order in orders],
        "home_ids": [order["home_id"] for order in orders if order["home_id"] is not None],
    }
    if not orders:
        return {}
    incidents = {row["incident_id"]: row for row in await store.rows(_INCIDENTS, values)}
    openings = {row["incident_id"]: row for row in await store.rows(_OPENINGS, values)}
    devices, holds = await store.rows(_DEVICES, values), await store.rows(_HOLDS, values)
    found = {}
    for order in orders:
        home_id = order["home_id"]
        found[order["order_no"]] = _live(
            order,
            incidents.get(order["incident_id"]),
            [row for row in devices if row["home_id"] == home_id],
            [row for row in holds if row["home_id"] == home_id],
            openings.get(order["incident_id"]),
            now_ms,
        )
    return found


def _live(
    order: Mapping[str, Any],
    incident: Mapping[str, Any] | None,
    devices: Sequence[Mapping[str, Any]],
    holds: Sequence[Mapping[str, Any]],
    opening: Mapping[str, Any] | None,
    now_ms: int,
) -> Live:
    # Dispatch may hear of an incident before the line has written it: until then the order knows best.
    unwritten = {"last_leak_ms": None, "alarm_lel": None, "close_sent_ms": None, "holds_ms": None, "opened_valve_ms": None, "state": "open"}
    known = incident or {**order, **unwritten}
    before_meter = order["before_meter"] if incident is None else incident["before_meter_ms"] is not None
    meters = [row for row in devices if row["kind"] == "meter"]
    return Live(
        order_no=order["order_no"],
        now_ms=now_ms,
        state=order["state"],
        incident_open=known["state"] == "open",
        alarm_lel=known["alarm_lel"],
        last_leak_ms=known["last_leak_ms"],
        detectors=[Detector(**row) for row in devices if row["kind"] == "detector"],
        meter=Meter(**{**meters[0], "cause": said(VALVE_CAUSES, meters[0]["cause"]) if meters[0]["cause"] else None}) if meters else None,
        valve=known["valve"],
        valve_words=said(VALVE_KNOWLEDGE, known["valve"]),
        close_sent_ms=known["close_sent_ms"],
        answer_due_ms=known["answer_due_ms"],
        proof=known["proof"],
        proof_words=said(PROOFS, known["proof"]),
        proof_due_ms=known["proof_due_ms"],
        holds_ms=known["holds_ms"],
        clearing=known["clearing"],
        clearing_words=said(CLEARINGS, known["clearing"]),
        before_meter=before_meter,
        opened_ms=known["opened_valve_ms"],
        opening=None if opening is None else Opening(**opening),
        against_opening=against_opening(order, incident, bool(meters), holds),
    )


def against_opening(
    order: Mapping[str, Any], incident: Mapping[str, Any] | None, has_meter: bool, holds: Sequence[Mapping[str, Any]]
) -> list[Against]:
    """What the line would say, from what is stored; whether the meter is heard just now only the line knows."""
    found: list[Against] = []

    def against(reason: str, more: Words | None = None) -> None:
        words = said(REFUSALS, reason)
        tail_zh, tail_en = ("", "") if more is None else (f"：{more.zh}", f": {more.en}")
        found.append(Against(reason=reason, zh=words.zh + tail_zh, en=words.en + tail_en))

    if not has_meter:
        against("no_meter")
    if order["on_site_ms"] is None:
        against("not_on_site")
    if order["state"] in _BEFORE_THE_TEST or not order["test_passed"] or order["test_ms"] is None:
        against("no_passed_test")
    elif incident is not None and order["test_ms"] <= incident["last_leak_ms"]:
        against("leak_after_test")
    for hold in holds:
        # The safety hold of the order's own incident is what the passed test lifts.
        if hold["hold"] != "safety" or hold["incident_id"] != order["incident_id"]:
            against("held", said(HOLDS, hold["hold"]))
    return found
