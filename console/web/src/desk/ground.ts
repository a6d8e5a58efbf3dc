// Home and crew on the ground: which piece of the city is drawn, and where its lines fall on a picture of given size. Pure.

import { placed, type Position } from "@/wall/datum";

export interface Outline {
  features: { geometry: { type: string; coordinates: unknown } }[];
}

export interface Ground {
  width: number;
  height: number;
  /** Metres a pixel. */
  scale: number;
  at: (position: Position) => readonly [number, number];
}

const METRES_A_DEGREE = 111_320;
const LEAST_SPAN_M = 1_200;

export function positionOf(thing: { lon?: number | null; lat?: number | null; coord_datum?: string | null } | null | undefined): Position | null {
  return thing ? placed(thing.lon, thing.lat, thing.coord_datum) : null;
}

/** The ground that shows all positions with a margin; none for no positions. */
export function groundOf(positions: readonly Position[], width: number, height: number): Ground | null {
  if (positions.length === 0) return null;
  const lons = positions.map(([lon]) => lon);
  const lats = positions.map(([, lat]) => lat);
  const [midLon, midLat] = [(Math.min(...lons) + Math.max(...lons)) / 2, (Math.min(...lats) + Math.max(...lats)) / 2];
  const east = METRES_A_DEGREE * Math.cos((midLat * Math.PI) / 180);
  const across = Math.max(LEAST_SPAN_M, (Math.max(...lons) - Math.min(...lons)) * east * 1.5);
  const along = Math.max((LEAST_SPAN_M * height) / width, (Math.max(...lats) - Math.min(...lats)) * METRES_A_DEGREE * 1.6);
  const scale = Math.max(across / width, along / height);
  return {
    width,
    height,
    scale,
    at: ([lon, lat]) => [width / 2 + ((lon - midLon) * east) / scale, height / 2 - ((lat - midLat) * METRES_A_DEGREE) / scale],
  };
}

/** The districts' outlines as one path of the picture. */
export function pathOf(outline: Outline, ground: Ground): string {
  const rings: string[] = [];
  const walk = (part: unknown): void => {
    if (!Array.isArray(part)) return;
    if (Array.isArray(part[0]) && typeof part[0][0] === "number") {
      rings.push(`M${(part as Position[]).map((position) => ground.at(position).map((value) => value.toFixed(1)).join(" ")).join("L")}Z`);
    } else for (const inner of part) walk(inner);
  };
  for (const feature of outline.features) walk(feature.geometry.coordinates);
  return rings.join("");
}

/** Metres between two positions, on a city's scale. */
export function metresBetween(a: Position, b: Position): number {
  const east = (b[0] - a[0]) * METRES_A_DEGREE * Math.cos((((a[1] + b[1]) / 2) * Math.PI) / 180);
  return Math.hypot(east, (b[1] - a[1]) * METRES_A_DEGREE);
}

/** A length of the scale's bar that can be read: 100 m, 200 m, 500 m, 1 km … at most a quarter of the picture. */
export function barOf(ground: Ground): number {
  const most = (ground.width / 4) * ground.scale;
  const power = 10 ** Math.floor(Math.log10(most));
  return [5, 2, 1].map((step) => step * power).find((metres) => metres <= most) ?? power;
}
