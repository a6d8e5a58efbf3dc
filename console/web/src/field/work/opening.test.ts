import { describe, expect, it } from "vitest";
import type { Live } from "./model";
import { barOf, watched, type Phase } from "./opening";

const words = { zh: "", en: "" };
const live = (changes: Partial<Live> = {}): Live => ({
  order_no: "QX-1", now_ms: 0, state: "tightness_passed", incident_open: true, alarm_lel: 10, last_leak_ms: 1, detectors: [], meter: null, valve: "reported_closed",
  valve_words: words, close_sent_ms: 1, answer_due_ms: null, proof: "holds", proof_words: words, proof_due_ms: null, holds_ms: 2, clearing: "clearing", clearing_words: words, before_meter: false,
  opened_ms: null, opening: null, against_opening: [], ...changes,
});

describe("asking for the valve to be opened", () => {
  it("needs a live stream, every step told, a stored test and nothing against it", () => {
    const order = { state: "tightness_passed", live: live() };
    expect(barOf(order, true, 0)).toBeNull();
    expect(barOf(order, false, 0)).toBe("no_live");
    expect(barOf(order, true, 1)).toBe("not_stored");
    expect(barOf({ ...order, state: "cause_recorded" }, true, 0)).toBe("against");
    expect(barOf({ ...order, live: live({ against_opening: [{ reason: "held", zh: "", en: "" }] }) }, true, 0)).toBe("against");
  });

  const sent: Phase = { kind: "sent", commandId: "c", expiresMs: 60_000 };
  const opening = { command_id: "c", state: "sent", issued_ms: 0, expires_ms: 60_000, done_ms: null, result: null, detail: null };

  it("is confirmed by the meter, or void after its time", () => {
    expect(watched(sent, live({ opening }), 30_000)).toEqual(sent);
    expect(watched(sent, live({ opening, valve: "opened", opened_ms: 20_000 }), 30_000)).toEqual({ kind: "opened" });
    expect(watched(sent, live({ opening }), 65_001)).toEqual({ kind: "expired" });
    expect(watched(sent, live({ opening: { ...opening, result: "expired" } }), 30_000)).toEqual({ kind: "expired" });
  });

  it("is followed where its answer was lost: it may have been sent", () => {
    const unknown: Phase = { kind: "unknown", untilMs: 70_000 };
    expect(watched(unknown, live(), 10_000)).toEqual(unknown);
    expect(watched(unknown, live({ opening }), 10_000)).toEqual(sent);
    expect(watched(unknown, live(), 70_001)).toEqual({ kind: "expired" });
  });
});
