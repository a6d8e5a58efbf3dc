"""The report as people and programs read it. Decides wording and layout; judges nothing."""

import json
import unicodedata
from dataclasses import dataclass
from typing import Any, Literal

from simulator.report.facts import CLOCKS, Facts, Finding, Incident
from simulator.report.judge import judge

Language = Literal["zh", "en"]

_CLOCK_NAMES: dict[str, tuple[str, str]] = {
    "T0": ("探测器报警", "detector alarm"),
    "T1": ("就地切断", "valve closed locally"),
    "T2": ("平台收到", "platform received"),
    "T3": ("关阀命令发出", "close command sent"),
    "T4": ("报告已关", "valve reported closed"),
    "T5": ("关阀保持", "valve seen to hold"),
    "T5c": ("室内浓度回落", "room clearing"),
    "T6a": ("电话呼出", "call placed"),
    "T6b": ("电话振铃", "phone rings"),
    "T7": ("按键确认", "key pressed"),
    "T8": ("建单", "work order created"),
    "T9": ("派单", "crew assigned"),
    "T10": ("接单", "accepted"),
    "T11": ("到场", "on site"),
    "T12": ("已控制", "made safe"),
    "T13": ("严密性试验合格", "tightness test passed"),
    "T14": ("复气", "gas restored"),
}
_FINDING_NAMES: dict[str, tuple[str, str]] = {
    "leak_closes_valve": ("泄漏必关阀", "a leak closes its valve"),
    "no_leak_lost": ("泄漏不丢失", "no leak is lost"),
    "one_incident_one_order": ("一户一事一单", "one incident, one order"),
    "never_opens_by_itself": ("绝不自行开阀", "never opens by itself"),
    "silence_is_unknown": ("失联即未知", "silence is unknown"),
    "nothing_ages": ("无积压报警", "nothing ages out of sight"),
    "bad_input": ("坏数据有归处", "bad input is bounded"),
    "every_decision_recorded": ("决定皆有记录", "every decision recorded"),
    "simulated_stays_simulated": ("模拟不触真实", "simulated stays simulated"),
    "close_within_a_second": ("关阀 1 秒", "close within 1 s"),
    "call_within_a_second": ("致电 1 秒", "call within 1 s"),
    "order_within_a_second": ("建单 1 秒", "order within 1 s"),
    "close_at_the_meter": ("表端实测", "seen at the meter"),
    "expected_incidents": ("事件数", "incidents"),
    "expected_closing": ("由谁关阀", "who closed the valve"),
    "expected_household": ("住户", "household"),
    "expected_order": ("工单结局", "end of the order"),
    "expected_noise": ("噪声读数", "the noise was seen"),
}
_VERDICTS = {"held": ("成立", "held"), "broken": ("违反", "BROKEN"), "not_observed": ("未观察", "not observed")}


@dataclass(frozen=True, slots=True)
class Report:
    """A scenario's report."""

    facts: Facts
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, facts: Facts) -> "Report":
        """Judge the facts."""
        return cls(facts, judge(facts))

    @property
    def ok(self) -> bool:
        """Whether nothing was broken."""
        return all(finding.verdict != "broken" for finding in self.findings)

    def broken(self) -> tuple[str, ...]:
        """The keys of what was broken."""
        return tuple(finding.key for finding in self.findings if finding.verdict == "broken")

    def as_dict(self) -> dict[str, Any]:
        """The whole report as plain values."""
        facts = self.facts
        return {
            "scenario": facts.scenario.name,
            "title": facts.scenario.title.model_dump(),
            "seed": facts.seed,
            "clock_rate": facts.clock_rate,
            "started_ms": facts.started_ms,
            "ended_ms": facts.ended_ms,
            "timed_out": facts.timed_out,
            "home_id": facts.story_home,
            "homes": len(facts.plans),
            "ok": self.ok,
            "incidents": [_incident(incident) for incident in facts.incidents],
            "findings": [{"key": f.key, "invariant": f.number, "verdict": f.verdict, "zh": f.zh, "en": f.en} for f in self.findings],
        }

    def to_json(self) -> str:
        """The whole report as JSON text."""
        return json.dumps(self.as_dict(), ensure_ascii=False, indent=2)

    def render(self, language: Language = "zh") -> str:
        """The report as a table for a terminal."""
        zh = language == "zh"
        facts, title = self.facts, self.facts.scenario.title
        lasted = (facts.ended_ms - facts.started_ms) / 1000
        lines = [
            f"场景 {facts.scenario.name} · {title.zh}" if zh else f"scenario {facts.scenario.name} · {title.en}",
            f"种子 {facts.seed}，时钟 ×{facts.clock_rate:g}，{len(facts.plans)} 户，历时 {lasted:.0f} 秒"
            if zh
            else f"seed {facts.seed}, clock x{facts.clock_rate:g}, {len(facts.plans)} homes, {lasted:.0f} s",
        ]
        for incident in facts.incidents:
            lines += ["", *_clock_lines(incident, zh)]
        lines.append("")
        for finding in self.findings:
            number = f"{finding.number}" if finding.number is not None else " "
            name, verdict = _FINDING_NAMES[finding.key][not zh], _VERDICTS[finding.verdict][not zh]
            lines.append(f"{number:>2} {_padded(verdict, 12)} {_padded(name, 26)} {finding.zh if zh else finding.en}")
        count = len(self.broken())
        lines.append("")
        if zh:
            lines.append("结论：全部成立" if self.ok else f"结论：{count} 项违反")
        else:
            lines.append("result: everything held" if self.ok else f"result: {count} broken")
        return "\n".join(lines)


def _incident(incident: Incident) -> dict[str, Any]:
    detail = incident.detail
    return {
        "incident_id": str(detail["incident_id"]),
        "kind": detail["kind"],
        "state": detail["state"],
        "home_id": incident.home_id,
        "clocks": {clock: incident.clocks.get(clock) for clock in CLOCKS},
        "orders": [order["order_no"] for order in detail["orders"]],
        "calls": [{"attempt": c["attempt"], "position": c["position"], "outcome": c["outcome"]} for c in detail["calls"]],
        "tasks": [task["kind"] for task in detail["tasks"]],
    }


def _clock_lines(incident: Incident, zh: bool) -> list[str]:
    """Each clock with its distance from T2, the moment from which the platform can be measured."""
    detail, received = incident.detail, incident.clocks["T2"]
    place = detail["address_zh"] if zh else detail["address_en"]
    orders = ", ".join(order["order_no"] for order in detail["orders"])
    lines = [f"{incident.home_id or detail['incident_id']}  {place}  {orders}"]
    for clock in CLOCKS:
        at = incident.clocks.get(clock)
        shown = "—" if at is None or received is None else f"{(at - received) / 1000:+.3f} s"
        lines.append(f"   {clock:<4}{_padded(_CLOCK_NAMES[clock][not zh], 24)}{shown:>12}")
    return lines


def _padded(text: str, width: int) -> str:
    """Filled with spaces to ``width`` columns; a Chinese character takes two."""
    taken = sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
    return text + " " * max(0, width - taken)
