import { describe, expect, it } from "vitest";
import { bareBoundary, boxOf, boxOfBoundary, CITY, levelOf, lookAt, lookAtPlace, metresPerPixel, moved, NEAR_M, pixelOf, scaleOf, ZOOM, type Frame } from "./camera";

const FRAME: Frame = { box: CITY, width: 900, height: 600 };
const SCREENS: Frame[] = [FRAME, { box: CITY, width: 2100, height: 1400 }, { box: CITY, width: 380, height: 416 }];

describe("where the map looks", () => {
  it("shows the whole box, centred, within the frame", () => {
    for (const frame of SCREENS) {
      const camera = lookAt(frame, CITY);
      const [left, top] = pixelOf(frame, camera, [CITY.west, CITY.north]);
      const [right, bottom] = pixelOf(frame, camera, [CITY.east, CITY.south]);
      expect(left).toBeGreaterThanOrEqual(0);
      expect(top).toBeGreaterThanOrEqual(0);
      expect(right).toBeLessThanOrEqual(frame.width);
      expect(bottom).toBeLessThanOrEqual(frame.height);
      expect((left + right) / 2).toBeCloseTo(frame.width / 2);
      expect((top + bottom) / 2).toBeCloseTo(frame.height / 2);
    }
  });

  it("draws a kilometre as long to the east as to the north", () => {
    const { perLon, perLat } = scaleOf(FRAME);
    expect(perLon / perLat).toBeCloseTo(0.8813, 6);
  });

  it("comes to buildings at an estate, whatever the screen", () => {
    for (const frame of SCREENS) {
      expect(levelOf(frame, lookAt(frame, CITY))).toBe("city");
      expect(levelOf(frame, lookAtPlace(frame, [113, 28.2], NEAR_M.estate))).toBe("estate");
      expect(levelOf(frame, lookAtPlace(frame, [113, 28.2], NEAR_M.building))).toBe("building");
    }
  });

  it("shows as many metres as were asked for", () => {
    const camera = lookAtPlace(FRAME, [113, 28.2], 900);
    expect(metresPerPixel(FRAME, camera) * FRAME.height).toBeCloseTo(900, 0);
  });

  it("moves by parts of what is in view, and zooms within bounds", () => {
    const camera = lookAt(FRAME, CITY);
    const east = moved(FRAME, camera, 0.5, 0);
    expect(pixelOf(FRAME, camera, east.center)[0]).toBeCloseTo(900);
    expect(moved(FRAME, camera, 0, 0.5).center[1]).toBeGreaterThan(camera.center[1]);
    expect(moved(FRAME, camera, 0, 0, 1e9).zoom).toBe(ZOOM.max);
    expect(moved(FRAME, camera, 0, 0, 1e-9).zoom).toBe(ZOOM.min);
  });

  it("makes a box of places, and none of nothing", () => {
    expect(boxOf([])).toBeNull();
    const box = boxOf([[113, 28.2]], 1000);
    expect(box && box.north - 28.2).toBeCloseTo(1000 / 111_320);
    expect(boxOf([[113, 28.2], [112.9, 28.3]])).toEqual({ west: 112.9, east: 113, south: 28.2, north: 28.3 });
  });

  it("frames points alone where there are no outlines", () => {
    expect(boxOfBoundary(bareBoundary(CITY))).toEqual(CITY);
  });

  it("survives a frame that has no size yet", () => {
    const nothing: Frame = { box: CITY, width: 0, height: 0 };
    expect(Number.isFinite(lookAt(nothing, CITY).zoom)).toBe(true);
    expect(pixelOf(nothing, lookAt(nothing, CITY), [113, 28.2]).every(Number.isFinite)).toBe(true);
  });
});
