"""The report as people and programs read it. Decides wording and layout; judges nothing."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from simulator.report.facts import CLOCKS, Facts, Finding, Incident
from simulator.report.figures import figure, figures
from simulator.report.judge import judge
from simulator.report.layout import padded

Language = Literal["zh", "en"]

_FEW = 3
"""So many incidents are shown clock by clock; of more, the clocks are shown together."""

_CLOCK_NAMES: dict[str, tuple[str, str]] = {
    "T0": ("探测器报警", "detector alarm"),
    "T1": ("就地切断", "valve closed locally"),
    "T2": ("平台收到", "platform received"),
    "T3": ("切断指令发出", "close command sent"),
    "T4": ("表端报告已切断", "valve reported closed"),
    "T5": ("确认关严", "valve seen to hold"),
    "T5c": ("室内浓度下降", "room clearing"),
    "T6a": ("电话呼出", "call placed"),
    "T6b": ("电话振铃", "phone rings"),
    "T7": ("住户按键", "key pressed"),
    "T8": ("抢修单建立", "work order created"),
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
    "expected_order": ("抢修单结局", "end of the order"),
    "expected_noise": ("噪声读数", "the noise was seen"),
    "expected_attempts": ("关阀次数", "close attempts"),
    "expected_record": ("事件记录", "the record"),
    "expected_proof": ("是否关严", "does the valve hold"),
    "expected_answer_due": ("下次上报", "due at the next uplink"),
    "expected_clearing": ("室内浓度", "the room"),
    "expected_priority": ("优先级", "priority of the order"),
    "expected_conditions": ("失效、失联、掉电", "blind, silent, powerless"),
    "expected_tasks": ("人工任务", "tasks of the desk"),
    "expected_holds": ("阀门保持切断", "holds on the valve"),
    "expected_refusal": ("拒绝开阀", "open refused"),
    "expected_devices": ("列出的设备", "devices listed"),
    "expected_canary": ("自检", "the canary home"),
    "every_home_incident": ("户户有事件", "every home: incident"),
    "every_home_closed": ("户户已关阀", "every home: closed"),
    "every_home_ordered": ("户户一单", "every home: one order"),
    "every_home_called": ("户户已致电", "every home: called"),
}
_VERDICTS = {"held": ("成立", "held"), "broken": ("违反", "BROKEN"), "late": ("超时", "LATE"), "not_observed": ("未观察", "not observed")}


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
        return not self.broken()

    def broken(self) -> tuple[str, ...]:
        """The keys of what was broken or late."""
        return tuple(finding.key for finding in self.findings if finding.verdict in ("broken", "late"))

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
            "leaking": len(facts.leaking),
            "ok": self.ok,
            "figures": figures(facts),
            "counts": asdict(facts.counts),
            "kills": dict(facts.kills),
            "deaths": dict(facts.deaths),
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
        lines = [
            f"场景 {facts.scenario.name} · {title.zh}" if zh else f"scenario {facts.scenario.name} · {title.en}",
            _played(facts, zh),
            *_notes(facts, zh),
        ]
        if len(facts.incidents) <= _FEW:
            for incident in facts.incidents:
                lines += ["", *_clock_lines(incident, zh)]
        else:
            lines += ["", *_clocks_together(facts, zh)]
        lines.append("")
        for finding in self.findings:
            number = f"{finding.number}" if finding.number is not None else " "
            name, verdict = _FINDING_NAMES[finding.key][not zh], _VERDICTS[finding.verdict][not zh]
            lines.append(f"{number:>2} {padded(verdict, 12)} {padded(name, 26)} {finding.zh if zh else finding.en}")
        count = len(self.broken())
        lines.append("")
        if zh:
            lines.append("结论：全部成立" if self.ok else f"结论：{count} 项违反")
        else:
            lines.append("result: everything held" if self.ok else f"result: {count} broken")
        return "\n".join(lines)


def _played(facts: Facts, zh: bool) -> str:
    lasted = (facts.ended_ms - facts.started_ms) / 1000
    real_zh = "" if facts.clock_rate == 1 else f"（实际 {lasted / facts.clock_rate:.0f} 秒）"
    real_en = "" if facts.clock_rate == 1 else f" (real time: {lasted / facts.clock_rate:.0f} s)"
    if zh:
        return f"种子 {facts.seed}，时钟 ×{facts.clock_rate:g}，{len(facts.plans)} 户，历时 {lasted:.0f} 秒{real_zh}"
    return f"seed {facts.seed}, clock x{facts.clock_rate:g}, {len(facts.plans)} homes, {lasted:.0f} s{real_en}"


def _notes(facts: Facts, zh: bool) -> list[str]:
    """What the reader has to know of how it was played: the clock, where it was ended, what was killed, what was counted."""
    found: list[tuple[str, str]] = []
    if facts.clock_rate != 1:
        found.append(
            (
                "平台、外部世界、抢修队共用该时钟；电话按真实时间进行，只按呼出判定",
                "platform, world and crews share that clock; telephone calls run in real time and are judged as placed",
            )
        )
    if facts.scenario.ends == "served":
        archived = sum(order["state"] == "archived" for i in facts.incidents for order in i.detail["orders"])
        found.append(
            (
                f"到每户已关阀、有抢修单、已致电为止，不等修复；其间归档 {archived} 张",
                f"ended once every home was closed, ordered and called, not with the repairs; {archived} order(s) were archived meanwhile",
            )
        )
    if facts.kills:
        kills = _listed(facts.kills)
        found.append((f"kill -9：{kills}，共 {sum(facts.kills.values())} 次", f"kill -9: {kills}; {sum(facts.kills.values())} in all"))
    by_itself = {name: count - facts.kills.get(name, 0) for name, count in facts.deaths.items() if count > facts.kills.get(name, 0)}
    if by_itself:
        found.append((f"自行退出并被重启：{_listed(by_itself)}", f"ended by itself and was started again: {_listed(by_itself)}"))
    if len(facts.leaking) > 1 or facts.kills:
        c, homes = facts.counts, len(facts.leaking)
        zh_closes, en_closes = f"关阀 {c.attempts} 次（重发 {c.resends}）", f"{c.attempts} closes ({c.resends} sent again)"
        zh_all = f"泄漏 {homes} 户，事件 {c.incidents}，抢修单 {c.orders}，致电 {c.calls}，别名 {c.aliases}，{zh_closes}"
        en_all = f"{homes} homes leaked: {c.incidents} incidents, {c.orders} orders, {c.calls} calls, {c.aliases} aliases, {en_closes}"
        found.append((f"{zh_all}，报警重发 {c.alarm_repeats}", f"{en_all}, {c.alarm_repeats} alarms sent again"))
    return [words[not zh] for words in found]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ×{count}" for name, count in counts.items())


def _clocks_together(facts: Facts, zh: bool) -> list[str]:
    """Each clock's distance from T2 over all incidents: how many have it, the middle, the 99th of 100, the longest; clock seconds."""
    lines = [
        f"{len(facts.incidents)} 个事件，距 T2（中位 / 99% / 最长）"
        if zh
        else f"{len(facts.incidents)} incidents, from T2 (p50 / p99 / longest)"
    ]
    for clock in CLOCKS:
        known = [(at - received) / 1000 for i in facts.incidents if (at := i.clocks.get(clock)) and (received := i.clocks["T2"])]
        found = figure(known)
        shown = "—" if found is None else f"{found.p50:+.3f} / {found.p99:+.3f} / {found.longest:+.3f} s"
        lines.append(f"   {clock:<4}{padded(_CLOCK_NAMES[clock][not zh], 24)}{len(known):>6}  {shown}")
    return lines


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
        lines.append(f"   {clock:<4}{padded(_CLOCK_NAMES[clock][not zh], 24)}{shown:>12}")
    return lines
