// The drawing of %LEL and flow around the moment: two strips on one axis of time. Pure: readings in, the chart's options out.
// Kept apart so that the chart library is loaded only where a chart is seen.

import { init, use, type ECharts } from "echarts/core";
import { LineChart } from "echarts/charts";
import { AxisPointerComponent, GridComponent, MarkLineComponent, TitleComponent, TooltipComponent } from "echarts/components";
import { CanvasRenderer } from "echarts/renderers";
import { timeOf } from "@/shared/format";

use([LineChart, AxisPointerComponent, GridComponent, MarkLineComponent, TitleComponent, TooltipComponent, CanvasRenderer]);

export interface Drawn {
  methane: [number, number | null][];
  flow: [number, number | null][];
  setPoint: number | null;
  moments: { ms: number; name: string }[];
  fromMs: number;
  toMs: number;
  words: { methane: string; flow: string; setPoint: string };
}

const SOFT = "#b4c3d1";
const LINE = "#33465a";

export function options(drawn: Drawn): Record<string, unknown> {
  const short = drawn.toMs - drawn.fromMs < 12 * 60_000;
  const axis = (gridIndex: number) => ({
    type: "time", gridIndex, min: drawn.fromMs, max: drawn.toMs, axisLine: { lineStyle: { color: LINE } }, splitLine: { show: false },
    axisLabel: { show: gridIndex === 1, color: SOFT, formatter: (ms: number) => (short ? timeOf(ms) : timeOf(ms).slice(0, 5)), hideOverlap: true },
  });
  const value = (gridIndex: number) => ({ type: "value", gridIndex, min: 0, splitNumber: 3, axisLabel: { color: SOFT }, splitLine: { lineStyle: { color: LINE } } });
  const moments = drawn.moments.map((moment, index) => ({
    xAxis: moment.ms, name: moment.name, lineStyle: { color: SOFT, type: "dotted" },
    // A name near the right edge is written to the left of its line, two that are close stand above each other.
    label: {
      formatter: moment.name, color: "#f2f6fa", position: "end", distance: 2 + (index % 2) * 12,
      align: moment.ms > drawn.fromMs + 0.85 * (drawn.toMs - drawn.fromMs) ? "right" : "center",
    },
  }));
  const limit = drawn.setPoint === null ? [] : [{ yAxis: drawn.setPoint, lineStyle: { color: "#ff8a80", type: "dashed" }, label: { formatter: `${drawn.words.setPoint} ${drawn.setPoint}`, color: "#ff8a80", position: "insideStartTop" } }];
  const line = (index: number, name: string, data: [number, number | null][], color: string, step: false | "end", marks: object[]) => ({
    type: "line", name, xAxisIndex: index, yAxisIndex: index, data, step, showSymbol: data.length < 60, symbolSize: 5, lineStyle: { color, width: 2 }, itemStyle: { color },
    markLine: { silent: true, symbol: "none", animation: false, data: marks },
  });
  return {
    animation: false,
    backgroundColor: "transparent",
    textStyle: { fontFamily: "inherit" },
    title: [
      { text: drawn.words.methane, left: 4, top: 0, textStyle: { color: SOFT, fontSize: 13, fontWeight: "normal" } },
      { text: drawn.words.flow, left: 4, top: "62%", textStyle: { color: SOFT, fontSize: 13, fontWeight: "normal" } },
    ],
    grid: [{ left: 48, right: 16, top: 40, height: "42%" }, { left: 48, right: 16, top: "72%", bottom: 24 }],
    axisPointer: { link: [{ xAxisIndex: "all" }] },
    tooltip: { trigger: "axis", renderMode: "richText", backgroundColor: "#1b2735", borderColor: LINE, textStyle: { color: "#f2f6fa" } },
    xAxis: [axis(0), axis(1)],
    yAxis: [value(0), value(1)],
    series: [line(0, drawn.words.methane, drawn.methane, "#ffc247", false, [...moments, ...limit]), line(1, drawn.words.flow, drawn.flow, "#8cc4ff", "end", [])],
  };
}

export function chartOn(element: HTMLElement): ECharts {
  return init(element, null, { renderer: "canvas" });
}
