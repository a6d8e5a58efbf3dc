// @vitest-environment happy-dom
// A detector whose clock is hours wrong: what the desk counts from, and what it says of it.
import { afterEach, describe, expect, it, vi } from "vitest";
import { setLanguage } from "@/shared/i18n";
import Clocks from "./Clocks.vue";
import Moment from "./Moment.vue";
import Row from "./Row.vue";
import { NOW, stage, strike, until } from "./more/stage";

const drawn = vi.hoisted(() => [] as { methane: [number, number][]; flow: [number, number][]; moments: { name: string }[]; fromMs: number; toMs: number }[]);
vi.mock("./chart", () => ({
  chartOn: () => ({ setOption: () => undefined, resize: () => undefined, dispose: () => undefined }),
  options: (drawing: (typeof drawn)[number]) => (drawn.push(drawing), {}),
}));

afterEach(strike);

const HOUR = 3_600_000;
const T2 = NOW - 60_000;
const both = (zh: string, en = zh) => ({ zh, en });
const incident = (T0: number) => ({
  incident_id: "i1", kind: "leak", kind_words: both("燃气泄漏", "gas leak"), state: "open", home_id: "H1", address_zh: "松岚小区 201", address_en: "Songlan 201", simulated: true,
  received_ms: T2, closed_ms: null, ch4_lel: 12, alarm_lel: 10, clocks: { T0, T2, T3: T2 + 30, T4: T2 + 400 }, acknowledged: null, close_sent_ms: T2 + 30,
  valve: "none", valve_words: both(""), proof: "none", clearing: "unknown", before_meter_ms: null, answer_due_ms: null, call: null, order: null,
});
const text = (clock: string): string => document.querySelector(`[data-clock="${clock}"]`)?.textContent ?? "";

describe("a detector whose clock is three hours ahead", () => {
  it("does not stop the age of its leak", async () => {
    const on = await stage(Row, { incident: incident(T2 + 3 * HOUR), selected: false }, {});
    expect(on.find(".age b").textContent).toBe("1 分 00 秒");
  });

  it("is said beside the clocks, which count from what the platform knows", async () => {
    const on = await stage(Clocks, { incident: incident(T2 + 3 * HOUR) }, {});
    expect(text("T4")).toContain("+0.40 s");
    expect(text("T0")).toContain("?");
    expect(on.says("−")).toBe(false);
    expect(on.says("探测器时钟快 3 小时 00 分，T0 不可信")).toBe(true);
    setLanguage("en");
    await until(() => expect(on.says("The detector's clock is 3 h 00 min ahead")).toBe(true));
  });

  it("has a curve, moved back to the platform's time, beside the meter's own", async () => {
    const readings = ({ query }: { query: Record<string, string> }) => {
      const within = (each: { ts_ms: number }) => each.ts_ms >= Number(query.from_ms) && each.ts_ms < Number(query.to_ms);
      return {
        detector: [{ ts_ms: T2 + 3 * HOUR, ch4_lel: 12 }, { ts_ms: T2 + 3 * HOUR + 10_000, ch4_lel: 14 }].filter(within),
        meter: [{ ts_ms: T2 + 5_000, flow_m3h: 0.4 }].filter(within),
      };
    };
    const on = await stage(Moment, { incident: incident(T2 + 3 * HOUR) }, { "GET /homes/H1/readings": readings });
    await until(() => expect(drawn.at(-1)?.methane).toEqual([[T2, 12], [T2 + 10_000, 14]]));
    const last = drawn.at(-1);
    expect(last?.flow).toEqual([[T2 + 5_000, 0.4]]);
    expect(last?.moments.map((each) => each.name)).toEqual(["T4"]);
    expect((last?.fromMs ?? 0) <= T2 && T2 < (last?.toMs ?? 0)).toBe(true);
    await until(() => expect(on.says("曲线已按平台时间校正")).toBe(true));
  });
});

describe("a detector whose clock may be true", () => {
  it("is counted from, and nothing is said", async () => {
    await stage(Row, { incident: incident(T2 - 5_000), selected: false }, {});
    expect(document.querySelector(".age b")?.textContent).toBe("1 分 05 秒");
    await stage(Clocks, { incident: incident(T2 - 5_000) }, {});
    expect(text("T4")).toContain("+5.40 s");
    expect(text("T0")).toContain("✓");
    expect(document.querySelector(".waits")).toBeNull();
  });

  it("is asked for its readings once", async () => {
    const on = await stage(Moment, { incident: incident(T2 - 5_000) }, { "GET /homes/H1/readings": { detector: [{ ts_ms: T2 - 5_000, ch4_lel: 12 }], meter: [] } });
    await until(() => expect(drawn.at(-1)?.methane).toEqual([[T2 - 5_000, 12]]));
    expect(on.to("GET /homes/H1/readings")).toHaveLength(1);
    expect(drawn.at(-1)?.moments.map((each) => each.name)).toEqual(["T0", "T4"]);
  });
});

it("an alarm that was delivered days late is said to be so, and its clocks count from its receipt", async () => {
  const on = await stage(Clocks, { incident: incident(T2 - 72 * HOUR) }, {});
  expect(text("T4")).toContain("+0.40 s");
  expect(on.says("报警时间比平台收到早 3 天 0 小时（报文迟到，或探测器时钟慢）")).toBe(true);
});
