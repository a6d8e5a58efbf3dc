// The name of a place, short enough for a mark on the map: the estate and the building, as people drive to them. Pure.

import type { Incident } from "./things";
import type { Language } from "@/shared/i18n";

export interface Place {
  estate: string;
  building: string;
}

const OUTLINED = /(区|县|市)$/;

/** From the parts of the address where the console tells them, else from the address: `芙蓉区 云栖花园 3栋 2单元 501室`. */
export function placeOf(incident: Incident): Place {
  if (incident.estate) return { estate: incident.estate, building: incident.building ?? "" };
  const words = incident.address_zh.split(" ");
  if (incident.home_id === null || words.length < 3 || !OUTLINED.test(words[0] ?? "")) return { estate: "", building: "" };
  return { estate: words[1] ?? "", building: (words[2] ?? "").replace(/栋$/, "") };
}

export function buildingName(building: string, language: Language): string {
  if (building === "") return "";
  if (language === "zh") return /^\d/.test(building) && !building.endsWith("栋") ? `${building}栋` : building;
  return /^\d/.test(building) ? `Building ${building.replace(/栋$/, "")}` : building;
}

/** The estate, with the building where it is wanted; the whole address where the estate is not known. */
export function shortPlace(incident: Incident, language: Language, withBuilding = true): string {
  const { estate, building } = placeOf(incident);
  if (estate === "") return language === "zh" ? incident.address_zh : incident.address_en;
  const name = withBuilding ? buildingName(building, language) : "";
  return language === "zh" ? `${estate} ${name}`.trim() : [name, estate].filter(Boolean).join(", ");
}
