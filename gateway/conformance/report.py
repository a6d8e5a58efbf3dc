"""The findings in words: one line a point, one language at a time, and all of it as JSON."""

import json
from dataclasses import dataclass, field
from typing import Final, Literal

from gateway.conformance.bench import Bench
from gateway.conformance.judge import field_lines
from gateway.conformance.points import Finding

Language = Literal["zh", "en"]

_WORDS: Final[dict[str, dict[Language, str]]] = {
    "held": {"zh": "符合", "en": "held"},
    "broken": {"zh": "不符", "en": "BROKEN"},
    "not_seen": {"zh": "未见", "en": "not seen"},
}
_MARKS: Final = {"held": "✓", "broken": "✗", "not_seen": "·"}


@dataclass(frozen=True, slots=True)
class Report:
    """What was found about one device. ``fields`` maps a topic to (field, verdict, evidence)."""

    account: str
    device: str
    kind: str | None
    came: bool
    findings: tuple[Finding, ...]
    fields: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)

    @property
    def broken(self) -> list[str]:
        """Names of the points that are broken."""
        return [finding.point.name for finding in self.findings if finding.verdict == "broken"]

    @property
    def held(self) -> list[str]:
        """Names of the points that are held."""
        return [finding.point.name for finding in self.findings if finding.verdict == "held"]

    @property
    def ok(self) -> bool:
        """The device came, and nothing is broken."""
        return self.came and not self.broken

    def render(self, language: Language) -> str:
        """For people."""
        zh = language == "zh"
        kind = {"meter": "燃气表", "detector": "探测器"}.get(self.kind or "", "设备") if zh else self.kind or "device"
        lines = [f"{self.device}（{kind}，账号 {self.account}）" if zh else f"{self.device} ({kind}, account {self.account})", ""]
        if not self.came:
            lines.append("设备没有连接，也没有发来任何消息" if zh else "the device did not connect and sent nothing")
            return "\n".join(lines)
        for finding in self.findings:
            evidence = "；".join(finding.zh) if zh else "; ".join(finding.en)
            text = finding.point.zh if zh else finding.point.en
            verdict = _WORDS[finding.verdict][language]
            lines.append(f"{_MARKS[finding.verdict]} {verdict:<8} {text}" + (f"  [{evidence}]" if evidence else ""))
        for lane, found in self.fields.items():
            lines += ["", f"{lane}（* 必填）" if zh else f"{lane} (* required)"]
            for name, verdict, evidence in found:
                lines.append(f"  {_MARKS[verdict]} {name:<20} {evidence}")
        counts = {verdict: sum(each.verdict == verdict for each in self.findings) for verdict in _WORDS}
        told = (f"{_WORDS[verdict][language]} {count}" for verdict, count in counts.items())
        lines += ["", ("，" if zh else ", ").join(told)]
        return "\n".join(lines)

    def to_json(self) -> str:
        """For programs."""
        points = [
            {
                "point": finding.point.name,
                "verdict": finding.verdict,
                "zh": finding.point.zh,
                "en": finding.point.en,
                "evidence_zh": finding.zh,
                "evidence_en": finding.en,
            }
            for finding in self.findings
        ]
        fields = {
            lane: [{"field": name.rstrip("*"), "required": name.endswith("*"), "verdict": v, "evidence": e} for name, v, e in found]
            for lane, found in self.fields.items()
        }
        whole = {"account": self.account, "device": self.device, "kind": self.kind, "ok": self.ok, "points": points, "fields": fields}
        return json.dumps(whole, ensure_ascii=False, indent=2)


def report(bench: Bench, came: bool) -> Report:
    """What a bench found, for the kind of device that it was."""
    record = bench.record
    kinds = {"all", record.kind or "all"} | ({"hub"} if record.behind_hub else set())
    findings = tuple(finding for finding in bench.findings.values() if finding.point.of in kinds)
    fields = {f"up/{lane}": field_lines(record, lane) for lane in ("status", "telemetry", "alarm", "ack")}
    return Report(bench.account, bench.device, record.kind, came, findings, {lane: lines for lane, lines in fields.items() if lines})
