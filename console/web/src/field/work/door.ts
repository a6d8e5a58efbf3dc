// Whether a technician may go in. Pure: what he measured outside, what the detector inside says, and what has leaked since.

import type { Live, Rules } from "./model";

/** A reading taken outside the door; `atMs` is platform time. */
export interface DoorReading {
  lel: number;
  atMs: number;
}

export interface Gate {
  /** The door is still to be passed, or was just passed. */
  shown: boolean;
  open: boolean;
  why: "no_reading" | "too_high" | "leak_since" | "safe";
  reading: DoorReading | null;
  limitLel: number;
  /** What the detector inside says now where that is too high, %LEL. */
  insideLel: number | null;
}

const FRESH_MS = 120_000;
/** States in which the place counts as made safe, or that are before the way. */
const BEFORE = new Set(["created", "waiting", "assigned"]);
const AT_THE_DOOR = new Set(["accepted", "on_site", "no_access"]);

export function doorOf(state: string, reading: DoorReading | null, live: Live, rules: Rules, nowMs: number): Gate {
  const limitLel = rules.safe_reading_lel;
  const why = reasonFor(reading, live, limitLel);
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

function reasonFor(reading: DoorReading | null, live: Live, limitLel: number): Gate["why"] {
  if (reading === null) return "no_reading";
  if (live.last_leak_ms !== null && reading.atMs <= live.last_leak_ms) return "leak_since";
  return reading.lel < limitLel ? "safe" : "too_high";
}
