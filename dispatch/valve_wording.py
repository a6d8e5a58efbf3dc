"""What a call says of the valve and the room: the four answers in a sentence or two, in Chinese and English.

Nothing is called tight before it is proven, and nothing is called open that is only not known. Times are Shanghai's, to the minute,
and always *about*. Refuses to know the home.
"""

from typing import Final, Literal

from core.local_time import AHEAD_MS
from core.station import ValveKnowledge
from dispatch.judgement.answers import Answers

Language = Literal["zh", "en"]

_VALVE: Final[dict[Language, dict[ValveKnowledge, str]]] = {
    "zh": {
        "commanded": "切断指令已经发出，还没有收到燃气表的回答，请当作阀门没有关。",
        "accepted": "燃气表已经收到切断指令，正在关阀。",
        "reported_closed": "燃气表报告阀门已经关闭，但屋里可能还有燃气，不要返回。",
        "gas_still_flows": "阀门报告已关，但燃气还在流，请当作阀门没有关，不要返回。",
        "no_answer": "燃气表没有回答，阀门可能还开着，不要返回。",
        "refused": "燃气表没有执行关阀，阀门可能还开着，不要返回。",
        "travel_time_over": "阀门没有按时关到位，可能还在漏气，不要返回。",
        "opened": "阀门现在是开着的，不要返回。",
        "no_meter": "这里没有可以远程关闭的阀门，请在门外等待抢修人员。",
        "none": "阀门的状态还不清楚，请当作没有关。",
    },
    "en": {
        "commanded": "The valve has been told to close and has not answered yet: take it as still open.",
        "accepted": "The valve has the command and is closing.",
        "reported_closed": "The meter reports its valve closed, but gas may still be in the rooms: do not go back in.",
        "gas_still_flows": "The valve was reported closed and gas still flows: take it as open, do not go back in.",
        "no_answer": "The meter does not answer and its valve may still be open: do not go back in.",
        "refused": "The meter did not close its valve, which may still be open: do not go back in.",
        "travel_time_over": "The valve did not close in time and gas may still be flowing: do not go back in.",
        "opened": "The valve is open at this moment: do not go back in.",
        "no_meter": "There is no valve here that can be closed from afar: wait outside for our crew.",
        "none": "Nothing is known of the valve: take it as open.",
    },
}

_SAID: Final[dict[str, dict[Language, str]]] = {
    "before_meter": {
        "zh": "屋里的燃气没有减少，可能是从表前的立管漏来的，关表阀挡不住：请走远一些，叫邻居也离开，不要返回。",
        "en": "The gas in the rooms does not fall and may leak from the riser before the meter, which this valve cannot stop:"
        " go well away, tell your neighbours to leave too, do not go back in.",
    },
    "asleep_until": {
        "zh": "燃气表在休眠，大约{when}上报时才能收到切断指令，请当作阀门没有关。",
        "en": "The meter sleeps and hears the close when it next reports, at about {when}: take the valve as open.",
    },
    "asleep": {
        "zh": "燃气表在休眠，下次上报时才能收到切断指令，请当作阀门没有关。",
        "en": "The meter sleeps and hears the close when it next reports: take the valve as open.",
    },
    "holds": {
        "zh": "阀门已经关严，但屋里可能还有燃气，不要返回。",
        "en": "The valve is closed and holds, but gas may still be in the rooms: do not go back in.",
    },
    "not_provable": {
        "zh": "燃气表说阀门已经关了，关得严不严要到现场才能确认，不要返回。",
        "en": "The meter says that its valve is closed, but whether it is tight can only be told on site: do not go back in.",
    },
    "proof_in": {
        "zh": "燃气表说阀门已经关了，大约还要{minutes}分钟才能确认关严，不要返回。",
        "en": "The meter says that its valve is closed, but whether it is tight can be told in about {minutes}: do not go back in.",
    },
    "proof_soon": {
        "zh": "燃气表说阀门已经关了，很快就能确认是否关严，不要返回。",
        "en": "The meter says that its valve is closed, but whether it is tight can be told shortly: do not go back in.",
    },
    "proof_at_uplink": {
        "zh": "燃气表说阀门已经关了，要等它大约{when}再上报才能确认关严，不要返回。",
        "en": "The meter says that its valve is closed, but it sleeps, and whether it is tight can be told when it next reports,"
        " at about {when}: do not go back in.",
    },
    "not_clearing": {
        "zh": "屋里的燃气还没有减少。",
        "en": "The gas in the rooms does not fall yet.",
    },
    "clearing": {
        "zh": "屋里的燃气正在减少，请等我们的人确认安全。",
        "en": "The gas in the rooms is falling: wait until our staff say that it is safe.",
    },
}

_CLOSED: Final = frozenset({"reported_closed", "gas_still_flows"})


def valve_sentences(answers: Answers, language: Language, now_ms: int) -> tuple[str, ...]:
    """One sentence on the valve and, where it is known and not said already, one on the room. ``now_ms``: Unix ms of saying it."""
    if answers.valve == "opened":
        return (_VALVE[language]["opened"],)
    if answers.before_meter:
        return (_SAID["before_meter"][language],)
    room = () if answers.clearing == "unknown" else (_SAID[answers.clearing][language],)
    return (_on_the_valve(answers, language, now_ms), *room)


def _on_the_valve(answers: Answers, language: Language, now_ms: int) -> str:
    if answers.valve in _CLOSED and answers.flows:
        return _VALVE[language]["gas_still_flows"]
    if answers.valve == "commanded" and answers.answer_due_ms is not None:
        ahead = answers.answer_due_ms > now_ms
        return _SAID["asleep_until" if ahead else "asleep"][language].format(when=_hour(answers.answer_due_ms, language))
    if answers.valve != "reported_closed":
        return _VALVE[language][answers.valve]
    due_ms = answers.proof_due_ms
    match answers.proof:
        case "holds" | "not_provable":
            return _SAID[answers.proof][language]
        case "not_yet" if due_ms is not None and due_ms - now_ms > 60_000:
            return _SAID["proof_in"][language].format(minutes=_minutes(due_ms - now_ms, language))
        case "not_yet":
            return _SAID["proof_soon"][language]
        case "due_at_uplink" if due_ms is not None:
            return _SAID["proof_at_uplink"][language].format(when=_hour(due_ms, language))
        case _:
            return _VALVE[language]["reported_closed"]


def _minutes(milliseconds: int, language: Language) -> str:
    """Rounded up: better a minute too late than one too early."""
    count = -(-milliseconds // 60_000)
    if language == "en":
        return f"{count} minutes"
    return "两" if count == 2 else number_zh(count) if count < 100 else str(count)


def _hour(at_ms: int, language: Language) -> str:
    """The time of day: ``ten twenty`` as 10:20, or 十点二十分."""
    hour, minute = divmod(((at_ms + AHEAD_MS) // 60_000) % (24 * 60), 60)
    if language == "en":
        return f"{hour}:{minute:02}"
    hours = "两" if hour == 2 else number_zh(hour)
    minutes = "" if minute == 0 else f"{'零' if minute < 10 else ''}{number_zh(minute)}分"
    return f"{hours}点{minutes}"


def number_zh(number: int) -> str:
    """A number of 0 to 99 as it is said: 20 -> 二十, 35 -> 三十五."""
    tens, units = divmod(number, 10)
    digits = "零一二三四五六七八九"
    if tens == 0:
        return digits[units]
    return f"{'' if tens == 1 else digits[tens]}十{digits[units] if units else ''}"
