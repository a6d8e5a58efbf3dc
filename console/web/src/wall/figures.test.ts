// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { agesOf, FIGURES_OLD_MS, figuresOf, promisesOf, stepsOf } from "./figures";
import messages from "./messages";
import { incident, overview, T0 } from "./stage";

const named = <T extends { name: string }>(list: readonly T[], name: string): T => {
  const found = list.find((one) => one.name === name);
  if (!found) throw new Error(`no ${name}`);
  return found;
};

describe("the figures of the wall", () => {
  it("are not known before anybody counted, and never nought", () => {
    for (const figure of figuresOf(null)) expect(figure.value).toBeNull();
    for (const age of agesOf(null, T0, false, null)) expect([age.value, age.mark]).toEqual([null, "?"]);
    for (const { step, count } of stepsOf(null, [], false)) expect([step, count]).toEqual([step, null]);
    for (const promise of promisesOf(null)) expect(promise.mark).toBe("?");
  });

  it("are not known where an older console does not count them", () => {
    expect(named(figuresOf(overview({ valves_closed_by_hold: undefined })), "held").value).toBeNull();
    expect(named(agesOf(overview({ oldest_unhandled_ms: undefined }), T0, false, null), "unhandled").mark).toBe("?");
  });

  it("mark homes that cannot be watched as they should be", () => {
    const figures = figuresOf(overview({ blind: 3, silent: 0, powerless: 2 }));
    expect(named(figures, "blind")).toMatchObject({ value: 3, tone: "waits", mark: "▲" });
    expect(named(figures, "silent")).toMatchObject({ value: 0, tone: "plain", mark: "" });
    expect(named(figures, "powerless").mark).toBe("▲");
  });

  it("tell free crews beside busy ones, and cry when orders wait and nobody is free", () => {
    expect(named(figuresOf(overview({ crews_free: 9, crews_busy: 3 })), "crews")).toMatchObject({ value: 9, beside: 3, tone: "plain" });
    expect(named(figuresOf(overview({ crews_free: 0, crews_busy: 12, orders_waiting: 1 })), "crews")).toMatchObject({ tone: "bad", mark: "✕" });
    expect(named(figuresOf(overview({ crews_free: 0, crews_busy: 12 })), "crews").tone).toBe("plain");
  });

  it("take the console's count of steps, else count the roll once it is whole", () => {
    const order = { order_no: "QX-1", state: "on_site", words: { zh: "已到场", en: "on site" }, crew_id: "C1", technician_id: null };
    const roll = [incident({ received_ms: T0 - 1 }), incident({ order, received_ms: T0 - 1 })];
    const told = stepsOf(overview({ incidents_by_step: { closing: 7 } }), roll, true);
    expect(told.map(({ count }) => count)).toEqual([7, 0, 0, 0, 0, 0, 0]);
    const newer = stepsOf(overview({ incidents_by_step: { closing: 7 } }), [...roll, incident({ received_ms: T0 + 1 })], true);
    expect(newer.map(({ count }) => count)).toEqual([8, 0, 0, 0, 0, 0, 0]);
    const counted = stepsOf(overview({ incidents_by_step: undefined }), roll, true);
    expect(counted.reduce((sum, { count }) => sum + (count ?? 0), 0)).toBe(2);
    expect(counted.find(({ step }) => step === "on_site")?.count).toBe(1);
    const unknown = stepsOf(overview({ incidents_by_step: undefined }), roll, false);
    expect(unknown.every(({ count }) => count === null)).toBe(true);
  });

  it("count as without a crew what waits for one and what nobody has planned, and lose nothing", () => {
    const told = stepsOf(overview({ incidents_by_step: { crew_wanted: 25, unplanned: 2, crew_under_way: 3 } }), [incident({ valve: "none", received_ms: T0 + 1 })], true);
    expect(told.map(({ step, count }) => [step, count])).toEqual([["closing", 0], ["crew_wanted", 28], ["crew_under_way", 3], ["on_site", 0], ["made_safe", 0], ["tested", 0], ["restored", 0]]);
    const counted = stepsOf(overview({ incidents_by_step: undefined }), [incident({ kind: "unknown_sender", valve: "none" }), incident({ valve: "reported_closed" })], true);
    expect(counted.filter(({ count }) => count !== 0)).toEqual([{ step: "crew_wanted", count: 2 }]);
    for (const { step } of told) for (const language of ["zh", "en"] as const) expect((messages[language].steps as Record<string, string>)[step], step).toBeTruthy();
  });
});

describe("ages", () => {
  it("grow by the server's clock", () => {
    const ages = agesOf(overview({ canary_age_s: 30, at_ms: T0 }), T0 + 4_000, false, null);
    expect(named(ages, "data")).toMatchObject({ value: 4_000, tone: "good" });
    expect(named(ages, "canary")).toMatchObject({ value: 34_000, tone: "good" });
  });

  it("are bad when data is old or stale, and when the self-check is late", () => {
    expect(named(agesOf(overview(), T0 + FIGURES_OLD_MS + 1, false, null), "data").tone).toBe("bad");
    expect(named(agesOf(overview(), T0, true, null), "data").tone).toBe("bad");
    expect(named(agesOf(overview({ canary_age_s: 200 }), T0, false, null), "canary").tone).toBe("bad");
    expect(named(agesOf(overview({ canary_age_s: null }), T0, false, null), "canary").mark).toBe("?");
  });

  it("wait for the first self-check without praise or alarm, until it is late", () => {
    const first = (seconds: number) => named(agesOf(overview({ canary_age_s: seconds, canary_passed: false }), T0, false, null), "canary");
    expect(first(20)).toMatchObject({ value: null, tone: "plain", mark: "…" });
    expect(first(200)).toMatchObject({ value: null, tone: "bad", mark: "✕" });
  });

  it("are those of the stream where it is silent for longer than the figures are old", () => {
    expect(named(agesOf(overview(), T0 + 2_000, true, T0 - 5_000), "data").value).toBe(7_000);
    expect(named(agesOf(overview(), T0 + 2_000, true, T0 + 1_000), "data").value).toBe(2_000);
  });

  it("say how long the oldest alarm is unhandled, and that there is none", () => {
    expect(named(agesOf(overview({ oldest_unhandled_ms: null }), T0, false, null), "unhandled")).toMatchObject({ value: null, mark: "✓" });
    expect(named(agesOf(overview({ oldest_unhandled_ms: T0 }), T0 + 42_000, false, null), "unhandled")).toMatchObject({ value: 42_000, tone: "waits", mark: "▲" });
    expect(named(agesOf(overview({ oldest_unhandled_ms: T0 }), T0 + 91_000, false, null), "unhandled")).toMatchObject({ tone: "bad", mark: "✕" });
  });
});

describe("today's promises", () => {
  it("are kept, broken, or not yet given", () => {
    const kept = promisesOf({
      day: "2026-04-02", leaks: 3, close_sent_1s: { kept: 3, of: 3, worst_ms: 310 }, called_1s: { kept: 2, of: 3, worst_ms: 1900 }, ordered_1s: { kept: 0, of: 0 },
    });
    expect(kept.map(({ mark }) => mark)).toEqual(["✓", "✕", "–", "?"]);
  });
});
