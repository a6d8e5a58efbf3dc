"""What the household hears, word by word, and how long it takes to hear what saves lives."""

from typing import Any, get_args

import pytest

from core.station import ClearingKnowledge, HomeFacts, ProofKnowledge, ValveKnowledge
from dispatch import wording
from dispatch.judgement.answers import Answers
from dispatch.valve_wording import number_zh, valve_sentences
from dispatch.voice.recital import sentences
from dispatch.voice.settings import VoiceSettings
from dispatch.voice.speech.voice import BYTES_PER_SECOND, Voice
from tests.dispatch.played import MORNING_MS, home

CLOSED = Answers(valve="reported_closed")
IN_3_MIN = MORNING_MS + 150_000
AT_10_20 = MORNING_MS + 20 * 60_000


def said(answers: Answers, language: wording.Language = "zh", now_ms: int = MORNING_MS) -> str:
    return "".join(valve_sentences(answers, language, now_ms))


def closed(**more: Any) -> Answers:
    return Answers(valve="reported_closed", **more)


def test_the_whole_message_in_chinese() -> None:
    assert wording.message(home(), CLOSED, "zh", MORNING_MS) == (
        "云栖花园三栋幺单元五零幺室。",
        "燃气泄漏，马上离开！",
        "别碰开关。",
        "顺路开窗。",
        "请挂断，我们再打来。",
        "燃气表报告阀门已经关闭，但屋里可能还有燃气，不要返回。",
        "已经离开，请按一。",
        "需要帮助，请按二。",
        "不是您的家，请按九。",
    )


def test_the_whole_message_in_english() -> None:
    words = wording.message(home(), Answers(valve="no_answer"), "en", MORNING_MS)
    assert words[0] == "Building 3, Unit 1, Room 5 0 1."
    assert words[1] == "Gas is leaking, leave now!"
    assert "may still be open" in words[5]
    assert words[6:] == ("If you are out, press one.", "If you need help, press two.", "If this is not your home, press nine.")


@pytest.mark.parametrize(
    ("written", "spoken"),
    [("501", "五零幺"), ("1栋", "幺栋"), ("12栋3单元1101室", "幺二栋三单元幺幺零幺室"), ("3-1栋", "三杠幺栋"), ("６０２", "六零二")],
)
def test_numbers_are_read_digit_by_digit(written: str, spoken: str) -> None:
    assert wording.spoken_zh(written) == spoken


def test_an_address_with_words_of_its_own() -> None:
    assert wording.spoken_address(home(estate="Yunqi Garden", building="12"), "en") == "Building 1 2, Unit 1, Room 5 0 1, Yunqi Garden."
    nameless = home(building="东座", unit="", room="")
    assert wording.spoken_address(nameless, "en") == "Room 5 0 1, Unit 1, Building 3, Yuelu District."
    assert wording.spoken_address(home(building="东座", unit="", room="A12"), "zh") == "云栖花园东座A幺二室。"
    assert wording.spoken_address(home(estate=""), "zh") == "岳麓区 云栖花园 三栋 幺单元 五零幺室。"


LONG = home(estate="阳光一百国际新城南区", building="12", unit="2", room="1101")
LONG_EN = home(estate="Sunshine Hundred South Garden", building="12", unit="2", room="1101")
WITHOUT_PARTS = home(
    estate="", building="", unit="", room="", address_en="Room 501, Unit 1, Building 3, Some Garden, Yuelu District, Changsha"
)


def test_of_a_long_address_only_the_end_is_said_at_first_and_the_whole_later() -> None:
    words = wording.message(LONG, CLOSED, "zh", MORNING_MS)
    assert words[0] == "幺二栋二单元幺幺零幺室。"
    assert words[6] == "地址是阳光一百国际新城南区幺二栋二单元幺幺零幺室。"
    assert wording.message(WITHOUT_PARTS, CLOSED, "zh", MORNING_MS)[0] == "您登记的住处。"


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_we_call_again_is_said_within_ten_seconds(language: wording.Language) -> None:
    """The length of the sound itself, at the worker's own speed and pauses: no machine is timed."""
    settings = VoiceSettings()
    voice = Voice({"zh": settings.speech_rate_zh, "en": settings.speech_rate_en})
    places: tuple[HomeFacts, ...] = (home(), LONG, LONG_EN, WITHOUT_PARTS, home(building="东座", unit="", room="A12"))
    try:
        for place in places:
            opening = wording.opening(place, language)
            spoken = [len(await voice.render(sentence, language)) / BYTES_PER_SECOND for sentence in opening]
            lasts = settings.lead_in_s + sum(spoken) + settings.sentence_gap_s * (len(opening) - 1)
            assert lasts <= 10, (opening, lasts)
    finally:
        await voice.stop()


