// Which marks of the map bear their name: as many as can be read, the hottest and greatest first. A name never covers a mark nor
// another name; what stays nameless keeps its mark, its count and its name for whoever listens. Pure; lengths are CSS pixels.

import type { Mark } from "./groups";

export interface Label {
  key: string;
  /** Which side of its mark the name stands on. */
  side: "right" | "left";
}

interface Rect {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

const HEAT = { bad: 0, busy: 1, safe: 2 } as const;

/** How wide a text is drawn, about: a Chinese character is as wide as it is tall. */
export function widthOf(text: string, size: number): number {
  let ems = 0;
  for (const character of text) ems += character.codePointAt(0)! > 0x2e7f ? 1 : 0.56;
  return ems * size;
}

export function labelsOf(
  marks: readonly Mark[],
  nameOf: (mark: Mark) => string,
  { width, size, mark: half }: { width: number; size: number; mark: number },
): Map<string, Label> {
  const taken: Rect[] = marks.map(({ x, y }) => ({ left: x - half, right: x + half, top: y - half, bottom: y + half }));
  const found = new Map<string, Label>();
  const order = [...marks].sort((a, b) => HEAT[a.heat] - HEAT[b.heat] || b.incidents.length - a.incidents.length || (a.key < b.key ? -1 : 1));
  for (const mark of order) {
    const name = nameOf(mark);
    if (name === "") continue;
    const long = widthOf(name, size) + size;
    for (const side of ["right", "left"] as const) {
      const left = side === "right" ? mark.x + half : mark.x - half - long;
      const rect = { left, right: left + long, top: mark.y - size * 0.8, bottom: mark.y + size * 0.8 };
      if (rect.left < 0 || rect.right > width) continue;
      const own = { left: mark.x - half, top: mark.y - half };
      if (taken.some((other) => !(other.left === own.left && other.top === own.top) && overlap(rect, other))) continue;
      taken.push(rect);
      found.set(mark.key, { key: mark.key, side });
      break;
    }
  }
  return found;
}

const overlap = (a: Rect, b: Rect): boolean => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
