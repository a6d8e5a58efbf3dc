// What the wall reads of the API beside incidents: figures, promises and the map. Every stamp is Unix ms, null while it has not come.
// What an older console does not give yet is optional, and is then shown as not known, never as nought.

import type { Incident as AnyIncident } from "@/shared/model";

/** An incident, with the parts of its address where the console tells them. */
export type Incident = AnyIncident & { estate?: string | null; building?: string | null };

export interface Overview {
  homes: number;
  homes_simulated: number;
  incidents_open: number;
  orders_waiting: number;
  blind: number;
  silent: number;
  powerless: number;
  canary_age_s: number | null;
  /** A self-check was full since the line started. */
  canary_passed: boolean;
  crews: number;
  crews_free: number;
  crews_busy: number;
  at_ms: number;
  valves_closed_by_hold?: number | null;
  incidents_by_step?: Partial<Record<string, number>> | null;
  /** When that alarm came, the first of its incident or one anew; null: there is none. */
  oldest_unhandled_ms?: number | null;
}

/** How often one promise of today was kept. */
export interface Kept {
  kept: number;
  of: number;
  /** Not counted yet: they have still time. */
  pending?: number;
  worst_ms?: number | null;
}

export const PROMISES = ["close_sent_1s", "called_1s", "ordered_1s", "on_site_30min"] as const;
export type PromiseName = (typeof PROMISES)[number];
export type Promises = { day: string; leaks: number } & Partial<Record<PromiseName, Kept | null>>;

/** How many homes of a place are watched, and how well. */
export interface Watched {
  homes: number;
  blind?: number;
  silent?: number;
  powerless?: number;
  open_incidents?: number;
}

export interface District extends Watched {
  district_code: string;
  name_zh: string;
  name_en: string;
}

interface Standing {
  lon: number | null;
  lat: number | null;
  coord_datum?: string | null;
}

export interface Estate extends Watched, Standing {
  estate: string;
  community?: string;
  district_code: string;
}

export interface Building extends Watched, Standing {
  building: string;
}

type Ring = number[][];

/** GeoJSON, as far as it is drawn: outlines with the district's names. */
export interface Boundary {
  type: "FeatureCollection";
  features: {
    type: "Feature";
    properties: { name: string; name_en?: string; adcode?: number | string; center?: number[] };
    geometry: { type: "Polygon"; coordinates: Ring[] } | { type: "MultiPolygon"; coordinates: Ring[][] };
  }[];
}

export interface CityMap {
  districts: District[];
  boundary: Boundary | null;
}