def _every() -> list[Answers]:
    proofs: tuple[ProofKnowledge, ...] = get_args(ProofKnowledge)
    rooms: tuple[ClearingKnowledge, ...] = get_args(ClearingKnowledge)
    valves: tuple[ValveKnowledge, ...] = get_args(ValveKnowledge)
    return [
        Answers(valve=valve, proof=proof, clearing=room, before_meter=before, proof_due_ms=IN_3_MIN, answer_due_ms=AT_10_20)
        for valve in valves
        for proof in proofs
        for room in rooms
        for before in (False, True)
    ]


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("place", [home(), LONG])
def test_the_voice_cuts_it_where_we_do_and_the_opening_never_changes(place: HomeFacts, language: wording.Language) -> None:
    opening = wording.opening(place, language)
    for answers in _every():
        words = wording.message(place, answers, language, MORNING_MS)
        assert sentences(wording.text(place, answers, language, MORNING_MS)) == words
        assert words[:5] == opening


@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_knowledge_of_the_valve_is_worded_differently_and_only_one_says_closed(language: wording.Language) -> None:
    found = {valve: said(Answers(valve=valve), language) for valve in get_args(ValveKnowledge)}
    assert len(set(found.values())) == len(found)
    shut = "已经关闭" if language == "zh" else "reports its valve closed"
    assert [valve for valve, words in found.items() if shut in words] == ["reported_closed"]


@pytest.mark.parametrize(("language", "tight"), [("zh", "已经关严"), ("en", "closed and holds")])
def test_only_a_valve_that_was_seen_to_hold_is_called_tight(language: wording.Language, tight: str) -> None:
    for answers in _every():
        holds = answers.valve == "reported_closed" and answers.proof == "holds" and not answers.before_meter
        assert (tight in said(answers, language)) is holds, answers


@pytest.mark.parametrize(
    ("answers", "zh", "en"),
    [
        (closed(proof="not_yet", proof_due_ms=IN_3_MIN), "大约还要三分钟才能确认关严", "in about 3 minutes"),
        (closed(proof="not_yet", proof_due_ms=MORNING_MS + 120_000), "大约还要两分钟", "in about 2 minutes"),
        (closed(proof="not_yet", proof_due_ms=MORNING_MS - 1), "很快就能确认是否关严", "can be told shortly"),
        (closed(proof="due_at_uplink", proof_due_ms=AT_10_20), "要等它大约十点二十分再上报才能确认关严", "at about 10:20"),
        (closed(proof="not_provable"), "要到现场才能确认", "only be told on site"),
        (closed(proof="flows"), "燃气还在流", "gas still flows"),
        (Answers(valve="gas_still_flows"), "燃气还在流", "gas still flows"),
        (closed(proof="holds", clearing="clearing"), "屋里的燃气正在减少", "is falling"),
        (closed(proof="not_yet", clearing="not_clearing"), "屋里的燃气还没有减少", "does not fall yet"),
        (closed(proof="holds", clearing="not_clearing", before_meter=True), "可能是从表前的立管漏来的", "riser before the meter"),
        (closed(proof="holds", clearing="not_clearing", before_meter=True), "叫邻居也离开", "tell your neighbours"),
        (Answers(valve="commanded", answer_due_ms=AT_10_20), "大约十点二十分上报时才能收到切断指令", "at about 10:20"),
        (Answers(valve="commanded", answer_due_ms=MORNING_MS - 1), "下次上报时才能收到", "when it next reports"),
    ],
)
def test_the_four_answers_in_words(answers: Answers, zh: str, en: str) -> None:
    assert zh in said(answers)
    assert en in said(answers, "en")


def test_numbers_as_they_are_said() -> None:
    assert [number_zh(n) for n in (0, 2, 10, 11, 20, 35, 99)] == ["零", "二", "十", "十一", "二十", "三十五", "九十九"]
    assert "两点零五分" in said(Answers(valve="commanded", answer_due_ms=MORNING_MS + (16 * 60 + 5) * 60_000))


def test_english_by_home_or_by_platform() -> None:
    assert wording.call_language(home(), "zh") == "zh"
    assert wording.call_language(home(language="en"), "zh") == "en"
    assert wording.call_language(home(), "en") == "en"
