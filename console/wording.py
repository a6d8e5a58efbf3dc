"""One sentence in each language for everything that happens in an incident: what the story of a leak is told in.

Takes kinds, actors and details as the stations wrote them; a field that is missing is left out, and an unknown kind is shown
readably. Decides nothing, and knows no clock and no database.
"""

import re
from collections.abc import Mapping
from typing import Final

from console.order_wording import step_words
from console.phrases import Detail, Sentence, at_attempt, by, capital, methane, named, reason, unknown, with_reason
from console.vocabulary import CALL_OUTCOMES, ENDINGS, HOLDS, ORDER_KINDS, ORDER_STATES, VALVE_CAUSES, Words, said
from core.local_time import local

LATE_MS: Final = 60_000
"""What was told so much after it was done was told later, ms: as far as a phone's clock may be from the platform's."""


def _opened(actor: str, detail: Detail) -> Words:
    kind = detail.get("kind") or "leak"
    zh, en = methane(detail)
    if kind == "hotline_report":
        place = f"：{detail['place']}" if detail.get("place") else ""
        note_zh, note_en = reason({"note": detail.get("note")})
        who, (from_zh, from_en) = named(actor), _caller(detail)
        return Words(
            zh=f"{who.zh}：95158 热线接到燃气泄漏报告{place}{note_zh}{from_zh}",
            en=f"{capital(who.en)}: the 95158 hotline took a report of a gas smell{place.replace('：', ': ')}{note_en}{from_en}",
        )
    if kind == "past_leak":
        return Words(
            zh=f"收到迟到的泄漏记录{'：' + zh if zh else ''}；该探测器此后已恢复正常",
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
        return Words(zh=f"探测器测得{zh}，平台收到泄漏报警", en=f"Leak alarm received: {en}")
    return Words(zh="平台收到泄漏报警", en="Leak alarm received")


def _valve_opened(_: str, detail: Detail) -> Words:
    if detail.get("reported"):
        return Words(zh="燃气表报告：阀门已打开", en="The meter reports: valve open")
    return Words(zh="现场人员在表前按键确认，阀门已打开", en="The valve was opened, confirmed by a person at the meter")


def _leak_again(actor: str, detail: Detail) -> Words:
    if detail.get("hotline"):
        note_zh, note_en = reason({"note": detail.get("note")})
        who, (from_zh, from_en) = named(actor), _caller(detail)
        return Words(
            zh=f"{who.zh}：95158 热线再次接到该处报告{note_zh}{from_zh}",
            en=f"{capital(who.en)}: the 95158 hotline took another report of this place{note_en}{from_en}",
        )
    zh, en = methane(detail)
    return Words(
        zh=f"再次收到泄漏报警{'：' + zh if zh else ''}；此前若有合格的严密性试验，一律作废",
        en=f"Leak alarm again{': ' + en if en else ''}; any passed tightness test is void",
    )


def _caller(detail: Detail) -> tuple[str, str]:
    phone = detail.get("caller_phone")
    return (f"；来电号码 {phone}", f"; the caller's number: {phone}") if phone else ("", "")


def _close_resent(_: str, detail: Detail) -> Words:
    sends = detail.get("sends")
    times_zh, times_en = (f"（第 {sends} 次发送）", f" (sent {sends} times)") if isinstance(sends, int) else ("", "")
    return Words(zh=f"燃气表没有回应，重发切断指令{times_zh}", en=f"No answer yet: the close command is sent again{times_en}")


def _reported_closed(_: str, detail: Detail) -> Words:
    cause = detail.get("cause")
    if cause in (None, "command"):
        return Words(zh="燃气表报告：阀门已切断", en="The meter reports: valve closed")
    words = said(VALVE_CAUSES, cause)
    return Words(zh=f"燃气表报告：阀门已切断（{words.zh}）", en=f"The meter reports: valve closed ({words.en})")


def _order_sent(_: str, detail: Detail) -> Words:
    kind = detail.get("order") or "emergency"
    if kind in {"emergency", "canary"}:
        if detail.get("call") is False:
            return Words(
                zh="已交给调度：建单、派单同时开始；没有可拨打的联系人",
                en="Handed to dispatch: order and crew start together; nobody is known to be called",
            )
        return Words(zh="已交给调度：建单、派单、电话通知同时开始", en="Handed to dispatch: order, crew and call start together")
    words = said(ORDER_KINDS, kind)
    return Words(zh=f"已交给调度：建立{words.zh}", en=f"Handed to dispatch: {words.en}")


def _closed(_: str, detail: Detail) -> Words:
    outcome = detail.get("outcome")
    if not outcome:
        why_zh, why_en = reason(detail)
        return Words(zh=f"事件结束{why_zh}", en=f"Incident closed{why_en}")
    words = said(ENDINGS, outcome)
    return Words(zh=f"事件结束：{words.zh}", en=f"Incident closed: {words.en}")


def _closed_locally(_: str, detail: Detail) -> Words:
    cause = detail.get("cause")
    if cause is None:
        return Words(zh="燃气表报告：阀门已经处于切断状态", en="The meter says that its valve is closed already")
    if cause == "linkage":
        return Words(
            zh="探测器已就地联动切断阀门，不等平台指令",
            en="The detector in the home has already closed the valve, waiting for nobody",
        )
    words = said(VALVE_CAUSES, cause)
    return Words(zh=f"燃气表报告：阀门已切断（{words.zh}）", en=f"The meter says that its valve is closed ({words.en})")


def _device_added(_: str, detail: Detail) -> Words:
    device = detail.get("device_id") or detail.get("device") or ""
    return Words(zh=f"又有一台设备报警：{device}".removesuffix("："), en=f"One more device reports: {device}".removesuffix(": "))


def _clock(value: object) -> str | None:
    """A stamp (Unix ms) as the time of day in Shanghai; None for anything that is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e14:
        return None
    return local(value).strftime("%H:%M")


def _day(value: object) -> str | None:
    """A stamp (Unix ms) as month and day in Shanghai; None for anything that is none."""
    if _clock(value) is None or not isinstance(value, int | float):
        return None
    return local(value).strftime("%m-%d")


def _volume(value: object) -> str | None:
    """Cubic metres, to the litre."""
    return f"{value:.3f}" if isinstance(value, int | float) and not isinstance(value, bool) else None


def _valve_holds(_: str, detail: Detail) -> Words:
    volume = _volume(detail.get("volume_m3"))
    index_zh, index_en = (f"（读数停在 {volume} m³）", f" (the index stands at {volume} m³)") if volume else ("", "")
    return Words(zh=f"阀门已验证关严，燃气表读数不再增加{index_zh}", en=f"The valve is seen to hold: the index does not move{index_en}")


def _gas_still_flows(_: str, detail: Detail) -> Words:
    passed = _volume(detail.get("passed_m3"))
    more_zh, more_en = (f"（又流过 {passed} m³）", f" ({passed} m³ more have passed)") if passed else ("", "")
    return Words(
        zh=f"报告已切断，但燃气仍在流动{more_zh}，再次切断",
        en=f"Reported closed, and gas still flows{more_en}: the next close is tried",
    )


def _proof_due(_: str, detail: Detail) -> Words:
    at = _clock(detail.get("due_ms", detail.get("proof_due_ms")))
    if detail.get("proof") == "due_at_uplink":
        when_zh, when_en = (f"（约 {at}）", f" (about {at})") if at else ("", "")
        return Words(
            zh=f"燃气表在休眠：要等下次上报{when_zh}才能验证是否关严",
            en=f"The meter sleeps: whether the valve holds can be told when it next reports{when_en}",
        )
    when_zh, when_en = (f"，约 {at} 可知", f"; it can be told at about {at}") if at else ("", "")
    return Words(zh=f"阀门是否关严尚未验证{when_zh}", en=f"Whether the valve holds is not yet proven{when_en}")


def _room(zh: str, en: str) -> Sentence:
    def sentence(_: str, detail: Detail) -> Words:
        value_zh, value_en = methane(detail)
        return Words(zh=zh + (f"：{value_zh}" if value_zh else ""), en=en + (f": {value_en}" if value_en else ""))

    return sentence


def _alias(_: str, detail: Detail) -> Words:
    if detail.get("reason") == "ack_of_unknown_close":
        return Words(
            zh="收到燃气表对一条未知切断指令的应答，已并入本事件",
            en="The meter answered a close that was not known here: counted to this incident",
        )
    return Words(zh="同一处的另一事件编号已并入本事件", en="Another id of the same incident was joined to this one")


def _hold(detail: Detail) -> Words:
    """The hold with its cause, as far as they are told."""
    words = said(HOLDS, detail["hold"]) if detail.get("hold") else Words(zh="", en="")
    cause = said(VALVE_CAUSES, detail["cause"]) if detail.get("cause") else None
    return Words(
        zh=f"：{words.zh}{f'（{cause.zh}）' if cause else ''}" if words.zh else "",
        en=f": {words.en}{f' ({cause.en})' if cause else ''}" if words.en else "",
    )


_LIFTED: Mapping[str, Words] = {
    **ENDINGS,
    "tightness_passed": ORDER_STATES["tightness_passed"],
    "order archived": Words(zh="抢修单已归档", en="order archived"),
    "opened at the meter": Words(zh="住户在表前打开", en="opened at the meter"),
}
_CREDIT = re.compile(r"credit (-?[0-9.]+)")
_PASSED_ON = re.compile(r"passed on to [0-9a-f-]{36}")


def _lifted_why(why: object) -> tuple[str, str]:
    """(zh, en) in brackets of why a hold was lifted: the line's own codes in words, what a person wrote as it stands."""
    if isinstance(why, str):
        words = _LIFTED.get(why)
        if found := _CREDIT.fullmatch(why):
            words = Words(zh=f"余额 {found[1]} 元", en=f"credit {found[1]} CNY")
        elif _PASSED_ON.fullmatch(why):
            words = Words(zh="转由新的事件保持", en="held by a new incident from now on")
        if words:
            return reason({"zh": words.zh, "en": words.en})
    return reason({"note": why})


def _hold_set(_: str, detail: Detail) -> Words:
    hold, (why_zh, why_en) = _hold(detail), reason({"note": detail.get("why")})
    return Words(zh=f"阀门保持切断{hold.zh}{why_zh}", en=f"The valve is held closed{hold.en}{why_en}")


def _hold_lifted(actor: str, detail: Detail) -> Words:
    hold, (why_zh, why_en), who = _hold(detail), _lifted_why(detail.get("why")), named(actor)
    return Words(zh=f"{who.zh}：解除阀门保持{hold.zh}{why_zh}", en=capital(f"{who.en} lifted a hold on the valve{hold.en}{why_en}"))


def _meter_exchanged(_: str, detail: Detail) -> Words:
    after = detail.get("after")
    meter = f" {after}" if after else ""
    return Words(
        zh=f"事件期间更换了燃气表，新表{meter} 也要切断", en=f"The meter was exchanged meanwhile: the new one{meter} is closed too"
    )


INCIDENT_EVENTS: Mapping[str, Sentence] = {
    "opened": _opened,
    "opened_valve": _valve_opened,
    "no_meter": with_reason("该户没有可切断的燃气表，请现场切断", "This home has no meter that can be closed: it is closed on site"),
    "leak_again": _leak_again,
    "close_sent": at_attempt("切断指令已发往燃气表", "Close command sent to the meter"),
    "close_resent": _close_resent,
    "close_accepted": at_attempt("燃气表已接受切断指令，阀门正在关闭", "The meter accepted the close, the valve is moving"),
    "reported_closed": _reported_closed,
    "closed_locally": _closed_locally,
    "no_answer": at_attempt("燃气表没有回应切断指令，继续重发", "The meter does not answer the close; it is sent again and again"),
    "refused": with_reason("燃气表拒绝切断", "The meter refused to close"),
    "travel_time_over": at_attempt("阀门未按时关闭，状态不明", "The valve did not close in its time; its position is unknown"),
    "open_requested": by("{who} 请求在表前打开阀门", "{who} asks to open the valve at the meter"),
    "open_refused": by("平台拒绝打开阀门", "The platform refused to open the valve"),
    "open_sent": with_reason(
        "开阀指令已发出，须由现场人员在 60 秒内按键确认", "Open sent: a person at the meter has to confirm within 60 s"
    ),
    "open_expired": with_reason("60 秒内无人在表前确认，开阀指令作废", "Nobody confirmed at the meter within 60 s: the open is void"),
    "device_added": _device_added,
    "order_sent": _order_sent,
    "valve_holds": _valve_holds,
    "gas_still_flows": _gas_still_flows,
    "not_provable": with_reason(
        "没有读数表明切断前有气流，无法从燃气表读数验证是否关严，须到现场确认",
        "No reading shows that gas flowed before the close, so that the index cannot prove that the valve holds: it is told on site",
    ),
    "proof_due": _proof_due,
    "room_clearing": _room("室内甲烷正在下降", "The methane in the room is falling"),
    "room_not_clearing": _room("室内甲烷没有下降", "The methane in the room does not fall"),
    "before_meter_suspected": with_reason(
        "阀门已关但室内甲烷不降：疑似表前泄漏，请关立管阀并通知邻居",
        "The valve is closed and the room does not clear: a leak before the meter is suspected; riser valve, neighbours",
    ),
    "alias": _alias,
    "hold_set": _hold_set,
    "hold_lifted": _hold_lifted,
    "meter_exchanged": _meter_exchanged,
    "closed": _closed,
}


def event_words(kind: str, actor: str, detail: Detail) -> Words:
    """The sentence of a row of ``incident_events``."""
    sentence = INCIDENT_EVENTS.get(kind)
    return sentence(actor, detail) if sentence else unknown(kind, actor, detail)


def _order_leaks_again(detail: Detail, from_state: str | None, to_state: str) -> Words:
    """A leak again, as the order took it: it stays where it is, goes back to the site, or waits for a crew anew."""
    why_zh, why_en = reason(detail)
    void_zh, void_en = ("，试验作废", ", its test is void") if detail.get("test_void") else ("", "")
    if detail.get("earlier"):
        zh, en = "收到已控制之前的泄漏报警，抢修单不变", "A leak alarm from before the place was made safe: the order stays as it is"
    elif from_state == to_state:
        state = said(ORDER_STATES, to_state)
        zh, en = f"再次报警：抢修单不变（{state.zh}）", f"Leak again: the order goes on as it was ({state.en})"
    elif to_state == "waiting":
        zh, en = f"再次报警：抢修单重新打开，等待派单{void_zh}", f"Leak again: the order is open again and waits for a crew{void_en}"
    else:
        zh, en = f"再次报警：抢修单退回到场{void_zh}", f"Leak again: the order is back to on site{void_en}"
    return Words(zh=zh + why_zh, en=en + why_en)


def told_late(detail: Detail) -> Words:
    """When a step that was told later reached the platform, in brackets; empty where it was told as it was done."""
    happened, received = detail.get("happened_ms"), detail.get("received_ms")
    day, at = _day(received), _clock(received)
    if not isinstance(happened, int) or not isinstance(received, int) or at is None or received - happened < LATE_MS:
        return Words(zh="", en="")
    at = at if day == _day(happened) else f"{day} {at}"
    return Words(zh=f"（补报，{at} 收到）", en=f" (reported later, received {at})")


def step_told(event: str, actor: str, detail: Detail, from_state: str | None, to_state: str) -> Words:
    """The sentence of a row of ``order_steps``, joined with its order's columns: also what it did to the order and whether it came late."""
    words = _order_leaks_again(detail, from_state, to_state) if event == "leak_again" else step_words(event, actor, detail)
    late = told_late(detail)
    return Words(zh=words.zh + late.zh, en=words.en + late.en)


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
    return sentence("dispatch", call) if sentence else unknown(moment, "dispatch", {})
