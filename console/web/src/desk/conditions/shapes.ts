// Buildings and homes that are not watched as they should be, by the types that are generated from the API.

import type { components } from "@/shared/schema";

type Schemas = components["schemas"];

export const CONDITIONS = ["blind", "silent", "powerless"] as const;
export type Condition = (typeof CONDITIONS)[number];

export type Building = Schemas["Page_Building_"]["items"][number];
export type HomeCondition = Schemas["HomeCondition"];

export function keyOf(building: Building): string {
  return [building.district_code, building.community, building.estate, building.building].join("\u0000");
}

/** What a handover calls it. */
export function handedAs(building: Building): string {
  return `blind:${[building.district_code, building.community, building.estate, building.building].join("/")}`;
}
