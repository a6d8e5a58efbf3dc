// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { begunMs, capped, inOrder, LINES_MAX, waitedFor } from "./listed";
import { incident, T0 } from "./stage";

describe("the list beside the map", () => {
  it("is in the order of what matters, open incidents only", () => {
    const list = inOrder([
      incident({ incident_id: "quiet" }), incident({ incident_id: "flows", valve: "gas_still_flows" }), incident({ incident_id: "over", state: "closed" }),
    ], T0 + 1_000);
    expect(list.map((one) => one.incident_id)).toEqual(["flows", "quiet"]);
  });

  it("changes with time where a close is waited for", () => {
    const waits = incident({ incident_id: "waits", received_ms: T0 + 300 });
    const closed = incident({ incident_id: "closed", valve: "reported_closed" });
    const sleeps = incident({ incident_id: "sleeps", answer_due_ms: T0 + 900_000 });
    expect(inOrder([waits, sleeps], T0 + 1_000).map((one) => one.incident_id)).toEqual(["sleeps", "waits"]);
    expect(inOrder([waits, sleeps], T0 + 60_000).map((one) => one.incident_id)).toEqual(["waits", "sleeps"]);
    expect([waitedFor([waits, closed]), waitedFor([closed])]).toEqual([true, false]);
  });

  it("counts what has no room: shown and left over are all of them", () => {
    const list = Array.from({ length: 1000 }, (_, index) => index);
    for (const places of [1, 2, 5, 39, 100]) {
      const { shown, more } = capped(list, places);
      expect(shown.length + more).toBe(1000);
      expect(shown.length).toBeGreaterThanOrEqual(1);
      expect(shown.length).toBeLessThan(LINES_MAX);
    }
    expect(capped([1, 2, 3], 3)).toEqual({ shown: [1, 2, 3], more: 0 });
    expect(capped([1, 2, 3, 4], 3)).toEqual({ shown: [1, 2], more: 2 });
    expect(capped([], 0)).toEqual({ shown: [], more: 0 });
  });

  it("runs from the alarm, unless the detector's clock cannot be true", () => {
    expect(begunMs(incident())).toBe(T0);
    expect(begunMs(incident({ clocks: { T0: T0 + 5_000_000 } }))).toBe(T0 + 200);
    expect(begunMs(incident({ clocks: { T0: 1_000 } }))).toBe(T0 + 200);
  });
});
