"""Every kind that the stations write has a sentence in both languages; what they may write later is still readable."""

import re
from typing import Any, get_args

import pytest

from alarm_engine.record import EventKind
from console.order_wording import ORDER_STEPS, step_words
from console.vocabulary import CALL_OUTCOMES, INCIDENT_KINDS, ORDER_STATES, TASK_KINDS, VALVE_CAUSES, VALVE_KNOWLEDGE, said
from console.wording import CALL_MOMENTS, INCIDENT_EVENTS, LATE_MS, call_words, event_words, step_told
from core.messages import ValveCause
from core.station import IncidentKind, ValveKnowledge
from dispatch.judgement.call_outcome import CallOutcome
from dispatch.judgement.crews import OFF_DUTY
from dispatch.judgement.order_table import OrderEvent, OrderState
from dispatch.tasks import PRIORITY

LINE_KINDS = get_args(EventKind)
ORDER_EVENTS = ["created", *get_args(OrderEvent), "on_site", "no_access", "made_safe", "tightness_test", "valve"]
FULL = {
    "ch4_lel": 23.0, "alarm_lel": 10.0, "event": "leak", "lane": "alarm", "cause": "linkage", "attempt": 2, "sends": 3, "reason": "busy",
    "device_id": "D1", "kind": "leak", "order_no": "QX-260402-0001", "crew_id": "芙蓉-1", "distance_m": 1830, "reading_lel": 0.4,
    "start_kpa": 2, "end_kpa": 1.98, "minutes": 1, "passed": True, "note": "软管老化", "entered_by": "desk-1",
}  # fmt: skip
HAN = re.compile(r"[\u4e00-\u9fff]")


def _both(words: Any) -> None:
    assert HAN.search(words.zh), words
    assert re.search(r"[A-Za-z]{3}", words.en), words
    for text in (words.zh, words.en):
        assert "None" not in text
        assert "{" not in text
        assert "_" not in text.replace("QX_", "")


@pytest.mark.parametrize("detail", [{}, FULL, dict.fromkeys(FULL)], ids=["bare", "full", "nulls"])
@pytest.mark.parametrize("kind", LINE_KINDS)
def test_what_the_line_does_is_said_in_both_languages(kind: str, detail: dict[str, Any]) -> None:
    assert kind in INCIDENT_EVENTS
    words = event_words(kind, "line", detail)
    _both(words)
    assert not HAN.search(words.en.replace("软管老化", "")), words.en


@pytest.mark.parametrize("detail", [{}, FULL, dict.fromkeys(FULL)], ids=["bare", "full", "nulls"])
@pytest.mark.parametrize("event", ORDER_EVENTS)
def test_what_dispatch_does_is_said_in_both_languages(event: str, detail: dict[str, Any]) -> None:
    assert event in ORDER_STEPS
    _both(step_words(event, "tech-1", detail))


@pytest.mark.parametrize(
    ("kind", "detail", "zh", "en"),
    [
        ("valve_holds", {"volume_m3": 812.34}, "读数停在 812.340 m³", "stands at 812.340 m³"),
        ("gas_still_flows", {"passed_m3": 0.02}, "又流过 0.020 m³", "0.020 m³ more have passed"),
        ("proof_due", {"proof": "not_yet", "due_ms": 1_775_095_200_000}, "约 10:00 可知", "at about 10:00"),
        ("proof_due", {"proof": "due_at_uplink", "due_ms": 1_775_095_200_000}, "要等下次上报（约 10:00）", "next reports (about 10:00)"),
        ("room_clearing", {"ch4_lel": 7.5}, "甲烷 7.5 %LEL", "methane at 7.5 %LEL"),
        ("alias", {"reason": "ack_of_unknown_close"}, "未知切断指令的应答", "a close that was not known"),
        ("hold_set", {"hold": "self_protection", "cause": "tamper"}, "燃气表自保护（防拆）", "self-protection (tampering)"),
        ("hold_lifted", {"hold": "arrears", "why": "credit 20.00"}, "欠费（余额 20.00 元）", "arrears (credit 20.00 CNY)"),
        ("hold_lifted", {"hold": "safety", "why": "tightness_passed"}, "安全（严密性试验合格）", "safety (tightness test passed)"),
        ("hold_lifted", {"hold": "safety", "why": "restored"}, "安全（已复气）", "safety (gas restored)"),
        ("hold_lifted", {"hold": "safety", "why": "closed_without_gas"}, "（未复气，阀门保持切断）", "(gas not restored, the valve"),
        ("hold_lifted", {"hold": "safety", "why": "order archived"}, "安全（抢修单已归档）", "safety (order archived)"),
        ("hold_lifted", {"hold": "away", "why": "opened at the meter"}, "外出（住户在表前打开）", "away (opened at the meter)"),
        (
            "hold_lifted",
            {"hold": "safety", "why": "passed on to 0b7d7bb4-8a43-4c5e-9c29-6f1a2b3c4d5e"},
            "安全（转由新的事件保持）",
            "safety (held by a new incident from now on)",
        ),
        ("hold_lifted", {"hold": "works", "why": "立管已修好 / riser repaired"}, "施工（立管已修好）", "works (riser repaired)"),
        ("meter_exchanged", {"after": "M2"}, "新表 M2", "the new one M2"),
        ("order_sent", {"order": "emergency", "call": False}, "没有可拨打的联系人", "nobody is known to be called"),
        ("opened", {"kind": "hotline_report", "caller_phone": "0731-5"}, "来电号码 0731-5", "the caller's number: 0731-5"),
        ("leak_again", {"hotline": True, "caller_phone": "0731-5"}, "来电号码 0731-5", "the caller's number: 0731-5"),
    ],
)
def test_the_truth_about_a_valve_is_said_with_its_figures(kind: str, detail: dict[str, Any], zh: str, en: str) -> None:
    words = event_words(kind, "line", detail)
    assert zh in words.zh
    assert en in words.en


