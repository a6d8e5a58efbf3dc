"""What the household hears: the warning, what is known of valve and room at this moment, and the keys. In Chinese or English.

The first ten seconds carry what saves lives, in that order: where, what, leave, hang up because we call again. Refuses to promise what
is not known: a valve that did not answer is not called closed, a closed one not tight, and no arrival time is given. What is known of
the valve is worded in ``valve_wording``.
"""

import re
from typing import Final, Literal

from core.station import HomeFacts
from dispatch.judgement.answers import Answers
from dispatch.valve_wording import valve_sentences

Language = Literal["zh", "en"]

_DIGITS_ZH: Final = str.maketrans("0123456789０１２３４５６７８９", "零幺二三四五六七八九零幺二三四五六七八九")
_BETWEEN = re.compile(r"(?<=\d)-(?=\d)")
_RUN = re.compile(r"\d+")
_HEARD_ZH = re.compile(r"[\u4e00-\u9fff]|[A-Za-z0-9]")
_HEARD_EN = re.compile(r"[A-Za-z]+|[0-9]")

_MOST_HEARD: Final[dict[Language, int]] = {"zh": 13, "en": 10}
"""Syllables (en: words and digits) of an address that leave room for the warning in the first ten seconds."""

_NO_SHORT_ADDRESS: Final[dict[Language, str]] = {"zh": "您登记的住处。", "en": "Your registered home."}
_WHOLE_ADDRESS: Final[dict[Language, str]] = {"zh": "地址是{}", "en": "The address is {}"}

_WARNING: Final[dict[Language, tuple[str, ...]]] = {
    "zh": ("燃气泄漏，马上离开！", "别碰开关。", "顺路开窗。", "请挂断，我们再打来。"),
    "en": (
        "Gas is leaking, leave now!",
        "Touch no switches.",
        "Open windows on your way.",
        "Hang up, we call again.",
    ),
}

_KEYS: Final[dict[Language, tuple[str, ...]]] = {
    "zh": ("已经离开，请按一。", "需要帮助，请按二。", "不是您的家，请按九。"),
    "en": ("If you are out, press one.", "If you need help, press two.", "If this is not your home, press nine."),
}


def message(home: HomeFacts, answers: Answers, language: Language, now_ms: int) -> tuple[str, ...]:
    """The sentences of the call, in the order in which they are spoken. ``now_ms`` (Unix ms) is when they are said.

    Of an address that is too long for the first ten seconds only building, unit and room are said there; the whole of it follows before
    the keys.
    """
    whole = spoken_address(home, language)
    first = _first_said(home, whole, language)
    more = () if first == whole else (_WHOLE_ADDRESS[language].format(whole),)
    return (first, *_WARNING[language], *valve_sentences(answers, language, now_ms), *more, *_KEYS[language])


def text(home: HomeFacts, answers: Answers, language: Language, now_ms: int) -> str:
    """The same as one text, sentence after sentence."""
    return ("" if language == "zh" else " ").join(message(home, answers, language, now_ms))


def opening(home: HomeFacts, language: Language) -> tuple[str, ...]:
    """What is said in the first ten seconds."""
    return message(home, Answers(valve="none"), language, 0)[: 1 + len(_WARNING[language])]


def call_language(home: HomeFacts, platform: Language) -> Language:
    """English where the platform or the home is set to it, else Chinese."""
    return "en" if "en" in (platform, home.language) else "zh"


def spoken_address(home: HomeFacts, language: Language) -> str:
    """The address as it is said, ending in its full stop: short, numbers read digit by digit.

    In English the names that are written in Chinese are left out: the English voice cannot say them.
    """
    short = _in_the_estate(home, language)
    if language == "en":
        named = [part for part in (short, home.estate if home.estate.isascii() else "") if part]
        return f"{spoken_en(', '.join(named) or _foreign(home.address_en))}."
    return f"{spoken_zh(f'{home.estate}{short}' if home.estate else home.address_zh)}。"


def _in_the_estate(home: HomeFacts, language: Language) -> str:
    """Building, unit and room, as far as they can be said; empty where none can."""
    if language == "en":
        named = (("Building ", home.building), ("Unit ", home.unit), ("Room ", home.room))
        return ", ".join(_numbered(before, name) for before, name in named if name and name.isascii())
    return "".join((_with(home.building, "栋"), _with(home.unit, "单元"), _with(home.room, "室")))


def _first_said(home: HomeFacts, whole: str, language: Language) -> str:
    """As much of the address as the first ten seconds have room for."""
    short = _in_the_estate(home, language)
    said = f"{spoken_zh(short)}。" if language == "zh" else f"{spoken_en(short)}."
    fitting = (words for words in (whole, said if short else "") if words and _fits(words, language))
    return next(fitting, _NO_SHORT_ADDRESS[language])


def _fits(address: str, language: Language) -> bool:
    heard = _HEARD_ZH if language == "zh" else _HEARD_EN
    return len(heard.findall(address)) <= _MOST_HEARD[language]


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
