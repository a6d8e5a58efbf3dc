// Where the map looks: which part of the city is in view, and how large. Pure geometry on a flat map, the same that ECharts' geo draws
// with the layout given here, so that marks of the page stand exactly on the drawn map. Degrees are WGS-84, lengths are CSS pixels.

import type { Position } from "./datum";
import type { Boundary } from "./things";

export interface Box {
  west: number;
  south: number;
  east: number;
  north: number;
}

export interface Camera {
  center: Position;
  /** 1 = the whole outline fits the frame. */
  zoom: number;
}

/** What the map is drawn into: the box that fits at zoom 1, and the frame's size. */
export interface Frame {
  box: Box;
  width: number;
  height: number;
}

/** cos(28.2°): how much shorter a degree of longitude is in Changsha. ECharts calls it `aspectScale`. */
export const SHRINK = 0.8813;
export const METRES_PER_DEGREE = 111_320;
export const ZOOM = { min: 0.8, max: 1500 } as const;

/** Changsha, for a city of which nothing is known yet. */
export const CITY: Box = { west: 112.6, south: 27.9, east: 113.2, north: 28.57 };

export function boxOf(positions: Iterable<Position>, around: number = 0): Box | null {
  const box = { west: Infinity, south: Infinity, east: -Infinity, north: -Infinity };
  for (const [lon, lat] of positions) {
    box.west = Math.min(box.west, lon);
    box.east = Math.max(box.east, lon);
    box.south = Math.min(box.south, lat);
    box.north = Math.max(box.north, lat);
  }
  if (box.west > box.east) return null;
  return around === 0 ? box : grown(box, around);
}

function grown(box: Box, metres: number): Box {
  const lat = metres / METRES_PER_DEGREE;
  const lon = lat / SHRINK;
  return { west: box.west - lon, east: box.east + lon, south: box.south - lat, north: box.north + lat };
}

export function boxOfBoundary(boundary: Boundary): Box | null {
  const positions: Position[] = [];
  for (const { geometry } of boundary.features) {
    const polygons = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
    for (const rings of polygons) for (const ring of rings) for (const [lon, lat] of ring) if (lon !== undefined && lat !== undefined) positions.push([lon, lat]);
  }
  return boxOf(positions);
}

/** A boundary of nothing but a frame around `box`: points alone are drawn on it. */
export function bareBoundary(box: Box): Boundary {
  const { west, south, east, north } = box;
  const ring = [[west, south], [east, south], [east, north], [west, north], [west, south]];
  return { type: "FeatureCollection", features: [{ type: "Feature", properties: { name: "" }, geometry: { type: "Polygon", coordinates: [ring] } }] };
}

/** CSS pixels a degree at zoom 1, and ECharts' `layoutSize` for it. */
export function scaleOf({ box, width, height }: Frame): { perLon: number; perLat: number; layoutSize: number } {
  const lons = Math.max(1e-6, box.east - box.west);
  const lats = Math.max(1e-6, box.north - box.south);
  const aspect = (lons / lats) * SHRINK;
  const tall = Math.max(1, Math.min(height, width / aspect));
  return { perLat: tall / lats, perLon: (tall * aspect) / lons, layoutSize: aspect > 1 ? tall * aspect : tall };
}

/** The camera that shows the whole of `box`, `fill` of the frame. */
export function lookAt(frame: Frame, box: Box, fill = 0.94): Camera {
  const { perLon, perLat } = scaleOf(frame);
  const lons = Math.max(1e-6, box.east - box.west);
  const lats = Math.max(1e-6, box.north - box.south);
  const zoom = Math.min((frame.width * fill) / (lons * perLon), (frame.height * fill) / (lats * perLat));
  return { center: [(box.west + box.east) / 2, (box.south + box.north) / 2], zoom: bounded(zoom) };
}

/** The camera over a place with `metres` of it in view. */
export function lookAtPlace(frame: Frame, place: Position, metres: number): Camera {
  return lookAt(frame, grown({ west: place[0], east: place[0], south: place[1], north: place[1] }, metres / 2), 1);
}

export const bounded = (zoom: number): number => Math.min(ZOOM.max, Math.max(ZOOM.min, zoom));

export function pixelOf(frame: Frame, camera: Camera, [lon, lat]: Position): [number, number] {
  const { perLon, perLat } = scaleOf(frame);
  return [
    frame.width / 2 + (lon - camera.center[0]) * perLon * camera.zoom,
    frame.height / 2 - (lat - camera.center[1]) * perLat * camera.zoom,
  ];
}

export function metresPerPixel(frame: Frame, camera: Camera): number {
  return METRES_PER_DEGREE / (scaleOf(frame).perLat * camera.zoom);
}

/** The camera moved by so much of the frame (1 = its whole width or height) and zoomed by a factor. */
export function moved(frame: Frame, camera: Camera, right: number, up: number, times = 1): Camera {
  const { perLon, perLat } = scaleOf(frame);
  return {
    center: [
      camera.center[0] + (right * frame.width) / (perLon * camera.zoom),
      camera.center[1] + (up * frame.height) / (perLat * camera.zoom),
    ],
    zoom: bounded(camera.zoom * times),
  };
}

export type Level = "city" | "district" | "estate" | "building";

/** What is told apart at this scale: estates as points, estates with their names, buildings, one building. */
export function levelOf(frame: Frame, camera: Camera): Level {
  const metres = metresPerPixel(frame, camera) * Math.min(frame.width, frame.height);
  if (metres > 14_000) return "city";
  if (metres > 2_400) return "district";
  return metres > 450 ? "estate" : "building";
}

/** How much of the ground is shown when somebody goes to an estate, and to a building, metres. */
export const NEAR_M = { estate: 800, building: 220 } as const;
