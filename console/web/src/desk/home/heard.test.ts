import { describe, expect, it } from "vitest";
import { clockError, hearing, highest, used } from "./heard";

describe("what was heard of a device", () => {
  it("is never, fresh, or silent after three of its own intervals", () => {
    expect(hearing(null, 0)).toBe("never");
    expect(hearing({ heard_ms: 0, report_interval_s: 60 }, 180_000)).toBe("fresh");
    expect(hearing({ heard_ms: 0, report_interval_s: 60 }, 180_001)).toBe("silent");
    expect(hearing({ heard_ms: 0 }, 2_700_000)).toBe("fresh");
    expect(hearing({ heard_ms: 0, report_interval_s: null }, 2_700_001)).toBe("silent");
  });

  it("tells how far its clock is off, and which way", () => {
    expect(clockError({ heard_ms: 0 })).toBeNull();
    expect(clockError({ heard_ms: 0, clock_offset_ms: 300 })?.kind).toBe("right");
    expect(clockError({ heard_ms: 0, clock_offset_ms: 60_000 })).toEqual({ kind: "behind", by_ms: 60_000 });
    expect(clockError({ heard_ms: 0, clock_offset_ms: -60_000 })).toEqual({ kind: "ahead", by_ms: 60_000 });
  });
});

describe("what was used", () => {
  const at = (volume_m3: number | null, device_id = "M1") => ({ device_id, volume_m3 });

  it("is the difference of the index", () => {
    expect(used([at(10), at(null), at(10.25)])).toBeCloseTo(0.25);
    expect(used([at(10), at(10)])).toBe(0);
  });

  it("is not known over an exchanged meter, an index that ran back, or a single reading", () => {
    expect(used([at(10), at(11, "M2")])).toBeNull();
    expect(used([at(10), at(9)])).toBeNull();
    expect(used([at(10)])).toBeNull();
    expect(used([])).toBeNull();
  });

  it("knows the highest of what was told", () => {
    expect(highest([null, 3, 12.5, null])).toBe(12.5);
    expect(highest([null])).toBeNull();
  });
});
