"""The clocks of one incident, composed from its own row, its order and its calls. Pure: reads rows, asks nothing.

T0 alarm, T1 valve closed locally, T2 received, T3 close sent, T4 reported closed, T5 seen to hold, T5c room clearing,
T6a call placed, T6b phone rings, T7 key pressed, T8 order created, T9 assigned, T10 accepted, T11 on site, T12 made safe,
T13 tightness test passed, T14 gas restored. A clock that is not known is None, never guessed.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, Field

_MS = "Unix ms; null while it is not known"


class Clocks(BaseModel):
    """All clocks of one incident, Unix ms."""

    T0: int | None = Field(None, description=f"detector alarm, device time · 报警, {_MS}")
    T1: int | None = Field(None, description=f"valve closed by the detector in the home · 就地切断, {_MS}")
    T2: int | None = Field(None, description=f"received by the platform · 平台收到, {_MS}")
    T3: int | None = Field(None, description=f"close command sent · 切断指令发出, {_MS}")
    T4: int | None = Field(None, description=f"valve reported closed by the meter · 表端报告已切断, {_MS}")
    T5: int | None = Field(None, description=f"valve seen to hold · 确认关严, {_MS}")
    T5c: int | None = Field(None, description=f"room clearing · 室内浓度下降, {_MS}")
    T6a: int | None = Field(None, description=f"first call placed · 电话呼出, {_MS}")
    T6b: int | None = Field(None, description=f"first phone rings · 电话振铃, {_MS}")
    T7: int | None = Field(None, description=f"first key pressed · 住户按键, {_MS}")
    T8: int | None = Field(None, description=f"work order created · 抢修单建立, {_MS}")
    T9: int | None = Field(None, description=f"crew assigned · 派单, {_MS}")
    T10: int | None = Field(None, description=f"accepted · 接单, {_MS}")
    T11: int | None = Field(None, description=f"on site · 到场, {_MS}")
    T12: int | None = Field(None, description=f"made safe · 已控制, {_MS}")
    T13: int | None = Field(None, description=f"tightness test passed · 严密性试验合格, {_MS}")
    T14: int | None = Field(None, description=f"gas restored · 复气, {_MS}")


def compose(incident: Mapping[str, Any], order: Mapping[str, Any] | None, calls: Iterable[Mapping[str, Any]]) -> Clocks:
    """The clocks of ``incident``; ``order`` is the order that works it (see :func:`working_order`), ``calls`` all its calls."""
    rung = list(calls)
    work: Mapping[str, Any] = order or {}
    return Clocks(
        T0=incident["alarmed_ms"],
        T1=incident["valve_closed_locally_ms"],
        T2=incident["received_ms"],
        T3=incident["close_sent_ms"],
        T4=incident["reported_closed_ms"],
        T5=incident["holds_ms"],
        T5c=incident["clearing_ms"],
        T6a=_first(rung, "placed_ms"),
        T6b=_first(rung, "ringing_ms"),
        T7=_first(rung, "key_ms"),
        T8=work.get("created_ms"),
        T9=work.get("assigned_ms"),
        T10=work.get("accepted_ms"),
        T11=work.get("on_site_ms"),
        T12=work.get("made_safe_ms"),
        # A failed or voided test has a time too, but no clock.
        T13=work.get("test_ms") if work.get("test_passed") is True else None,
        T14=work.get("restored_ms"),
    )


_RANK = {"emergency": 0, "canary": 1, "inspection": 2, "triage": 3}


def working_order(orders: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Of an incident's orders the one that its clocks speak of: the emergency order before every other kind, then the oldest."""
    return min(orders, key=lambda order: (_RANK.get(order["kind"], 9), order["created_ms"]), default=None)


def speaking_call(calls: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Of an incident's calls the one that says most of its people: a key pressed before everything, then the newest."""
    return max(calls, key=lambda call: (call["key_ms"] is not None, call["attempt"], call["requested_ms"]), default=None)


def _first(calls: list[Mapping[str, Any]], stamp: str) -> int | None:
    return min((call[stamp] for call in calls if call[stamp] is not None), default=None)
