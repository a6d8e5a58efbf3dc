// What may be believed of a device by when it was last heard. Silence is unknown, never normal.

/** Used where a device never said how often it reports. */
export const DEFAULT_INTERVAL_S = 900;
/** The line calls a device silent after this many of its intervals. */
export const SILENT_INTERVALS = 3;

export interface Heard {
  heard_ms: number;
  report_interval_s?: number | null;
  clock_offset_ms?: number | null;
}

/** Silence longer than this is no ordinary pause, ms. */
export function silentAfterMs(state: { report_interval_s?: number | null } | null): number {
  return SILENT_INTERVALS * (state?.report_interval_s || DEFAULT_INTERVAL_S) * 1000;
}

export type Hearing = "never" | "silent" | "fresh";

export function hearing(state: Heard | null, nowMs: number): Hearing {
  if (state === null) return "never";
  return nowMs - state.heard_ms > silentAfterMs(state) ? "silent" : "fresh";
}

/** Within this the way through the network explains the difference. */
const CLOCK_TOLERANCE_MS = 2000;

/** The offset is the platform's time minus the device's: above zero the device's clock is behind. */
export function clockError(state: Heard): { kind: "right" | "behind" | "ahead"; by_ms: number } | null {
  const offset = state.clock_offset_ms;
  if (offset === null || offset === undefined) return null;
  if (Math.abs(offset) <= CLOCK_TOLERANCE_MS) return { kind: "right", by_ms: Math.abs(offset) };
  return { kind: offset > 0 ? "behind" : "ahead", by_ms: Math.abs(offset) };
}

/** m³ between the first and the last index of a period; null where that cannot be told (a meter exchanged, fewer than two readings). */
export function used(readings: readonly { device_id: string; volume_m3: number | null }[]): number | null {
  const told = readings.filter((reading): reading is { device_id: string; volume_m3: number } => reading.volume_m3 !== null);
  const first = told[0];
  const last = told.at(-1);
  if (!first || !last || told.length < 2 || first.device_id !== last.device_id) return null;
  const volume = last.volume_m3 - first.volume_m3;
  return volume < 0 ? null : volume;
}

export function highest(values: readonly (number | null)[]): number | null {
  return values.reduce<number | null>((top, value) => (value !== null && (top === null || value > top) ? value : top), null);
}
