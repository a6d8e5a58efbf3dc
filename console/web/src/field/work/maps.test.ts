import { describe, expect, it } from "vitest";
import { mapLinks, onTheMap, wgs84ToGcj02 } from "./maps";

describe("the datum of the maps", () => {
  // The first is the worked example of the published conversion; the others are what the platform's own gives.
  it.each([
    [116.404, 39.915, 116.41024449916938, 39.91640428150164],
    [112.9388, 28.2282, 112.94424977544385, 28.224692417302222],
  ])("WGS-84 %f %f is drawn at %f %f", (lon, lat, x, y) => {
    const found = wgs84ToGcj02({ lon, lat });
    expect(found.lon).toBeCloseTo(x, 6);
    expect(found.lat).toBeCloseTo(y, 6);
  });

  it("moves a place in Changsha by about half a kilometre, and a GCJ-02 one not at all", () => {
    const spot = { lon: 112.9388, lat: 28.2282 };
    const there = onTheMap(spot, "WGS-84");
    const metres = Math.hypot((there.lon - spot.lon) * 98_000, (there.lat - spot.lat) * 111_000);
    expect(metres).toBeGreaterThan(300);
    expect(metres).toBeLessThan(800);
    expect(onTheMap(spot, "GCJ-02")).toEqual(spot);
  });
});

describe("links to the maps", () => {
  it("carry the converted place and the address, and name the datum", () => {
    const [amap, baidu, apple] = mapLinks("岳麓区 云栖花园 3栋", { lon: 116.404, lat: 39.915 }, "WGS-84").map((link) => decodeURIComponent(link.href));
    expect(amap).toContain("to=116.410244,39.916404,岳麓区 云栖花园 3栋");
    expect(amap).toContain("coordinate=gaode");
    expect(baidu).toContain("location=39.916404,116.410244");
    expect(baidu).toContain("coord_type=gcj02");
    expect(apple).toContain("daddr=39.916404,116.410244");
  });

  it("search for the address where no place is known", () => {
    for (const link of mapLinks("云栖花园 3栋", null, null)) expect(decodeURIComponent(link.href)).toContain("云栖花园 3栋");
  });
});
