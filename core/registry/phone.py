"""Which telephone number may stand where.

Decides that a simulated row has a simulated address and a real row a real number, never the other way round, and that real
numbers are kept as E.164. Refuses to know who dials.
"""

import re
from typing import Final

SIMULATED_PHONE: Final = re.compile(r"sip:[0-9]{3,32}@sim\.invalid")
_PUNCTUATION = re.compile(r"[\s()（）\u2010-\u2015-]")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_LANDLINE = re.compile(r"0((?:10|2[0-9]|[3-9][0-9]{2})[0-9]{7,8})")
_CHINESE = re.compile(r"\+86(?:1[3-9][0-9]{9}|(?:10|2[0-9]|[3-9][0-9]{2})[0-9]{7,8})")
_FOREIGN = re.compile(r"\+(?!86)[1-9][0-9]{6,14}")


class PhoneRefused(ValueError):  # noqa: N818  it names what happened, as the file's reader is told
    """A number that may not stand there; `zh` and `en` say why."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en


def stored_phone(text: str, *, simulated: bool) -> str:
    """A number as it is stored: a `sip:` address where `simulated`, otherwise E.164.

    Takes `+86…`, `1xxxxxxxxxx`, `0731-xxxxxxxx` and other countries' `+…`. Raises PhoneRefused for anything else.
    """
    if text.lower().startswith("sip:") or "@" in text:
        if not simulated:
            raise PhoneRefused(f"真实住户不得使用模拟号码 {text}", f"a home that is not simulated cannot have the simulated number {text}")
        if SIMULATED_PHONE.fullmatch(text) is None:
            raise PhoneRefused(
                f"模拟号码须为 sip:数字@sim.invalid，不是 {text}", f"a simulated number is sip:<digits>@sim.invalid, not {text}"
            )
        return text
    if simulated:
        raise PhoneRefused(
            f"模拟数据不得使用真实号码 {text}，须为 sip:数字@sim.invalid",
            f"a simulated row cannot have the real number {text}; it needs sip:<digits>@sim.invalid",
        )
    return _e164(text)


def _e164(text: str) -> str:
    number = _PUNCTUATION.sub("", text)
    if _MOBILE.fullmatch(number):
        return f"+86{number}"
    if landline := _LANDLINE.fullmatch(number):
        return f"+86{landline[1]}"
    if _CHINESE.fullmatch(number) or _FOREIGN.fullmatch(number):
        return number
    raise PhoneRefused(
        f"电话号码 {text} 无法识别（手机 11 位、0731-xxxxxxxx 或 +86…）",
        f"the number {text} is neither a mobile of 11 digits, nor 0731-xxxxxxxx, nor E.164",
    )
