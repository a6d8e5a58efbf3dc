"""Phrases that sentences are made of, in both languages: who, why, how much. Knows no kind of event."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from console.vocabulary import ACTORS, EVENTS, REFUSALS, Words, said

_HAN = re.compile(r"[\u4e00-\u9fff]")

Detail = Mapping[str, Any]
Sentence = Callable[[str, Detail], Words]


def number(value: object) -> str | None:
    """A measured value as people write it: no needless zeros; None for anything that is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return f"{value:.1f}".removesuffix(".0")


def methane(detail: Detail) -> tuple[str, str]:
    """(zh, en) of the methane value with its set-point, or two empty strings."""
    value, limit = number(detail.get("ch4_lel")), number(detail.get("alarm_lel"))
    if value is None:
        return "", ""
    return (
        f"甲烷 {value} %LEL" + (f"（设定 {limit}）" if limit else ""),
        f"methane at {value} %LEL" + (f" (set-point {limit})" if limit else ""),
    )


def named(actor: str) -> Words:
    """Who acted: a station by its name in words, a person as he is called."""
    return said(ACTORS, actor) if actor in ACTORS else Words(zh=actor, en=actor)


def reason(detail: Detail) -> tuple[str, str]:
    """(zh, en) of why, in brackets, from the fields in which stations give a reason; empty where none did."""
    zh, en = detail.get("zh"), detail.get("en")
    if isinstance(zh, str) and isinstance(en, str) and zh and en:
        return f"（{zh}）", f" ({en})"
    if isinstance(code := detail.get("reason"), str) and code:
        words = said(REFUSALS, code)
        return f"（{words.zh}）", f" ({words.en})"
    for field in ("detail", "note"):
        text = detail.get(field)
        if isinstance(text, str) and text:
            words = bilingual(text)
            return f"（{words.zh}）", f" ({words.en})"
    return "", ""


def bilingual(text: str) -> Words:
    """A note as it was written; one written as ``Chinese / English`` is given to each reader in his own language."""
    zh, slash, en = text.partition(" / ")
    if slash and _HAN.search(zh) and not _HAN.search(en):
        return Words(zh=zh, en=en)
    return Words(zh=text, en=text)


def with_reason(zh: str, en: str) -> Sentence:
    """A sentence with the reason, where one was given."""

    def sentence(_: str, detail: Detail) -> Words:
        why_zh, why_en = reason(detail)
        return Words(zh=zh + why_zh, en=en + why_en)

    return sentence


def at_attempt(zh: str, en: str) -> Sentence:
    """A sentence of one close of several: from the second on with its number."""

    def sentence(_: str, detail: Detail) -> Words:
        attempt = detail.get("attempt")
        if isinstance(attempt, int) and attempt > 1:
            return Words(zh=f"{zh}（第 {attempt} 次）", en=f"{en} (attempt {attempt})")
        return Words(zh=zh, en=en)

    return sentence


def by(zh: str, en: str) -> Sentence:
    """A sentence that names who acted in place of ``{who}``, with the reason where one was given."""

    def sentence(actor: str, detail: Detail) -> Words:
        who = named(actor)
        why_zh, why_en = reason(detail)
        return Words(zh=zh.format(who=who.zh) + why_zh, en=capital(en.format(who=who.en)) + why_en)

    return sentence


def capital(text: str) -> str:
    """``text`` as a sentence begins."""
    return text[:1].upper() + text[1:]


def unknown(kind: str, actor: str, detail: Detail) -> Words:
    """What is said of a kind that has no sentence of its own."""
    why_zh, why_en = reason(detail)
    who, plain = named(actor), kind.replace("_", " ")
    what = EVENTS.get(kind, Words(zh=plain, en=plain))
    return Words(zh=f"{who.zh}：{what.zh}{why_zh}", en=f"{capital(who.en)}: {what.en}{why_en}")
