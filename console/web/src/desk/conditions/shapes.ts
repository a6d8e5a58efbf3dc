// Buildings and homes that are not watched as they should be, as the API gives them.

import type { Words } from "@/shared/model";

export const CONDITIONS = ["blind", "silent", "powerless"] as const;
export type Condition = (typeof CONDITIONS)[number];

export interface Building {
  district_code: string;
  district: string;
  community: string;
  estate: string;
  building: string;
  homes: number;
  blind: number;
  silent: number;
  powerless: number;
  since_ms: number;
}

export interface HomeCondition {
  home_id: string;
  address_zh: string;
  address_en: string;
  district_code: string;
  community: string;
  device_id: string;
  condition: Condition;
  condition_words: Words;
  cause: string;
  cause_words: Words;
  since_ms: number;
}

export function keyOf(building: Building): string {
  return [building.district_code, building.community, building.estate, building.building].join("\u0000");
}
