import { describe, expect, it } from "vitest";
import type { Mark } from "./groups";
import { labelsOf, widthOf } from "./labels";
import { incident } from "./stage";

const SIZES = { width: 800, size: 20, mark: 20 };

function mark(key: string, x: number, y: number, more: Partial<Mark> = {}): Mark {
  return { key, covers: "incident", x, y, place: [113, 28], places: [[113, 28]], heat: "busy", incidents: [incident()], ...more };
}

describe("names on the map", () => {
  it("stand right of their mark, and left of it at the right edge", () => {
    const found = labelsOf([mark("a", 100, 100), mark("b", 780, 300)], () => "云栖花园 3栋", SIZES);
    expect(found.get("a")?.side).toBe("right");
    expect(found.get("b")?.side).toBe("left");
  });

  it("are left out where they would cover a mark or another name", () => {
    const found = labelsOf([mark("a", 100, 100), mark("b", 180, 104), mark("c", 60, 96)], () => "云栖花园 3栋", SIZES);
    expect([...found.keys()]).toEqual(["b"]);
  });

  it("are given to the hottest first", () => {
    const found = labelsOf([mark("a", 400, 100), mark("b", 400, 130, { heat: "bad" })], () => "一个很长的小区名字", { ...SIZES, width: 600 });
    expect(found.has("b")).toBe(true);
  });

  it("are as wide as their letters", () => {
    expect(widthOf("云栖", 20)).toBe(40);
    expect(widthOf("ab", 20)).toBeCloseTo(22.4);
  });
});
