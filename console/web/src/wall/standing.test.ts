// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { CITY, lookAtPlace, NEAR_M, type Frame } from "./camera";
import { estate } from "./stage";
import { inView, keyOf, type Spot } from "./standing";
import type { Estate } from "./things";

const FRAME: Frame = { box: CITY, width: 900, height: 600 };

function spot(name: string, lon: number, lat: number): Spot<Estate> {
  return { thing: estate({ estate: name }), place: [lon, lat] };
}

describe("what stands in view", () => {
  const near = lookAtPlace(FRAME, [113, 28.2], NEAR_M.estate);

  it("is the nearest to the middle first, without what is far", () => {
    const found = inView([spot("beside", 113.003, 28.2), spot("middle", 113, 28.2), spot("far", 113.1, 28.2)], FRAME, near);
    expect(found.map(({ thing }) => thing.estate)).toEqual(["middle", "beside"]);
  });

  it("is a few estates, however many there are", () => {
    const many = Array.from({ length: 1280 }, (_, index) => spot(String(index), 113 + index * 1e-6, 28.2));
    expect(inView(many, FRAME, near)).toHaveLength(8);
  });

  it("tells two estates of one name apart by their community", () => {
    expect(keyOf(estate({ community: "识字里社区" }))).not.toBe(keyOf(estate({ community: "文艺路社区" })));
  });
});
