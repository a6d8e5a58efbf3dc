"""Every kind that the stations write has a sentence in both languages; what they may write later is still readable."""

import re
from typing import Any, get_args

import pytest

from alarm_engine.record import EventKind
from console.order_wording import ORDER_STEPS, step_words
from console.vocabulary import CALL_OUTCOMES, INCIDENT_KINDS, ORDER_STATES, TASK_KINDS, VALVE_CAUSES, VALVE_KNOWLEDGE, said
from console.wording import CALL_MOMENTS, INCIDENT_EVENTS, call_words, event_words
from core.messages import ValveCause
from core.station import IncidentKind, ValveKnowledge
from dispatch.judgement.call_outcome import CallOutcome
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
        ("hold_set", {"hold": "self_protection", "cause": "tamper"}, "表具自保护（防拆）", "self-protection (tampering)"),
        ("hold_lifted", {"hold": "arrears", "why": "credit 20.00"}, "欠费（credit 20.00）", "arrears (credit 20.00)"),
        ("meter_exchanged", {"after": "M2"}, "新表 M2", "the new one M2"),
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
            "报警器测得甲烷 23 %LEL（设定 10），平台收到泄漏报警", "Leak alarm received: methane at 23 %LEL (set-point 10)",
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
            "报警器已就地联动切断阀门，不等平台指令",
            "The detector in the home has already closed the valve, waiting for nobody",
        ),
        ("closed_locally", {"cause": "seismic"}, "燃气表报告：阀门已切断（震动）",
         "The meter says that its valve is closed (seismic shock)"),
        ("close_sent", {"attempt": 2}, "第 2 次切断指令已发往燃气表", "Close command sent to the meter (attempt 2)"),
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
            "tech-1：严密性试验合格（1 分钟内 2.00 → 2.00 kPa）", "tech-1: tightness test passed (2.00 → 2.00 kPa in 1 min)",
        ),
        (
            {"passed": False, "start_kpa": 2.0, "end_kpa": 1.2, "minutes": 1, "entered_by": "desk-1"},
            "tech-1：严密性试验不合格，须继续查漏（1 分钟内 2.00 → 1.20 kPa），由 desk-1 代录",
            "tech-1: tightness test failed: the search for the leak goes on (2.00 → 1.20 kPa in 1 min), entered by desk-1",
        ),
    ],
)  # fmt: skip
def test_a_tightness_test_tells_its_pressures_and_both_names(detail: dict[str, Any], zh: str, en: str) -> None:
    words = step_words("tightness_test", "tech-1", detail)
    assert (words.zh, words.en) == (zh, en)


def test_a_kind_of_a_newer_station_is_still_readable() -> None:
    words = event_words("riser_closed", "line", {"reason": "no_flow_in_window"})
    assert words.en == "The line: riser closed (no flow in window)"
    assert words.zh == "接警线：riser closed（no_flow_in_window）"
    assert said(ORDER_STATES, "on_hold").en == "on hold"
    assert step_words("inspected", "tech-1", {}).en == "Tech-1: inspected"
