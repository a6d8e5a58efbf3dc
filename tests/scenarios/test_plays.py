"""Many plays and their table: what counts as it should, and how it is shown."""

import sys
from pathlib import Path
from typing import Any

import pytest

from core.errors import UserError
from deploy.plays import UNDER_FIRE, Play, Played, Plays, result_table, the_plays

FIGURES = {
    "T2_T3": {"p50": 1.0, "p99": 1.0, "longest": 1.0, "count": 1},
    "T2_T6a": {"p50": 14.0, "p99": 90.0, "longest": 95.0, "count": 50},
    "T2_T8": None,
}


def played(play: Play, status: int, *broken: str, late: tuple[str, ...] = (), **more: Any) -> Played:
    verdicts = [*((key, "broken") for key in broken), *((key, "late") for key in late), ("no_leak_lost", "held")]
    findings = [{"key": key, "verdict": verdict} for key, verdict in verdicts]
    return Played(play, status, 61.2, {"ok": not (broken or late), "findings": findings, "figures": FIGURES, **more}, "")


def test_a_whole_play_must_be_green_and_a_broken_one_red() -> None:
    whole, broken = Play("single-leak"), Play("single-leak", broken=True)
    assert played(whole, 0).as_it_should
    assert not played(whole, 1, "expected_order").as_it_should
    assert played(broken, 1, "expected_household").as_it_should
    assert not played(broken, 0).as_it_should


def test_a_late_call_makes_a_play_red_and_is_told_from_what_is_wrong() -> None:
    late = played(Play("single-leak"), 1, late=("call_within_a_second",))
    assert not late.as_it_should
    assert (late.findings, late.wrong) == (("call_within_a_second",), ())
    assert "red: call_within_a_second" in "\n".join(result_table([late], "en"))


def test_a_broken_play_that_is_only_late_did_not_turn_red_by_its_setting() -> None:
    broken = Play("single-leak", broken=True)
    late = played(broken, 1, late=("call_within_a_second",))
    assert not late.as_it_should
    assert "NO (red: call_within_a_second; due: expected_household)" in "\n".join(result_table([late], "en"))
    assert played(broken, 1, "expected_household", late=("call_within_a_second",)).as_it_should


def test_a_broken_play_must_be_red_by_all_that_its_scenario_names_not_because_it_was_cut_short() -> None:
    cut = played(Play("single-leak", broken=True), 1, "expected_order")
    assert not cut.as_it_should
    assert "否 (违反：expected_order；应违反：expected_household)" in "\n".join(result_table([cut], "zh"))
    half = played(Play("hub-down", broken=True), 1, "expected_order", "silence_is_unknown")
    assert (half.as_it_should, half.missing) == (False, ("expected_conditions",))
    assert played(Play("hub-down", broken=True), 1, "silence_is_unknown", "expected_conditions").as_it_should
    assert played(Play("hub-down"), 0).missing == ()


def test_a_play_without_a_report_is_never_as_it_should_be() -> None:
    for broken in (False, True):
        for status in (0, 1, 2, 124):
            assert not Played(Play("single-leak", broken=broken), status, 3.0, {}, "").as_it_should


def test_the_table_has_a_line_a_scenario_with_its_figures_and_what_turned_red() -> None:
    counts = {"incidents": 50, "orders": 50, "calls": 60, "aliases": 0, "attempts": 52, "resends": 2, "alarm_repeats": 9}
    storm: dict[str, Any] = {"leaking": 50, "kills": {"line": 3}, "counts": counts}
    ended = [
        played(Play("single-leak"), 0),
        played(Play("single-leak", broken=True), 1, "expected_household"),
        played(Play("storm-50"), 1, "every_home_called", **storm),
        played(Play("storm-50", broken=True), 0),
        Played(Play("canary"), 2, 1.0, {}, ""),
    ]
    english = "\n".join(result_table(ended, "en"))
    lines = english.splitlines()
    assert lines[0].startswith("scenario")
    assert "green" in lines[1]
    assert "14 / 90" in lines[1]
    assert "yes (expected_household)" in lines[1]
    assert "red: every_home_called" in lines[2]
    assert "NO (green; due: every_home_called)" in lines[2]
    assert "no report (exit status 2)" in lines[3]
    assert "storm-50: 50 homes leaked, 50 incidents" in english
    assert "kill -9: line ×3" in english
    chinese = "\n".join(result_table(ended, "zh"))
    for words in ("场景", "全部成立", "违反：every_home_called", "没有报告", "泄漏 50 户"):
        assert words in chinese


def test_what_is_played() -> None:
    everything = the_plays((), short=False, broken=True)
    assert Play("storm-1000") in everything
    assert Play("storm-1000", broken=True) in everything
    storm, arguments = UNDER_FIRE
    assert Play(storm, arguments=arguments) in everything
    assert the_plays(("canary",), short=False, broken=False) == [Play("canary")]
    assert Play("storm-1000") not in the_plays((), short=True, broken=False)
    with pytest.raises(UserError, match="no scenario earthquake"):
        the_plays(("earthquake",), short=False, broken=False)


def test_a_play_that_the_machine_refuses_for_a_moment_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late, lines = tmp_path / "late", list[str]()

    def said(zh: str, en: str) -> None:
        lines.append(en)
        if "could not be started" in en:
            late.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
            late.chmod(0o755)

    monkeypatch.setattr(sys, "executable", str(late))
    (play,) = Plays(tmp_path, said, jobs=1).run([Play("single-leak")])
    assert play.status == 1
    assert sum("could not be started" in line for line in lines) == 1


def test_a_play_that_cannot_be_begun_says_why_and_is_not_as_it_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    monkeypatch.setattr("deploy.plays._START_PAUSE_S", 0.0)
    lines: list[str] = []
    (play,) = Plays(tmp_path, lambda zh, en: lines.append(en), jobs=1).run([Play("single-leak", broken=True)])
    assert (play.status, play.as_it_should) == (127, False)
    assert "No such file" in play.said
    assert lines[-1].startswith("[1/1] single-leak --broken: no report (exit status 127)")
