"""What an export says of an incident and of a work order, column by column. Pure: takes rows as they are to be shown, already masked."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from console.desk.sheet import At, Column, column
from console.vocabulary import INCIDENT_KINDS, ORDER_KINDS, REPAIR_CAUSES, VALVE_KNOWLEDGE, Words, said

Shown = Mapping[str, Any]

_OPEN: Final = {"open": Words(zh="未结", en="open"), "closed": Words(zh="已结", en="closed")}
# The clocks of an incident, as ``console.clocks`` names them.
_CLOCKS: Final = (
    ("T0", "报警", "alarm"),
    ("T1", "就地切断", "valve closed locally"),
    ("T2", "平台收到", "received"),
    ("T3", "切断指令发出", "close sent"),
    ("T4", "表端报告已切断", "reported closed"),
    ("T5", "已证明无流量", "seen to hold"),
    ("T5c", "室内浓度回落", "room clearing"),
    ("T6a", "呼出", "call placed"),
    ("T6b", "振铃", "phone rings"),
    ("T7", "按键", "key pressed"),
    ("T8", "建单", "order created"),
    ("T9", "派单", "assigned"),
    ("T10", "接单", "accepted"),
    ("T11", "到场", "on site"),
    ("T12", "已控制", "made safe"),
    ("T13", "严密性试验合格", "tightness test passed"),
    ("T14", "复气", "gas restored"),
)


def _is(name: str) -> Callable[[Shown], Any]:
    return lambda row: row[name]


def _at(name: str) -> Callable[[Shown], At]:
    return lambda row: At(row[name])


def _clock(name: str) -> Callable[[Shown], At]:
    return lambda row: At(getattr(row["clocks"], name))


def _in(whole: str, name: str) -> Callable[[Shown], Any]:
    return lambda row: None if row[whole] is None else row[whole].get(name)


def _cause(row: Shown) -> Words | None:
    return None if row["cause"] is None else said(REPAIR_CAUSES, row["cause"])


def _place(row: Shown) -> Words:
    place: Shown = row["place"]
    zh = place.get("address_zh") or place.get("zh") or place.get("place") or ""
    return Words(zh=zh, en=place.get("address_en") or place.get("en") or zh)


INCIDENTS: Final[tuple[Column, ...]] = (
    column("事件编号", "incident", _is("incident_id")),
    column("类型", "kind", _is("kind_words")),
    column("状态", "state", lambda row: said(_OPEN, row["state"])),
    column("模拟", "simulated", _is("simulated")),
    column("区划代码", "district code", _is("district_code")),
    column("地址", "address", lambda row: Words(zh=row["address_zh"], en=row["address_en"])),
    column("户号", "household number", _in("home", "household_no")),
    column("住户编号", "home", _is("home_id")),
    column("设备", "device", _is("device_id")),
    column("燃气表", "meter", _is("meter_id")),
    column("甲烷 %LEL", "methane, %LEL", _is("ch4_lel")),
    column("报警设定 %LEL", "set-point, %LEL", _is("alarm_lel")),
    column("阀门", "valve", _is("valve_words")),
    column("是否关严", "does the valve hold", _is("proof_words")),
    column("室内浓度", "room", _is("clearing_words")),
    column("抢修单", "order", _in("order", "order_no")),
    column("抢修单状态", "order state", _in("order", "words")),
    column("抢修队", "crew", _in("order", "crew_id")),
    column("被叫人", "person called", _in("call", "name")),
    column("电话结果", "outcome of the call", _in("call", "words")),
    *(column(f"{name} {zh}", f"{name} {en}", _clock(name)) for name, zh, en in _CLOCKS),
    column("结束", "closed", _at("closed_ms")),
)

ORDERS: Final[tuple[Column, ...]] = (
    column("单号", "order", _is("order_no")),
    column("类型", "kind", lambda row: said(ORDER_KINDS, row["kind"])),
    column("状态", "state", _is("state_words")),
    column("模拟", "simulated", _is("simulated")),
    column("优先级", "priority", _is("priority")),
    column("事件编号", "incident", _is("incident_id")),
    column("事件类型", "incident kind", lambda row: said(INCIDENT_KINDS, row["incident_kind"])),
    column("区划代码", "district code", lambda row: row["place"].get("district_code")),
    column("地址", "address", _place),
    column("户号", "household number", lambda row: row["place"].get("household_no")),
    column("住户编号", "home", _is("home_id")),
    column("抢修队", "crew", _is("crew_id")),
    column("抢修人员编号", "technician", _is("technician_id")),
    column("阀门", "valve", lambda row: said(VALVE_KNOWLEDGE, row["valve"])),
    column("原因", "cause", _cause),
    column("原因说明", "note on the cause", _is("cause_note")),
    column("现场读数 %LEL", "reading on site, %LEL", _is("safe_reading_lel")),
    column("试验起始 kPa", "test, start kPa", _is("test_start_kpa")),
    column("试验结束 kPa", "test, end kPa", _is("test_end_kpa")),
    column("试验分钟", "test, minutes", _is("test_minutes")),
    column("试验合格", "test passed", _is("test_passed")),
    column("建单", "created", _at("created_ms")),
    column("派单", "assigned", _at("assigned_ms")),
    column("接单", "accepted", _at("accepted_ms")),
    column("到场", "on site", _at("on_site_ms")),
    column("到访不遇", "no access", _at("no_access_ms")),
    column("应复访", "revisit due", _at("revisit_due_ms")),
    column("已控制", "made safe", _at("made_safe_ms")),
    column("查明原因", "cause recorded", _at("cause_ms")),
    column("试验", "test", _at("test_ms")),
    column("复气", "restored", _at("restored_ms")),
    column("归档", "archived", _at("archived_ms")),
)
