// What dispatch will say to a tightness test (严密性试验), said beforehand. The station judges; this only explains its rule.

import type { Rules } from "./model";

export type Failure = "too_short" | "pressure_too_low" | "pressure_fell" | "pressure_rose";

const ROUNDING_KPA = 1e-9;

/** Pressures in kPa, minutes in min; empty: it would pass. */
export function failures(rules: Rules, startKpa: number, endKpa: number, minutes: number): Failure[] {
  const found: Failure[] = [];
  if (minutes < rules.tightness_minutes) found.push("too_short");
  if (startKpa < rules.tightness_start_kpa) found.push("pressure_too_low");
  if (startKpa - endKpa > rules.tightness_drop_kpa + rules.gauge_resolution_kpa + ROUNDING_KPA) found.push("pressure_fell");
  if (endKpa - startKpa > rules.gauge_resolution_kpa + ROUNDING_KPA) found.push("pressure_rose");
  return found;
}

/** Whole tenths of minutes that have passed, never rounded up: a test of 2:59 is not one of 3 minutes. */
export const minutesOf = (ms: number): number => Math.floor(Math.max(0, ms) / 6000) / 10;

/** A number that somebody typed, also with a Chinese or European decimal mark; null: none. */
export function typed(text: string): number | null {
  const plain = text.trim().replace(/[，,。．]/g, ".").replace(/[０-９]/g, (digit) => String.fromCharCode(digit.charCodeAt(0) - 0xfee0));
  return /^\d+(\.\d*)?$|^\.\d+$/.test(plain) ? Number(plain) : null;
}
