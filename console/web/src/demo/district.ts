// The simulated district as the panel asks for it: homes and buildings to choose from, leaks to start, telephones to look at.

import { get, post } from "../shared/api";
import type { components } from "../shared/schema";
import { readSession } from "../shared/session";

type Schemas = components["schemas"];

export type DemoHome = Schemas["DemoHome"];
export type DemoKind = DemoHome["kinds"][number];
export type DemoBuilding = Schemas["DemoBuilding"];
export type Ring = Schemas["Ring"];
/** A crew that a person plays: the simulated one leaves its orders to him, and goes on after `left_s` without a sign of life. */
export type CrewPlayed = Schemas["CrewPlayed"];

/** In the order in which they are offered. */
export const KINDS = ["plain", "stuck_valve", "before_meter", "nobody_answers"] as const satisfies readonly DemoKind[];

export const homesFor = (words: string, signal: AbortSignal): Promise<Schemas["DemoHomes"]> =>
  get("/demo/homes", { q: words, limit: 12 }, { signal });
export const allBuildings = (): Promise<Schemas["DemoBuildings"]> => get("/demo/buildings");
export const lastRings = (): Promise<Schemas["Rings"]> => get("/demo/phones");
export const startLeak = (homeId: string, kind: DemoKind): Promise<Schemas["LeakBegun"]> => post("/demo/leak", { home_id: homeId, kind });
export const crewsPlayed = (): Promise<Schemas["CrewsPlayed"]> => get("/demo/crews");
export const playCrew = (orderNo: string): Promise<CrewPlayed> => post("/demo/crew", { order_no: orderNo });
/** Whoever is in the demonstration looks through a technician's eyes from now on, in every window of this browser. */
export async function becomeTechnician(): Promise<void> {
  await post("/session/link", { as: "technician" });
  await readSession(true);
}
export const startBuildingLeak = (where: DemoBuilding): Promise<Schemas["BuildingLeakBegun"]> =>
  post("/demo/building-leak", { estate: where.estate, building: where.building, district_code: where.district_code });
