// Which crews an order may be given to, the most useful first: free and near. Dispatch alone decides; this only sorts what is offered.

import type { Place } from "./shapes";

export interface Choice {
  crew_id: string;
  simulated: boolean;
  state: string;
  order_no: string | null;
  lon: number | null;
  lat: number | null;
  coord_datum: string | null;
  post_lon?: number | null;
  post_lat?: number | null;
  post_datum?: string | null;
}

export interface Order {
  crew_id: string | null;
  simulated: boolean;
  place: Record<string, unknown>;
}

const EARTH_M = 6_371_000;
const STATES = ["free", "busy", "off_duty"];
const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** Metres as the crow flies; null where either is not placed, or in another datum. */
export function farFrom(crew: Choice, order: Order): number | null {
  const at = order.place as Place;
  const own = crew.lon !== null && crew.lat !== null;
  const [lon, lat, datum] = own ? [crew.lon, crew.lat, crew.coord_datum] : [crew.post_lon, crew.post_lat, crew.post_datum];
  if (lon == null || lat == null || at.lon == null || at.lat == null || (at.coord_datum ?? datum) !== datum) return null;
  const [a, b] = [radians(lat), radians(at.lat)];
  const half = Math.sin((b - a) / 2) ** 2 + Math.cos(a) * Math.cos(b) * Math.sin(radians(at.lon - lon) / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.sqrt(half));
}

/** Without the crew that has it, and without those of another world: simulated crews work for simulated homes only. */
export function byUse<T extends Choice>(crews: readonly T[], order: Order): T[] {
  return crews
    .filter((crew) => crew.crew_id !== order.crew_id && crew.simulated === order.simulated)
    .sort(
      (a, b) =>
        STATES.indexOf(a.state) - STATES.indexOf(b.state) ||
        (farFrom(a, order) ?? Infinity) - (farFrom(b, order) ?? Infinity) ||
        a.crew_id.localeCompare(b.crew_id),
    );
}
