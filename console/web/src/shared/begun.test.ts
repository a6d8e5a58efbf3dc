import { describe, expect, it } from "vitest";
import { begunMs, offMs } from "./begun";

const T2 = 1_775_120_400_000;
const HOUR = 3_600_000;
const at = (T0: number | null) => ({ received_ms: T2, clocks: { T0 } });

describe("when an incident began", () => {
  it("is the detector's own time where that can be true", () => {
    for (const ms of [T2 - 200, T2, T2 - 23 * HOUR]) expect([begunMs(at(ms)), offMs(at(ms))]).toEqual([ms, 0]);
    expect([begunMs(at(null)), offMs(at(null))]).toEqual([T2, 0]);
  });

  it("is when the platform heard of it where the detector's clock cannot be true, and says how far that is off", () => {
    expect([begunMs(at(T2 + 3 * HOUR)), offMs(at(T2 + 3 * HOUR))]).toEqual([T2, 3 * HOUR]);
    expect([begunMs(at(T2 - 24 * HOUR)), offMs(at(T2 - 24 * HOUR))]).toEqual([T2, -24 * HOUR]);
    expect(begunMs(at(0))).toBe(T2);
  });

  it("makes no word of a second", () => {
    expect([begunMs(at(T2 + 1_000)), offMs(at(T2 + 1_000))]).toEqual([T2, 0]);
  });
});