def test_the_order_says_all_four_answers_and_where_else_to_close() -> None:
    words = step_words("valve", "line", {"valve": "reported_closed", "proof": "holds", "clearing": "not_clearing"})
    assert [words.zh.count("；"), words.en.count(";")] == [2, 2]
    before = step_words("before_meter_suspected", "line", {"wanted": ["riser_valve", "neighbours"]})
    assert "立管阀" in before.zh
    assert "riser valve" in before.en


def test_an_order_that_is_taken_back_says_why() -> None:
    detail = {"from_crew": "芙蓉-1", "note": "", "reason": OFF_DUTY.code, "zh": OFF_DUTY.zh, "en": OFF_DUTY.en}
    words = step_words("reassign", "dispatch", detail)
    assert words.zh == "从原抢修队收回，改派其他抢修队（该抢修队已下班，未接单）"
    assert words.en == "Taken back from its crew, another one is sent (that crew has gone off duty without accepting)"


@pytest.mark.parametrize("moment", CALL_MOMENTS)
def test_what_the_telephone_does_is_said_in_both_languages(moment: str) -> None:
    _both(call_words(moment, {"name": "Zhou Min", "key": "1", "outcome": "confirmed"}))


@pytest.mark.parametrize("kind", get_args(IncidentKind))
def test_every_kind_of_incident_opens_with_words_of_its_own(kind: str) -> None:
    _both(said(INCIDENT_KINDS, kind))
    _both(event_words("opened", "line", {**FULL, "order_no": None, "kind": kind}))
    assert kind in INCIDENT_KINDS


def test_closed_lists_are_complete() -> None:
    assert set(VALVE_KNOWLEDGE) == set(get_args(ValveKnowledge))
    assert set(VALVE_CAUSES) == set(get_args(ValveCause))
    assert set(ORDER_STATES) == set(get_args(OrderState))
    assert set(CALL_OUTCOMES) == {"under_way", *get_args(CallOutcome)}
    assert set(PRIORITY) <= set(TASK_KINDS)
    for table in (VALVE_KNOWLEDGE, VALVE_CAUSES, ORDER_STATES, CALL_OUTCOMES, INCIDENT_KINDS):
        for words in table.values():
            assert HAN.search(words.zh)
            assert words.en


@pytest.mark.parametrize(
    ("kind", "detail", "zh", "en"),
    [
        (
            "opened", {"event": "leak", "lane": "alarm", "ch4_lel": 23.0, "alarm_lel": 10.0},
            "探测器测得甲烷 23 %LEL（设定 10），平台收到泄漏报警", "Leak alarm received: methane at 23 %LEL (set-point 10)",
        ),
        ("opened", {"lane": "alarm", "event": "leak", "ch4_lel": None}, "平台收到泄漏报警", "Leak alarm received"),
        (
            "opened", {"lane": "telemetry", "ch4_lel": 12.34, "alarm_lel": 10},
            "平台在定时上报数据中发现泄漏：甲烷 12.3 %LEL（设定 10）",
            "Leak found in routine telemetry: methane at 12.3 %LEL (set-point 10)",
        ),
        (
            "opened_valve", {"by": "tech-1", "attempt": 1},
            "现场人员在表前按键确认，阀门已打开", "The valve was opened, confirmed by a person at the meter",
        ),
        (
            "closed_locally", {"cause": "linkage"},
            "探测器已就地联动切断阀门，不等平台指令",
            "The detector in the home has already closed the valve, waiting for nobody",
        ),
        ("closed_locally", {"cause": "seismic"}, "燃气表报告：阀门已切断（震动）",
         "The meter says that its valve is closed (seismic shock)"),
        ("close_sent", {"attempt": 2}, "切断指令已发往燃气表（第 2 次）", "Close command sent to the meter (attempt 2)"),
        ("close_accepted", {"attempt": 1}, "燃气表已接受切断指令，阀门正在关闭", "The meter accepted the close, the valve is moving"),
        (
            "close_accepted", {"attempt": 2},
            "燃气表已接受切断指令，阀门正在关闭（第 2 次）", "The meter accepted the close, the valve is moving (attempt 2)",
        ),
        (
            "travel_time_over", {"attempt": 3}, "阀门未按时关闭，状态不明（第 3 次）",
            "The valve did not close in its time; its position is unknown (attempt 3)",
        ),
    ],
)  # fmt: skip
def test_sentences_are_told_to_a_stranger(kind: str, detail: dict[str, Any], zh: str, en: str) -> None:
    words = event_words(kind, "line", detail)
    assert (words.zh, words.en) == (zh, en)


