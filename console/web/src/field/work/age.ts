// Whether what was heard of a place may still be taken for what is there now. Pure. Silence is unknown, never normal.

import type { Look } from "@/shared/words";

const OLD_MS = 300_000;

/** `heardMs`: when it was heard, platform time; null: never. `streamLive`: what is said next would be heard. */
export function isOld(heardMs: number | null, nowMs: number, streamLive: boolean): boolean {
  return heardMs === null || !streamLive || nowMs - heardMs > OLD_MS;
}

/** How something looks that was heard so: what was bad stays bad, and nothing else is vouched for when it is old. */
export function agedLook(look: Look, old: boolean): Look {
  return old && look.tone !== "bad" ? { tone: "waits", mark: "?" } : look;
}

/** As methane is written on every page: one decimal, %LEL. */
export const tenth = (lel: number): number => Math.round(lel * 10) / 10;
