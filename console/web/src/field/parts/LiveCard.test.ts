// @vitest-environment happy-dom
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { day, phone } from "../phone";
import { begin, dayOf, live, order, reception, show, silence, strike, WORKER } from "../stage";
import { trueNow } from "../time";
import type { Live } from "../work/model";
import DayView from "../views/DayView.vue";
import LiveCard from "./LiveCard.vue";
import PlaceCard from "./PlaceCard.vue";

const MIN = 60_000;
const marks = (): string[] => [...document.querySelectorAll(".big > span, .answers span")].map((mark) => mark.textContent?.trim() ?? "");
const said = (): string => document.body.textContent ?? "";
const at = (agoMs: number, changes: Partial<Live> = {}) => order(trueNow() - agoMs, { live: live(trueNow() - agoMs, changes) });

beforeAll(async () => void (await begin([order(Date.now())])));
beforeEach(() => {
  reception(Date.now());
  phone.worker = WORKER;
});
afterEach(() => {
  strike();
  silence();
});

describe("what is known of the place", () => {
  it("is vouched for while it is heard", async () => {
    await show(LiveCard, { order: at(0) });
    expect(marks()).toEqual(["✓", "✓", "✓", "✓", "✓"]);
    expect(said()).not.toContain("最后所知");
  });

  it("is vouched for by nothing without reception: valve and all answers too", async () => {
    silence();
    await show(LiveCard, { order: at(0) });
    expect(marks()).toEqual(["?", "?", "?", "?", "?"]);
    expect(document.querySelectorAll(".answers .good")).toHaveLength(0);
    expect(said()).toContain("以上为最后所知，不能当作现状");
  });

  it("is as old as the device that said it", async () => {
    const heard = at(0);
    const meter = { ...heard.live.meter, heard_ms: trueNow() - 6 * MIN } as Live["meter"];
    await show(LiveCard, { order: { ...heard, live: { ...heard.live, meter } } });
    expect(marks()).toEqual(["✓", "?", "?", "?", "✓"]);
  });

  it("is not vouched for by a blind detector, however low it reads, and is bad where that reads high", async () => {
    const heard = at(0);
    const [detector] = heard.live.detectors as [Live["detectors"][number]];
    for (const [ch4_lel, mark] of [[0, "?"], [40, "▲"]] as const) {
      await show(LiveCard, { order: { ...heard, live: { ...heard.live, detectors: [{ ...detector, ch4_lel, state: "fault" }] } } });
      expect(marks()[0]).toBe(mark);
      expect(said()).toContain("探测器失效");
      strike();
    }
  });

  it("stays bad where it was bad", async () => {
    silence();
    await show(LiveCard, { order: at(0, { valve: "gas_still_flows", proof: "flows", clearing: "not_clearing" }) });
    expect(marks().slice(1)).toEqual(["✕", "✕", "✕", "✕"]);
  });
});

describe("of a valve that was opened at the meter", () => {
  const holds = async (changes: Partial<Live>): Promise<(string | undefined)[]> => {
    await show(LiveCard, { order: at(0, { valve: "opened", opened_ms: trueNow() - MIN, proof: "none", proof_words: { zh: "尚无切断报告", en: "not reported closed yet" }, ...changes }) });
    const line = document.querySelectorAll(".answers li")[1];
    return [line?.className, line?.textContent ?? undefined];
  };

  it("no report of the close is waited for: it says whether it was seen to hold before", async () => {
    expect(await holds({})).toEqual(["good", "✓关严: 打开前已证明关严"]);
    expect(await holds({ holds_ms: null })).toEqual(["plain", "–关严: 打开前未能从表底数证明关严"]);
    // As the phone kept it before it was told when.
    expect(await holds({ holds_ms: undefined as never })).toEqual(["plain", "–关严: 打开前未能从表底数证明关严"]);
  });

  it("a close that is yet to be reported is waited for", async () => {
    expect(await holds({ valve: "accepted" })).toEqual(["waits", "…关严: 尚无切断报告"]);
  });
});

describe("the methane in the list of orders", () => {
  const gas = (): string => document.querySelector(".gas")?.textContent ?? "";

  it("has its age, and no mark while it is fresh", async () => {
    day.value = dayOf([at(2.5 * MIN)], trueNow());
    await show(DayView);
    expect(gas()).toMatch(/^9 %LEL · 2 分钟前上报$/);
  });

  it("is marked when it is old, and without reception", async () => {
    day.value = dayOf([at(6.5 * MIN)], trueNow());
    await show(DayView);
    expect(gas()).toMatch(/^\?9 %LEL · 6 分钟前上报/);
    silence();
    day.value = dayOf([at(2.5 * MIN)], trueNow());
    await show(DayView);
    expect(gas()).toMatch(/^\?9 %LEL · 2 分钟前上报/);
  });
});

it("names every contact in words", async () => {
  // The roles of the registry's model.
  const roles = ["resident", "owner", "family", "neighbour", "property", "grid_officer"];
  const contacts = roles.map((role, position) => ({ position, role, name: `人${position}`, phone: "13800000000" }));
  await show(PlaceCard, { order: { ...at(0), contacts } });
  expect(said()).toContain("网格员");
  for (const role of roles) expect(said()).not.toContain(role);
});
