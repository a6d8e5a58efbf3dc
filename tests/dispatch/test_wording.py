"""What the household hears, word by word."""

from typing import get_args

import pytest

from core.station import ValveKnowledge
from dispatch import wording
from dispatch.voice.recital import sentences
from tests.dispatch.played import home


def test_the_whole_message_in_chinese() -> None:
    assert wording.message(home(), "reported_closed", "zh") == (
        "云栖花园三栋幺单元五零幺室。",
        "燃气泄漏，马上离开！",
        "不要碰开关。",
        "顺路开窗。",
        "请挂断，我们会再打来。",
        "燃气表报告阀门已经关闭，但屋里可能还有燃气，不要返回。",
        "已经离开，请按一。",
        "需要帮助，请按二。",
        "不是您的家，请按九。",
    )


def test_the_whole_message_in_english() -> None:
    said = wording.message(home(), "no_answer", "en")
    assert said[0] == "Building 3, Unit 1, Room 5 0 1."
    assert said[1] == "Gas is leaking, leave now!"
    assert "may still be open" in said[5]
    assert said[6:] == ("If you are out, press one.", "If you need help, press two.", "If this is not your home, press nine.")


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


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("valve", get_args(ValveKnowledge))
def test_the_voice_cuts_it_where_we_do(valve: ValveKnowledge, language: wording.Language) -> None:
    assert sentences(wording.text(home(), valve, language)) == wording.message(home(), valve, language)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_each_knowledge_of_the_valve_is_worded_differently_and_only_one_says_closed(language: wording.Language) -> None:
    said = {valve: wording.message(home(), valve, language)[5] for valve in get_args(ValveKnowledge)}
    assert len(set(said.values())) == len(said)
    closed = "已经关闭" if language == "zh" else "reports its valve closed"
    assert [valve for valve, words in said.items() if closed in words] == ["reported_closed"]


def test_english_by_home_or_by_platform() -> None:
    assert wording.call_language(home(), "zh") == "zh"
    assert wording.call_language(home(language="en"), "zh") == "en"
    assert wording.call_language(home(), "en") == "en"
