import { describe, expect, it } from "vitest";
import { fitted, lines, stampLines } from "./picture";

describe("a photo as it is kept", () => {
  it.each([
    [4000, 3000, 1600, 1200],
    [3000, 4000, 1200, 1600],
    [800, 600, 800, 600],
    [8000, 2, 1600, 1],
  ])("%i × %i becomes %i × %i", (width, height, w, h) => expect(fitted(width, height)).toEqual({ width: w, height: h }));

  it("says which order, when and where, with the datum", () => {
    const stamped = { orderNo: "QX-260402-0017", time: "2026-04-02 17:03:05", address: "云栖花园 3栋", place: { lon: 112.938812, lat: 28.2282, datum: "WGS-84" as const }, noPlace: "无位置" };
    expect(stampLines(stamped)).toEqual(["QX-260402-0017  2026-04-02 17:03:05", "云栖花园 3栋", "28.228200, 112.938812 WGS-84"]);
    expect(stampLines({ ...stamped, place: null })[2]).toBe("无位置");
  });

  it("breaks a long address, also in Chinese", () => {
    expect(lines("岳麓区云栖花园三栋", 4, (text) => text.length)).toEqual(["岳麓区云", "栖花园三", "栋"]);
    expect(lines("", 4, (text) => text.length)).toEqual([]);
  });
});
