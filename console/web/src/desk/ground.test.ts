import { describe, expect, it } from "vitest";
import { barOf, groundOf, metresBetween, pathOf, positionOf } from "./ground";

const HOME = [112.94, 28.2] as const;
const CREW = [112.97, 28.21] as const;

describe("home and crew on the ground", () => {
  it("are both inside of the picture, the northern one above", () => {
    const ground = groundOf([HOME, CREW], 400, 240);
    const [home, crew] = [ground?.at(HOME) ?? [0, 0], ground?.at(CREW) ?? [0, 0]];
    for (const [x, y] of [home, crew]) expect(x > 0 && x < 400 && y > 0 && y < 240).toBe(true);
    expect(crew[1]).toBeLessThan(home[1]);
    expect(crew[0]).toBeGreaterThan(home[0]);
  });

  it("a home alone is shown with its neighbourhood, not with a pixel", () => {
    expect(groundOf([HOME], 400, 240)?.scale).toBe(3);
    expect(groundOf([], 400, 240)).toBeNull();
  });

  it("is as far as it is", () => {
    expect(metresBetween(HOME, CREW)).toBeGreaterThan(3_100);
    expect(metresBetween(HOME, CREW)).toBeLessThan(3_200);
  });

  it("a position in the other datum is moved, one without a datum is not drawn", () => {
    const there = positionOf({ lon: 112.94, lat: 28.2, coord_datum: "GCJ-02" });
    const moved = metresBetween(HOME, there ?? HOME);
    expect(moved > 300 && moved < 900).toBe(true);
    expect(positionOf({ lon: 112.94, lat: 28.2, coord_datum: null })).toBeNull();
  });

  it("outlines of one and of many parts are lines of the same picture", () => {
    const ground = groundOf([HOME], 400, 240);
    const square = [[112.93, 28.19], [112.95, 28.19], [112.95, 28.21], [112.93, 28.19]];
    const outline = { features: [{ geometry: { type: "Polygon", coordinates: [square] } }, { geometry: { type: "MultiPolygon", coordinates: [[square], [square]] } }] };
    expect(ground && pathOf(outline, ground).match(/M/g)?.length).toBe(3);
  });

  it("the scale's bar is a round length", () => {
    const ground = groundOf([HOME, CREW], 400, 240);
    expect(ground && barOf(ground)).toBe(1_000);
  });
});
