"""One sentence in each language for every step of a work order. Decides nothing, and knows no clock and no database."""

from collections.abc import Mapping

from console.phrases import Detail, Sentence, bilingual, by, capital, named, number, unknown, with_reason
from console.vocabulary import ORDER_KINDS, REFUSALS, REPAIR_CAUSES, Words, known_of_valve, said


def _order_created(_: str, detail: Detail) -> Words:
    kind = said(ORDER_KINDS, detail.get("kind") or "emergency")
    order_no = detail.get("order_no")
    number_zh, number_en = (f"：{order_no}", f": {order_no}") if order_no else ("", "")
    return Words(zh=f"{kind.zh}已建立{number_zh}", en=f"{capital(kind.en)} created{number_en}")


def _assigned(zh: str, en: str) -> Sentence:
    def sentence(_: str, detail: Detail) -> Words:
        crew = detail.get("crew_id")
        metres = detail.get("distance_m")
        far_zh, far_en = "", ""
        if isinstance(metres, int | float) and not isinstance(metres, bool):
            far_zh, far_en = f"，距离 {metres / 1000:.1f} 公里", f", {metres / 1000:.1f} km away"
        return Words(zh=f"{zh}{f'：{crew}' if crew else ''}{far_zh}", en=f"{en}{f': crew {crew}' if crew else ''}{far_en}")

    return sentence


def _waits(_: str, detail: Detail) -> Words:
    if detail.get("send_crew") is False:
        return Words(zh="等待人工安排", en="Waits for a person to plan it")
    return Words(zh="暂无空闲抢修队，抢修单按优先级等待", en="No crew is free: the order waits by priority")


def _valve_news(_: str, detail: Detail) -> Words:
    told = known_of_valve(detail.get("valve"), detail.get("proof"), detail.get("clearing"))
    return Words(zh=f"抢修单上的阀门状态：{told.zh}", en=f"Valve, as the order says: {told.en}")


def _made_safe(actor: str, detail: Detail) -> Words:
    reading = number(detail.get("reading_lel", detail.get("safe_reading_lel")))
    who = named(actor)
    return Words(
        zh=f"{who.zh}：已控制{f'，室内甲烷 {reading} %LEL' if reading else ''}",
        en=f"{who.en}: made safe{f', methane in the room {reading} %LEL' if reading else ''}",
    )


def _cause(actor: str, detail: Detail) -> Words:
    cause, who = said(REPAIR_CAUSES, detail.get("cause")), named(actor)
    note = bilingual(detail.get("note") or detail.get("cause_note") or "")
    return Words(
        zh=f"{who.zh}：查漏结果：{cause.zh}{f'（{note.zh}）' if note.zh else ''}",
        en=f"{who.en}: cause of the leak: {cause.en}{f' ({note.en})' if note.en else ''}",
    )


def _tightness(actor: str, detail: Detail) -> Words:
    passed = detail.get("passed", detail.get("result") == "passed" if "result" in detail else None)
    start, end = _kpa(detail.get("start_kpa")), _kpa(detail.get("end_kpa"))
    minutes = number(detail.get("minutes"))
    zh, en = "", ""
    if start and end:
        span_zh, span_en = (f"{minutes} 分钟内 ", f" in {minutes} min") if minutes else ("", "")
        zh, en = f"（{span_zh}{start} → {end} kPa）", f" ({start} → {end} kPa{span_en})"
    codes = detail.get("reasons")
    if isinstance(codes, list) and codes:
        why = [said(REFUSALS, str(code)) for code in codes]
        zh += f"（{'、'.join(words.zh for words in why)}）"
        en += f" ({', '.join(words.en for words in why)})"
    verdict_zh = "已记录" if passed is None else "合格" if passed else "不合格，须继续查漏"
    verdict_en = "recorded" if passed is None else "passed" if passed else "failed: the search for the leak goes on"
    who, by = named(actor), detail.get("entered_by")
    return Words(
        zh=f"{who.zh}：严密性试验{verdict_zh}{zh}{f'，由 {by} 代录' if by else ''}",
        en=f"{who.en}: tightness test {verdict_en}{en}{f', entered by {by}' if by else ''}",
    )


def _kpa(value: object) -> str | None:
    return f"{value:.2f}" if isinstance(value, int | float) and not isinstance(value, bool) else None


def _tested(passed: bool) -> Sentence:
    def sentence(actor: str, detail: Detail) -> Words:
        return _tightness(actor, {**detail, "passed": passed})

    return sentence


_ACCEPT = by("{who} 已接单，前往现场", "{who} accepted and is on the way")
_ARRIVE = by("{who} 已到场", "{who} is on site")
_NOBODY = by("{who}：到访不遇", "{who}: no access, nobody opens")

# Dispatch writes its table's events; the names of the requests that cause them are known as well.
ORDER_STEPS: Mapping[str, Sentence] = {
    "created": _order_created,
    "wait": _waits,
    "assign": _assigned("已派单", "Assigned"),
    "reassign": with_reason("从原抢修队收回，改派其他抢修队", "Taken back from its crew, another one is sent"),
    "accept": _ACCEPT,
    "arrive": _ARRIVE,
    "on_site": _ARRIVE,
    "find_nobody": _NOBODY,
    "no_access": _NOBODY,
    "make_safe": _made_safe,
    "made_safe": _made_safe,
    "record_cause": _cause,
    "pass_test": _tested(True),
    "fail_test": _tested(False),
    "tightness_test": _tightness,
    "restore": by("{who}：已复气", "{who}: gas restored"),
    "archive": by("{who}：抢修单已归档", "{who}: order archived"),
    "leak_again": with_reason("再次报警", "Leak again"),
    "valve": _valve_news,
    "before_meter_suspected": with_reason(
        "疑似表前泄漏：须关立管阀、查立管、通知邻居",
        "Leak before the meter suspected: close the riser valve, search the riser, warn the neighbours",
    ),
}


def step_words(event: str, actor: str, detail: Detail) -> Words:
    """The sentence of a row of ``order_steps``; ``detail`` may be joined with the order's own columns."""
    sentence = ORDER_STEPS.get(event)
    return sentence(actor, detail) if sentence else unknown(event, actor, detail)
