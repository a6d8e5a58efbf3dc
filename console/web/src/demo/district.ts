// The simulated district as the panel asks for it: homes and buildings to choose from, leaks to start, telephones to look at.

import { get, post } from "../shared/api";
import type { Words } from "../shared/model";
import { readSession } from "../shared/session";

export const KINDS = ["plain", "stuck_valve", "before_meter", "nobody_answers"] as const;
export type DemoKind = (typeof KINDS)[number];

export interface DemoHome {
  home_id: string;
  address_zh: string;
  address_en: string;
  district_code: string;
  estate: string;
  building: string;
  busy: boolean;
  why: (Words & { reason: string }) | null;
  kinds: DemoKind[];
}

export interface DemoBuilding {
  district_code: string;
  estate: string;
  building: string;
  homes: number;
  free: number;
}

/** One call at one simulated telephone, as the telephone had it; Unix ms. */
export interface Ring {
  ring_id: string;
  home_id: string;
  position: number;
  number: string;
  state: "ringing" | "answered" | "pressed" | "refused" | "over";
  ringing_ms: number | null;
  answered_ms: number | null;
  key: string | null;
  key_ms: number | null;
  ended_ms: number | null;
  ended_by: "phone" | "caller" | "";
  sip_code: number | null;
  heard_s: number | null;
}

export interface LeakBegun extends Record<"home_id" | "address_zh" | "address_en", string> {
  kind: DemoKind;
}

export interface BuildingLeakBegun {
  leaking: string[];
  left_out: (Words & { home_id: string; reason: string })[];
}

/** A crew that a person plays: the simulated one leaves its orders to him, and goes on after `left_s` without a sign of life. */
export interface CrewPlayed {
  crew_id: string;
  left_s: number;
}

export const homesFor = (words: string, signal: AbortSignal): Promise<{ items: DemoHome[]; found: number }> =>
  get("/demo/homes", { q: words, limit: 12 }, { signal });
export const allBuildings = (): Promise<{ items: DemoBuilding[] }> => get("/demo/buildings");
export const lastRings = (): Promise<{ items: Ring[] }> => get("/demo/phones");
export const startLeak = (homeId: string, kind: DemoKind): Promise<LeakBegun> => post("/demo/leak", { home_id: homeId, kind });
export const crewsPlayed = (): Promise<{ items: CrewPlayed[] }> => get("/demo/crews");
export const playCrew = (orderNo: string): Promise<CrewPlayed> => post("/demo/crew", { order_no: orderNo });
/** Whoever is in the demonstration looks through a technician's eyes from now on, in every window of this browser. */
export async function becomeTechnician(): Promise<void> {
  await post("/session/link", { as: "technician" });
  await readSession(true);
}
export const startBuildingLeak = (where: DemoBuilding): Promise<BuildingLeakBegun> =>
  post("/demo/building-leak", { estate: where.estate, building: where.building, district_code: where.district_code });
