"""One sentence in each language for everything that happens in an incident: what the story of a leak is told in.

Takes kinds, actors and details as the stations wrote them; a field that is missing is left out, and an unknown kind is shown
readably. Decides nothing, and knows no clock and no database.
"""

from collections.abc import Callable, Mapping
from typing import Any

from console.vocabulary import (
    ACTORS,
    CALL_OUTCOMES,
    EVENTS,
    ORDER_KINDS,
    REPAIR_CAUSES,
    VALVE_CAUSES,
    Words,
    said,
)

Detail = Mapping[str, Any]
Sentence = Callable[[str, Detail], Words]


def _number(value: object) -> str | None:
    """A measured value as people write it: no needless zeros; None for anything that is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return f"{value:.1f}".removesuffix(".0")


def _methane(detail: Detail) -> tuple[str, str]:
    """(zh, en) of the methane value with its set-point, or two empty strings."""
    value, limit = _number(detail.get("ch4_lel")), _number(detail.get("alarm_lel"))
    if value is None:
        return "", ""
    return (
        f"甲烷 {value} %LEL" + (f"（设定 {limit}）" if limit else ""),
        f"methane at {value} %LEL" + (f" (set-point {limit})" if limit else ""),
    )


def _who(actor: str) -> Words:
    return said(ACTORS, actor) if actor in ACTORS else Words(zh=actor, en=actor)


def _reason(detail: Detail) -> tuple[str, str]:
    """(zh, en) of why, in brackets, from the fields in which stations give a reason; empty where none did."""
    zh, en = detail.get("zh"), detail.get("en")
    if isinstance(zh, str) and isinstance(en, str) and zh and en:
        return f"（{zh}）", f" ({en})"
    for field in ("reason", "detail", "note"):
        text = detail.get(field)
        if isinstance(text, str) and text:
            return f"（{text}）", f" ({text.replace('_', ' ')})"
    return "", ""


def _opened(_: str, detail: Detail) -> Words:
    kind = detail.get("kind") or "leak"
    zh, en = _methane(detail)
    if kind == "hotline_report":
        note_zh, note_en = _reason(detail)
        return Words(zh=f"95158 热线接到燃气泄漏报告{note_zh}", en=f"The 95158 hotline took a report of a gas smell{note_en}")
    if kind == "past_leak":
        return Words(
            zh=f"收到迟到的泄漏记录{'：' + zh if zh else ''}；该报警器此后已恢复正常",
            en=f"A leak of the past was delivered late{': ' + en if en else ''}; the same detector has reported normal since",
        )
    if kind == "unknown_sender":
        device = detail.get("device_id")
        return Words(
            zh=f"收到未登记设备{f' {device} ' if device else ''}的泄漏报警，无法确定住户，请人工核实",
            en=f"Leak alarm from an unregistered device{f' {device}' if device else ''}: home not known, a person has to look",
        )
    if kind == "garbled_alarm":
        return Words(
            zh="收到登记设备的报警，但内容无法读取，请人工核实",
            en="An alarm of a registered device could not be read: a person has to look",
        )
    if kind == "canary":
        return Words(zh="自检演练开始", en="Self-check started")
    if detail.get("lane") == "telemetry":
        return Words(
            zh=f"平台在定时上报数据中发现泄漏{'：' + zh if zh else ''}",
            en=f"Leak found in routine telemetry{': ' + en if en else ''}",
        )
    if zh:
        return Words(zh=f"报警器测得{zh}，平台收到泄漏报警", en=f"Leak alarm received: {en}")
    return Words(zh="平台收到泄漏报警", en="Leak alarm received")


def _opening_or_valve(actor: str, detail: Detail) -> Words:
    # The line names both "opened": the incident, with what opened it, and the valve at the meter, with its order.
    if detail.get("order_no") is not None or detail.get("command_id") is not None:
        return _valve_opened(actor, detail)
    return _opened(actor, detail)


def _valve_opened(_: str, __: Detail) -> Words:
    return Words(zh="现场人员在表前按键确认，阀门已打开", en="The valve was opened, confirmed by a person at the meter")


def _leak_again(_: str, detail: Detail) -> Words:
    zh, en = _methane(detail)
    return Words(
        zh=f"再次收到泄漏报警{'：' + zh if zh else ''}；此前的严密性试验作废",
        en=f"Leak alarm again{': ' + en if en else ''}; any passed tightness test is void",
    )


def _close_sent(_: str, detail: Detail) -> Words:
    attempt = detail.get("attempt")
    if isinstance(attempt, int) and attempt > 1:
        return Words(zh=f"第 {attempt} 次切断指令已发往燃气表", en=f"Close command sent to the meter (attempt {attempt})")
    return Words(zh="切断指令已发往燃气表", en="Close command sent to the meter")


def _close_resent(_: str, detail: Detail) -> Words:
    sends = detail.get("sends")
    times_zh, times_en = (f"（第 {sends} 次发送）", f" (sent {sends} times)") if isinstance(sends, int) else ("", "")
    return Words(zh=f"燃气表未回应，重发切断指令{times_zh}", en=f"No answer yet: the close command is sent again{times_en}")


def _reported_closed(_: str, __: Detail) -> Words:
    return Words(zh="燃气表报告：阀门已切断", en="The meter reports: valve closed")


def _closed_locally(_: str, detail: Detail) -> Words:
    cause = detail.get("cause")
    if cause is None:
        return Words(zh="燃气表报告：阀门已经处于切断状态", en="The meter says that its valve is closed already")
    if cause == "linkage":
        return Words(
            zh="报警器已就地联动切断阀门，不等平台指令",
            en="The detector in the home has already closed the valve, waiting for nobody",
        )
    words = said(VALVE_CAUSES, cause)
    return Words(zh=f"燃气表报告：阀门已切断（{words.zh}）", en=f"The meter says that its valve is closed ({words.en})")


def _with_reason(zh: str, en: str) -> Sentence:
    def sentence(_: str, detail: Detail) -> Words:
        why_zh, why_en = _reason(detail)
        return Words(zh=zh + why_zh, en=en + why_en)

    return sentence


def _by(zh: str, en: str) -> Sentence:
    def sentence(actor: str, detail: Detail) -> Words:
        who = _who(actor)
        why_zh, why_en = _reason(detail)
        return Words(zh=zh.format(who=who.zh) + why_zh, en=_capital(en.format(who=who.en)) + why_en)

    return sentence


def _device_added(_: str, detail: Detail) -> Words:
    device = detail.get("device_id") or detail.get("device") or ""
    return Words(zh=f"又有一台设备报警：{device}".removesuffix("："), en=f"One more device reports: {device}".removesuffix(": "))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


INCIDENT_EVENTS: Mapping[str, Sentence] = {
    "opened": _opening_or_valve,
    "valve_opened": _valve_opened,
    "leak_again": _leak_again,
    "close_sent": _close_sent,
    "close_resent": _close_resent,
    "close_accepted": _with_reason("燃气表已接受切断指令，阀门正在关闭", "The meter accepted the close, the valve is moving"),
    "reported_closed": _reported_closed,
    "closed_locally": _closed_locally,
    "no_answer": _with_reason("燃气表没有回应切断指令，继续重发", "The meter does not answer the close; it is sent again and again"),
    "refused": _with_reason("燃气表拒绝切断", "The meter refused to close"),
    "travel_time_over": _with_reason("阀门未按时关闭，状态不明", "The valve did not close in its time; its position is unknown"),
    "open_requested": _by("{who} 请求在表前打开阀门", "{who} asks to open the valve at the meter"),
    "open_refused": _by("平台拒绝打开阀门", "The platform refused to open the valve"),
    "open_sent": _with_reason(
        "开阀指令已发出，须由现场人员在 60 秒内按键确认", "Open sent: a person at the meter has to confirm within 60 s"
    ),
    "open_expired": _with_reason("60 秒内无人在表前确认，开阀指令作废", "Nobody confirmed at the meter within 60 s: the open is void"),
    "device_added": _device_added,
    "order_sent": _with_reason("已交给调度：建单、派单、电话通知同时开始", "Handed to dispatch: order, crew and call start together"),
    "closed": _with_reason("事件结束", "Incident closed"),
}


def event_words(kind: str, actor: str, detail: Detail) -> Words:
    """The sentence of a row of ``incident_events``."""
    sentence = INCIDENT_EVENTS.get(kind)
    return sentence(actor, detail) if sentence else _unknown(kind, actor, detail)


def _order_created(_: str, detail: Detail) -> Words:
    kind = said(ORDER_KINDS, detail.get("kind") or "emergency")
    order_no = detail.get("order_no")
    number_zh, number_en = (f"：{order_no}", f": {order_no}") if order_no else ("", "")
    return Words(zh=f"{kind.zh}已建立{number_zh}", en=f"{_capital(kind.en)} created{number_en}")


def _assigned(zh: str, en: str) -> Sentence:
    def sentence(_: str, detail: Detail) -> Words:
        crew = detail.get("crew_id")
        metres = detail.get("distance_m")
        far_zh, far_en = "", ""
        if isinstance(metres, int | float) and not isinstance(metres, bool):
            far_zh, far_en = f"，距离 {metres / 1000:.1f} 公里", f", {metres / 1000:.1f} km away"
        return Words(zh=f"{zh}{f'：{crew}' if crew else ''}{far_zh}", en=f"{en}{f': crew {crew}' if crew else ''}{far_en}")

    return sentence


def _made_safe(actor: str, detail: Detail) -> Words:
    reading = _number(detail.get("reading_lel", detail.get("safe_reading_lel")))
    who = _who(actor)
    return Words(
        zh=f"{who.zh}：已控制{f'，室内甲烷 {reading} %LEL' if reading else ''}",
        en=f"{who.en}: made safe{f', methane in the room {reading} %LEL' if reading else ''}",
    )


def _cause(actor: str, detail: Detail) -> Words:
    cause, who = said(REPAIR_CAUSES, detail.get("cause")), _who(actor)
    note = detail.get("note") or detail.get("cause_note")
    return Words(
        zh=f"{who.zh}：泄漏原因已查明：{cause.zh}{f'（{note}）' if note else ''}",
        en=f"{who.en}: cause of the leak: {cause.en}{f' ({note})' if note else ''}",
    )


def _tightness(actor: str, detail: Detail) -> Words:
    passed = detail.get("passed", detail.get("result") == "passed" if "result" in detail else None)
    start, end = _kpa(detail.get("start_kpa")), _kpa(detail.get("end_kpa"))
    minutes = _number(detail.get("minutes"))
    zh, en = "", ""
    if start and end:
        span_zh, span_en = (f"{minutes} 分钟内 ", f" in {minutes} min") if minutes else ("", "")
        zh, en = f"（{span_zh}{start} → {end} kPa）", f" ({start} → {end} kPa{span_en})"
    verdict_zh = "已记录" if passed is None else "合格" if passed else "不合格，须继续查漏"
    verdict_en = "recorded" if passed is None else "passed" if passed else "failed: the search for the leak goes on"
    who, by = _who(actor), detail.get("entered_by")
    return Words(
        zh=f"{who.zh}：严密性试验{verdict_zh}{zh}{f'，由 {by} 代录' if by else ''}",
        en=f"{who.en}: tightness test {verdict_en}{en}{f', entered by {by}' if by else ''}",
    )


def _kpa(value: object) -> str | None:
    return f"{value:.2f}" if isinstance(value, int | float) and not isinstance(value, bool) else None


ORDER_STEPS: Mapping[str, Sentence] = {
    "created": _order_created,
    "assign": _assigned("已派单", "Assigned"),
    "reassign": _assigned("已改派", "Assigned anew"),
    "wait": _with_reason("暂无空闲班组，抢修单按优先级等待", "No crew is free: the order waits by priority"),
    "accept": _by("{who} 已接单，前往现场", "{who} accepted and is on the way"),
    "on_site": _by("{who} 已到场", "{who} is on site"),
    "no_access": _by("{who}：到访不遇", "{who}: no access, nobody opens"),
    "made_safe": _made_safe,
    "record_cause": _cause,
    "tightness_test": _tightness,
    "leak_again": _with_reason("再次报警：抢修单退回到场，试验作废", "Leak again: the order is back to on site, its test is void"),
    "restore": _by("{who}：已复气", "{who}: gas restored"),
    "archive": _by("{who}：抢修单已归档", "{who}: order archived"),
}


def step_words(event: str, actor: str, detail: Detail) -> Words:
    """The sentence of a row of ``order_steps``; ``detail`` may be joined with the order's own columns."""
    sentence = ORDER_STEPS.get(event)
    return sentence(actor, detail) if sentence else _unknown(event, actor, detail)


