"""What the household hears: the warning, what is known of the valve at this moment, and the keys. In Chinese or English.

The first ten seconds carry what saves lives, in that order. Refuses to promise what is not known: a valve that did not answer is not
called closed, and no arrival time is given.
"""

import re
from typing import Final, Literal

from core.station import HomeFacts, ValveKnowledge

Language = Literal["zh", "en"]

_DIGITS_ZH: Final = str.maketrans("0123456789０１２３４５６７８９", "零幺二三四五六七八九零幺二三四五六七八九")
_BETWEEN = re.compile(r"(?<=\d)-(?=\d)")
_RUN = re.compile(r"\d+")

_WARNING: Final[dict[Language, tuple[str, ...]]] = {
    "zh": ("燃气泄漏，马上离开！", "不要碰开关。", "顺路开窗。", "请挂断，我们会再打来。"),
    "en": (
        "Gas is leaking, leave now!",
        "Touch no switches.",
        "Open windows on your way.",
        "Hang up, we will call again.",
    ),
}

_VALVE: Final[dict[Language, dict[ValveKnowledge, str]]] = {
    "zh": {
        "commanded": "关阀指令已经发出，还没有收到燃气表的回答，请当作阀门没有关。",
        "accepted": "燃气表已经收到关阀指令，正在关阀。",
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

_KEYS: Final[dict[Language, tuple[str, ...]]] = {
    "zh": ("已经离开，请按一。", "需要帮助，请按二。", "不是您的家，请按九。"),
    "en": ("If you are out, press one.", "If you need help, press two.", "If this is not your home, press nine."),
}


def message(home: HomeFacts, valve: ValveKnowledge, language: Language) -> tuple[str, ...]:
    """The sentences of the call, in the order in which they are spoken."""
    return (spoken_address(home, language), *_WARNING[language], _VALVE[language][valve], *_KEYS[language])


def text(home: HomeFacts, valve: ValveKnowledge, language: Language) -> str:
    """The same as one text, sentence after sentence."""
    return ("" if language == "zh" else " ").join(message(home, valve, language))


def call_language(home: HomeFacts, platform: Language) -> Language:
    """English where the platform or the home is set to it, else Chinese."""
    return "en" if "en" in (platform, home.language) else "zh"


def spoken_address(home: HomeFacts, language: Language) -> str:
    """The address as it is said, ending in its full stop: short, numbers read digit by digit.

    In English the names that are written in Chinese are left out: the English voice cannot say them.
    """
    if language == "en":
        named = (("Building ", home.building), ("Unit ", home.unit), ("Room ", home.room), ("", home.estate))
        parts = [_numbered(before, name) for before, name in named if name and name.isascii()]
        return f"{spoken_en(', '.join(parts) or _foreign(home.address_en))}."
    if not home.estate:
        return f"{spoken_zh(home.address_zh)}。"
    parts_zh = (home.estate, _with(home.building, "栋"), _with(home.unit, "单元"), _with(home.room, "室"))
    return f"{spoken_zh(''.join(parts_zh))}。"


def spoken_zh(words: str) -> str:
    """Digits as they are read on the telephone, 1 being 幺: 501 -> 五零幺, 3-1 -> 三杠幺."""
    return _BETWEEN.sub("杠", words).translate(_DIGITS_ZH)


def spoken_en(words: str) -> str:
    """Numbers digit by digit: 501 -> 5 0 1. A full stop inside would end the sentence and becomes a comma."""
    return _RUN.sub(lambda run: " ".join(run[0]), words).rstrip(" .").replace(". ", ", ")


def _with(number: str, suffix: str) -> str:
    """``3`` -> ``3栋``; what already carries its word keeps it."""
    return f"{number}{suffix}" if _is_number(number) else number


def _numbered(before: str, name: str) -> str:
    return f"{before}{name}" if _is_number(name) else name


def _is_number(name: str) -> bool:
    return name.replace("-", "").isascii() and any(character.isdigit() for character in name)


def _foreign(address: str) -> str:
    return ", ".join(part for part in address.split(", ") if part.isascii()) or "Your home"