@pytest.mark.parametrize(
    ("detail", "zh", "en"),
    [
        (
            {"passed": True, "start_kpa": 2.0, "end_kpa": 2.0, "minutes": 1},
            "tech-1：严密性试验合格（1 分钟内 2.00 → 2.00 kPa）",
            "tech-1: tightness test passed (2.00 → 2.00 kPa in 1 min)",
        ),
        (
            {"passed": False, "start_kpa": 2.0, "end_kpa": 1.2, "minutes": 1, "entered_by": "desk-1"},
            "tech-1：严密性试验不合格，须继续查漏（1 分钟内 2.00 → 1.20 kPa），由 desk-1 代录",
            "tech-1: tightness test failed: the search for the leak goes on (2.00 → 1.20 kPa in 1 min), entered by desk-1",
        ),
    ],
)
def test_a_tightness_test_tells_its_pressures_and_both_names(detail: dict[str, Any], zh: str, en: str) -> None:
    words = step_words("tightness_test", "tech-1", detail)
    assert (words.zh, words.en) == (zh, en)


def test_a_kind_of_a_newer_station_is_still_readable() -> None:
    words = event_words("riser_closed", "line", {"reason": "no_flow_in_window"})
    assert words.en == "The line: riser closed (no flow in window)"
    assert words.zh == "接警线：riser closed（no_flow_in_window）"
    assert said(ORDER_STATES, "on_hold").en == "on hold"
    assert step_words("inspected", "tech-1", {}).en == "Tech-1: inspected"


@pytest.mark.parametrize(
    ("moved", "detail", "zh", "en"),
    [
        (
            ("accepted", "accepted"), {},
            "再次报警：抢修单不变（已接单，前往现场）", "Leak again: the order goes on as it was (accepted, on the way)",
        ),
        (("on_site", "on_site"), {}, "再次报警：抢修单不变（已到场）", "Leak again: the order goes on as it was (on site)"),
        (("made_safe", "on_site"), {"test_void": False}, "再次报警：抢修单退回到场", "Leak again: the order is back to on site"),
        (
            ("tightness_passed", "on_site"), {"test_void": True},
            "再次报警：抢修单退回到场，试验作废", "Leak again: the order is back to on site, its test is void",
        ),
        (
            ("archived", "waiting"), {"test_void": True},
            "再次报警：抢修单重新打开，等待派单，试验作废", "Leak again: the order is open again and waits for a crew, its test is void",
        ),
        (
            ("made_safe", "made_safe"), {"earlier": True},
            "收到已控制之前的泄漏报警，抢修单不变", "A leak alarm from before the place was made safe: the order stays as it is",
        ),
    ],
)  # fmt: skip
def test_a_leak_again_says_what_becomes_of_the_order(moved: tuple[str, str], detail: dict[str, Any], zh: str, en: str) -> None:
    words = step_told("leak_again", "line", detail, *moved)
    assert (words.zh, words.en) == (zh, en)


AFTERNOON = 1_775_120_400_000
"""2 April 2026 17:00 Beijing time, Unix ms."""


@pytest.mark.parametrize(
    ("after_ms", "zh", "en"),
    [
        (None, "tech-1 已到场", "Tech-1 is on site"),
        (LATE_MS - 1, "tech-1 已到场", "Tech-1 is on site"),
        (25 * 60_000, "tech-1 已到场（补报，17:25 收到）", "Tech-1 is on site (reported later, received 17:25)"),
        (15 * 3_600_000, "tech-1 已到场（补报，04-03 08:00 收到）", "Tech-1 is on site (reported later, received 04-03 08:00)"),
    ],
)
def test_a_step_that_was_told_later_says_so_and_when(after_ms: int | None, zh: str, en: str) -> None:
    times = {} if after_ms is None else {"happened_ms": AFTERNOON, "received_ms": AFTERNOON + after_ms}
    words = step_told("arrive", "tech-1", times, "accepted", "on_site")
    assert (words.zh, words.en) == (zh, en)


@pytest.mark.parametrize("times", [{"happened_ms": "a", "received_ms": 5}, {"happened_ms": 1}, {"received_ms": 9e99, "happened_ms": 0}])
def test_times_that_are_none_tell_nothing(times: dict[str, Any]) -> None:
    assert step_told("arrive", "tech-1", times, None, "on_site").en == "Tech-1 is on site"
