// Whether a technician may go in. Pure: what he measured outside, what the detector inside says, and what has leaked since.

import { tenth } from "./age";
import type { Live, Rules } from "./model";

/** A reading taken outside the door; `atMs` is platform time, `who` the technician who took it. */
export interface DoorReading {
  lel: number;
  atMs: number;
  who: string;
}

export interface Gate {
  /** The door is still to be passed, or was just passed. */
  shown: boolean;
  open: boolean;
  why: "no_reading" | "too_high" | "leak_since" | "lapsed" | "safe";
  reading: DoorReading | null;
  limitLel: number;
  /** What the detector inside says now where that is too high, %LEL. */
  insideLel: number | null;
}

const FRESH_MS = 120_000;
/** Air changes: a reading outside says nothing of half an hour later. */
export const LAPSES_MS = 30 * 60_000;
/** States in which the place counts as made safe, or that are before the way. */
const BEFORE = new Set(["created", "waiting", "assigned"]);
const AT_THE_DOOR = new Set(["accepted", "on_site", "no_access"]);

/** `who`: the technician who holds the phone now. What another measured opens nothing for him. */
export function doorOf(state: string, found: DoorReading | null, live: Live, rules: Rules, nowMs: number, who: string): Gate {
  const limitLel = rules.safe_reading_lel;
  const reading = found?.who === who ? found : null;
  const why = reasonFor(reading, live, limitLel, nowMs);
  const inside = live.detectors
    .filter((each) => each.ch4_lel !== null && each.heard_ms !== null && nowMs - each.heard_ms <= FRESH_MS && each.ch4_lel >= limitLel)
    .map((each) => each.ch4_lel as number);
  return {
    shown: AT_THE_DOOR.has(state),
    open: !AT_THE_DOOR.has(state) ? !BEFORE.has(state) : why === "safe",
    why,
    reading,
    limitLel,
    insideLel: inside.length > 0 ? Math.max(...inside) : null,
  };
}

function reasonFor(reading: DoorReading | null, live: Live, limitLel: number, nowMs: number): Gate["why"] {
  if (reading === null) return "no_reading";
  if (live.last_leak_ms !== null && reading.atMs <= live.last_leak_ms) return "leak_since";
  if (Math.abs(nowMs - reading.atMs) > LAPSES_MS) return "lapsed";
  // Judged as it is shown: no "10 %LEL" that lets somebody in.
  return tenth(reading.lel) < limitLel ? "safe" : "too_high";
}
