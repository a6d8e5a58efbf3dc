"""The page of the loop benchmark: rows in, text out, in one language. Decides how times are summed up; measures nothing."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from unicodedata import east_asian_width

from benchmarks.line_figures import Histogram
from deploy.terminal import Language


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds. What never arrived counts as infinite."""

    p50: float
    p99: float
    max: float

    @classmethod
    def of(cls, seconds: Sequence[float], lost: int = 0) -> Self:
        """Of measured times; all not-a-number without any."""
        ordered = sorted(seconds) + [math.inf] * lost
        if not ordered:
            return cls(math.nan, math.nan, math.nan)
        ranks = (len(ordered) // 2, math.ceil(len(ordered) * 0.99) - 1, len(ordered) - 1)
        return cls(*(ordered[rank] * 1e3 for rank in ranks))

    def __str__(self) -> str:
        return f"{self:.2f}"

    def __format__(self, spec: str) -> str:
        """The three figures, each so."""
        return " / ".join(format(figure, spec) for figure in (self.p50, self.p99, self.max))


@dataclass(frozen=True, slots=True)
class Bounds:
    """Milliseconds of a histogram: its mean, and the bounds of the buckets that hold p50 and p99."""

    mean: float
    p50: float
    p99: float

    @classmethod
    def of(cls, found: Histogram) -> Self:
        """Of a histogram in seconds."""
        return cls(found.mean * 1e3, found.at_most(0.5) * 1e3, found.at_most(0.99) * 1e3)

    def __str__(self) -> str:
        return f"{self.mean:.2f} (<= {self.p50:g} / {self.p99:g})"


@dataclass(frozen=True, slots=True)
class Row:
    """One condition."""

    rate: float
    leaks: int
    lost: int
    close: Spread
    hop: Spread
    promise: Spread
    decision: Bounds
    durable: Bounds
    incidents: int
    stored_per_s: float
    readings_late_ms: float
    dropped: int
    line_core_percent: float
    machine_busy_percent: float

    @property
    def ratio(self) -> tuple[float, float]:
        """Leak to close in hops of the broker, p50 and p99."""
        return self.close.p50 / self.hop.p50, self.close.p99 / self.hop.p99


_EN = (
    "A whole platform (gas-sentinel up: broker, database, line, voice, dispatch, API) with simulated homes.",
    "Every {spacing:g} ms one more home leaks (QoS 1) and opens an incident; its meter answers accepted, and done 1 s later.",
    "The readings are those of {reporting} other homes, half of them QoS 1. The homes have no contacts: orders are made and",
    "crews sent as ever, nobody is rung. Hop: the same client, the same bytes, in turn with the leaks.",
)
_ZH = (
    "完整平台（gas-sentinel up：代理、数据库、接警线、语音、调度、接口），住户均为模拟。",
    "每 {spacing:g} 毫秒一户新住户泄漏（QoS 1），各开一个事件；其燃气表立即应答 accepted，1 秒后应答 done。",
    "读数来自另外 {reporting} 户，半数为 QoS 1。住户没有联系人：照常派单派人，不拨电话。",
    "单跳：同一客户端、同样字节，与泄漏交替发送。",
)
_MACHINE: dict[Language, str] = {
    "en": "{cores} cores, load average {load:.1f} before the start.",
    "zh": "{cores} 核，开始前负载 {load:.1f}。",
}
_FIGURES: dict[Language, tuple[str, ...]] = {
    "en": (
        "readings/s",
        "**leak -> close at the meter**, p50 / p99 / max ms",
        "broker's own hop, p50 / p99 / max ms",
        "**leak : hop**, p50 / p99",
        "line: leak read -> close on the socket, mean (p50 / p99) ms",
        "line: alarm in the database, mean (p50 / p99) ms",
        "leak -> down/ack at the detector, p50 / p99 / max ms",
        "leaks / incidents opened / closes not seen",
        "readings stored a second / dropped / sent late, ms",
        "line, % of a core / machine busy, % of all cores",
    ),
    "zh": (
        "读数/秒",
        "**泄漏→燃气表收到关阀** p50 / p99 / 最大 ms",
        "代理单跳 p50 / p99 / 最大 ms",
        "**泄漏:单跳** p50 / p99",
        "接警线：读到泄漏→关阀写出 平均 (p50 / p99) ms",
        "接警线：报警入库 平均 (p50 / p99) ms",
        "泄漏→探测器收到 down/ack p50 / p99 / 最大 ms",
        "泄漏 / 开启事件 / 未见关阀",
        "读数入库每秒 / 丢弃 / 最迟发送 ms",
        "接警线占单核 % / 整机占用 %",
    ),
}


def page(rows: Sequence[Row], language: Language, *, load_before: float, reporting_homes: int, spacing_ms: float) -> str:
    """What was done and what was found, the table as Markdown with a column for each row."""
    done = [text.format(spacing=spacing_ms, reporting=reporting_homes) for text in (_ZH if language == "zh" else _EN)]
    columns = [list(_FIGURES[language]), *(_column(row) for row in rows)]
    return "\n".join([machine(language, load_before), *done, "", table(columns)])


def machine(language: Language, load_before: float) -> str:
    """What it was measured on."""
    return _MACHINE[language].format(cores=os.cpu_count(), load=load_before)


def table(columns: Sequence[Sequence[str]]) -> str:
    """A table of these columns as Markdown, the first cell of each being its head."""
    widths = [max(map(_width, column)) for column in columns]
    lines = ["| " + " | ".join(map(_padded, line, widths)) + " |" for line in zip(*columns, strict=True)]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _column(row: Row) -> list[str]:
    return [
        f"{row.rate:,.0f}",
        str(row.close),
        str(row.hop),
        f"{row.ratio[0]:.1f} / {row.ratio[1]:.1f}",
        str(row.decision),
        str(row.durable),
        str(row.promise),
        f"{row.leaks} / {row.incidents} / {row.lost}",
        f"{row.stored_per_s:,.0f} / {row.dropped} / {row.readings_late_ms:.0f}",
        f"{row.line_core_percent:.0f} / {row.machine_busy_percent:.0f}",
    ]


def _width(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
