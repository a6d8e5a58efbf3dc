// The stage of the wall's tests: an incident, figures and places as the API gives them, with what a test wants otherwise.

import type { Estate, Incident, Overview } from "./things";

/** 2 April 2026 17:00 in Beijing, Unix ms. */
export const T0 = 1_775_120_400_000;

export function incident(wanted: Record<string, unknown> = {}): Incident {
  const clocks = { T0, T2: T0 + 200, T3: T0 + 230, ...(wanted.clocks as object | undefined) };
  return {
    incident_id: "00000000-0000-5000-8000-000000000001", kind: "leak", kind_words: { zh: "燃气泄漏", en: "gas leak" }, state: "open",
    home_id: "home-0001", place: "home-0001", address_zh: "芙蓉区 云栖花园 3栋 2单元 501室",
    address_en: "Room 501, Unit 2, Building 3, 云栖花园, Furong District", simulated: true, aliases: [], ch4_lel: 14.2, alarm_lel: 10,
    received_ms: T0 + 200, alarmed_ms: T0, close_sent_ms: T0 + 230, reported_closed_ms: null, answer_due_ms: null,
    valve: "commanded", valve_words: { zh: "切断指令已发出，等待表端回应", en: "close command sent, waiting for the meter" },
    proof: "none", proof_words: { zh: "尚无切断报告", en: "not reported closed yet" }, proof_due_ms: null, holds_ms: null,
    clearing: "unknown", clearing_words: { zh: "室内浓度尚不明", en: "the room is not known yet" }, clearing_ms: null, before_meter_ms: null, before_meter_first_ms: null,
    order: null, call: null, acknowledged: null, lon: 113.0, lat: 28.2, coord_datum: "WGS-84", district_code: "430102",
    ...wanted,
    clocks,
  } as unknown as Incident;
}

export function overview(wanted: Partial<Overview> = {}): Overview {
  return {
    homes: 192_000, homes_simulated: 0, incidents_open: 0, orders_waiting: 0, blind: 0, silent: 0, powerless: 0, canary_age_s: 20, canary_passed: true,
    crews: 12, crews_free: 12, crews_busy: 0, at_ms: T0, valves_closed_by_hold: 0, oldest_unhandled_ms: null,
    incidents_by_step: { closing: 0, crew_wanted: 0, unplanned: 0, crew_under_way: 0, on_site: 0, made_safe: 0, tested: 0, restored: 0 },
    ...wanted,
  };
}

export function estate(wanted: Partial<Estate> = {}): Estate {
  return {
    estate: "云栖花园", district_code: "430102", lon: 113.0, lat: 28.2, coord_datum: "WGS-84", homes: 150, blind: 0, silent: 0, powerless: 0,
    open_incidents: 0, ...wanted,
  };
}
