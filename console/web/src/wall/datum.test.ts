import { describe, expect, it } from "vitest";
import { placed, wgs84ToGcj02 } from "./datum";

const METRES_PER_DEGREE = 111_320;

describe("the datum of a place", () => {
  it("leaves WGS-84 where it is", () => {
    expect(placed(112.98, 28.2, "WGS-84")).toEqual([112.98, 28.2]);
  });

  it("moves GCJ-02 back by its half kilometre, exact to a metre", () => {
    const there = wgs84ToGcj02(112.98, 28.2);
    const offM = Math.hypot((there[0] - 112.98) * METRES_PER_DEGREE * 0.88, (there[1] - 28.2) * METRES_PER_DEGREE);
    expect(offM).toBeGreaterThan(300);
    expect(offM).toBeLessThan(900);
    const back = placed(there[0], there[1], "GCJ-02");
    expect(back?.[0]).toBeCloseTo(112.98, 6);
    expect(back?.[1]).toBeCloseTo(28.2, 6);
  });

  it("agrees with the platform's own conversion", () => {
    const [lon, lat] = wgs84ToGcj02(112.9388, 28.2282);
    expect(lon).toBeCloseTo(112.94424977544385, 9);
    expect(lat).toBeCloseTo(28.224692417302222, 9);
  });

  it("draws nothing whose place or datum nobody wrote down", () => {
    expect(placed(null, 28, "WGS-84")).toBeNull();
    expect(placed(112, undefined, "WGS-84")).toBeNull();
    expect(placed(Number.NaN, 28, "WGS-84")).toBeNull();
    expect(placed(112.98, 28.2, null)).toBeNull();
    expect(placed(112.98, 28.2, "BD-09")).toBeNull();
  });
});
