import { describe, expect, it } from "vitest";
import { doorOf, type DoorReading } from "./door";
import type { Live } from "./model";

const RULES = { safe_reading_lel: 10, tightness_minutes: 3, tightness_start_kpa: 2, tightness_drop_kpa: 0, gauge_resolution_kpa: 0.05 };
const live = (changes: Partial<Live> = {}): Live => ({
  order_no: "QX-1", now_ms: 0, state: "on_site", incident_open: true, alarm_lel: 10, last_leak_ms: 1000, detectors: [], meter: null, valve: "reported_closed",
  valve_words: { zh: "", en: "" }, close_sent_ms: 1, answer_due_ms: null, proof: "holds", proof_words: { zh: "", en: "" }, proof_due_ms: null, holds_ms: 2, clearing: "clearing",
  clearing_words: { zh: "", en: "" }, before_meter: false, opened_ms: null, opening: null, against_opening: [], ...changes,
});
const ME = "C1-A";
const at = (lel: number, atMs: number) => ({ lel, atMs, who: ME });

describe("the door", () => {
  it.each([
    [null, "no_reading", false],
    [at(2, 2000), "safe", true],
    [at(9.9, 2000), "safe", true],
    [at(10, 2000), "too_high", false],
    [at(9.96, 2000), "too_high", false],
    [at(2, 1000), "leak_since", false],
  ] as const)("after %o says %s", (reading, why, open) => {
    const gate = doorOf("on_site", reading, live(), RULES, 3000, ME);
    expect([gate.why, gate.open, gate.shown]).toEqual([why, open, true]);
  });

  it("closes again when gas leaks again, and is behind who made the place safe", () => {
    expect(doorOf("on_site", at(2, 2000), live({ last_leak_ms: 2500 }), RULES, 3000, ME).open).toBe(false);
    for (const state of ["made_safe", "cause_recorded", "tightness_passed", "restored"]) {
      expect(doorOf(state, null, live(), RULES, 3000, ME)).toMatchObject({ shown: false, open: true });
    }
    expect(doorOf("assigned", null, live(), RULES, 3000, ME)).toMatchObject({ shown: false, open: false });
  });

  it("is opened by nobody else's reading, and by none of half an hour ago", () => {
    expect(doorOf("on_site", at(2, 2000), live(), RULES, 3000, "C1-B")).toMatchObject({ why: "no_reading", open: false, reading: null });
    // Kept by an older page, which did not say whose it was.
    expect(doorOf("on_site", { lel: 2, atMs: 2000 } as DoorReading, live(), RULES, 3000, ME).open).toBe(false);
    expect(doorOf("on_site", at(2, 2000), live(), RULES, 2000 + 30 * 60_000, ME)).toMatchObject({ why: "safe", open: true });
    expect(doorOf("on_site", at(2, 2000), live(), RULES, 2001 + 30 * 60_000, ME)).toMatchObject({ why: "lapsed", open: false });
  });

  it("tells of gas that the detector inside shows now, not of what it said long ago", () => {
    const inside = (heard_ms: number) => live({ detectors: [{ device_id: "D1", ch4_lel: 18, state: "alarm", heard_ms }] });
    expect(doorOf("on_site", null, inside(1_000_000), RULES, 1_060_000, ME).insideLel).toBe(18);
    expect(doorOf("on_site", null, inside(1_000_000), RULES, 1_200_000, ME).insideLel).toBeNull();
  });
});
