// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { bareBoundary, CITY, lookAt } from "./camera";
import { districtsByOutline, drawingOf, weakShare, WEAK_FROM, type Ground } from "./chart";
import { estate } from "./stage";
import type { District } from "./things";

const FRAME = { box: CITY, width: 900, height: 600 };

function ground(wanted: Partial<Ground> = {}): Ground {
  return {
    map: "outlines", outlined: true, frame: FRAME, camera: lookAt(FRAME, CITY), level: "city", size: 22, language: "zh", roam: true, stale: false,
    districts: new Map(), estates: [], buildings: [], buildingName: (name) => `${name}栋`, ...wanted,
  };
}

describe("the ground of the map", () => {
  it("has no tooltip: it would write markup with styles into the page", () => {
    expect(drawingOf(ground())).not.toHaveProperty("tooltip");
  });

  it("draws an estate whose homes cannot be watched in another shape", () => {
    expect(weakShare(estate({ homes: 100, blind: 9, silent: 4 }))).toBeLessThan(WEAK_FROM);
    expect(weakShare(estate({ homes: 100, blind: 10 }))).toBe(WEAK_FROM);
    expect(weakShare(estate({ homes: 0 }))).toBe(0);
    const drawing = drawingOf(ground({ estates: [{ thing: estate(), place: [113, 28] }, { thing: estate({ blind: 30 }), place: [113, 28.1] }] }));
    const { series } = drawing as { series: { id: string; symbol: string; data: unknown[] }[] };
    expect(series.filter(({ data }) => data.length).map(({ id, symbol }) => [id, symbol])).toEqual([["estates", "circle"], ["estates-weak", "triangle"]]);
  });

  it("finds the district of an outline by its code, and by its name", () => {
    const district: District = { district_code: "430102", name_zh: "芙蓉区", name_en: "Furong District", homes: 40 };
    const outlined = bareBoundary(CITY);
    const of = (properties: { name: string; adcode?: number; name_en?: string }) =>
      districtsByOutline({ ...outlined, features: outlined.features.map((feature) => ({ ...feature, properties })) }, [district]).get(properties.name);
    expect(of({ name: "芙蓉", adcode: 430102 })).toBe(district);
    expect(of({ name: "芙蓉区" })).toBe(district);
    expect(of({ name: "望城区", adcode: 430112, name_en: "Wangcheng" })).toMatchObject({ name_en: "Wangcheng", homes: 0 });
    expect(of({ name: "别处" })).toBeUndefined();
  });
});
