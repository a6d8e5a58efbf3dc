import { describe, expect, it } from "vitest";
import { curve, type Point } from "./curve";

const regular = (count: number, from = 0): Point[] => Array.from({ length: count }, (_, index) => [from + index * 30_000, index]);

describe("a curve", () => {
  it("is whole where a device speaks rarely in quiet times and often in an alarm", () => {
    const points: Point[] = [[0, 0], [60_000, 0], [62_000, 9], [64_000, 10], [66_000, 10], [126_000, 0]];
    expect(curve(points, 180_000)).toEqual(points);
  });

  it("is drawn through readings that come in their time, whatever order they came in", () => {
    expect(curve([...regular(5)].reverse(), 90_000)).toEqual(regular(5));
  });

  it("breaks where nothing was heard for long", () => {
    const points = curve([...regular(5), ...regular(5, 3_600_000)], 90_000);
    expect(points).toHaveLength(11);
    expect(points[5]).toEqual([120_001, null]);
  });

  it("keeps what was heard without a value as a gap", () => {
    expect(curve([[0, 1], [30_000, null], [60_000, 2]], 90_000)).toEqual([[0, 1], [30_000, null], [60_000, 2]]);
    expect(curve([], 90_000)).toEqual([]);
  });
});