_KEYS = {
    "1": ("1（我已撤离）", "1 (I am out)"),
    "2": ("2（需要帮助）", "2 (I need help)"),
    "9": ("9（不是本户）", "9 (not my home)"),
}


def _callee(call: Detail) -> str:
    return f"{call.get('name') or ''}".strip() or "?"


def _call_key(_: str, call: Detail) -> Words:
    zh, en = _KEYS.get(str(call.get("key")), (str(call.get("key")), str(call.get("key"))))
    return Words(zh=f"{_callee(call)} 按下 {zh}", en=f"{_callee(call)} pressed {en}")


def _call_ended(_: str, call: Detail) -> Words:
    outcome = said(CALL_OUTCOMES, call.get("outcome"))
    return Words(zh=f"与 {_callee(call)} 的通话结束：{outcome.zh}", en=f"Call to {_callee(call)} ended: {outcome.en}")


def _call(zh: str, en: str) -> Sentence:
    def sentence(_: str, call: Detail) -> Words:
        return Words(zh=zh.format(name=_callee(call)), en=en.format(name=_callee(call)))

    return sentence


CALL_MOMENTS: Mapping[str, Sentence] = {
    "call_placed": _call("正在呼叫 {name}", "Calling {name}"),
    "call_ringing": _call("{name} 的电话响了", "The phone of {name} rings"),
    "call_answered": _call("{name} 已接听，正在播报撤离提示", "{name} answered and hears the warning"),
    "call_key": _call_key,
    "call_ended": _call_ended,
}


def call_words(moment: str, call: Detail) -> Words:
    """The sentence of one moment of a call; ``call`` is its row."""
    sentence = CALL_MOMENTS.get(moment)
    return sentence("dispatch", call) if sentence else _unknown(moment, "dispatch", {})


def _unknown(kind: str, actor: str, detail: Detail) -> Words:
    why_zh, why_en = _reason(detail)
    who, plain = _who(actor), kind.replace("_", " ")
    what = EVENTS.get(kind, Words(zh=plain, en=plain))
    return Words(zh=f"{who.zh}：{what.zh}{why_zh}", en=f"{_capital(who.en)}: {what.en}{why_en}")
