// What is known of the gas in a room with more than one detector, in a line: the worst that can be believed, and who cannot be. Pure.

import { isOld } from "./age";
import type { Live } from "./model";

/** States in which a detector measures nothing. */
export const BLIND: ReadonlySet<string> = new Set(["preheat", "fault", "end_of_life"]);

export interface Room {
  /** Methane, %LEL: the highest fresh reading; where there is none, the highest of the old ones. null: no reading that counts. */
  lel: number | null;
  /** When that was heard, platform time; null: never, or no reading. */
  heardMs: number | null;
  /** Detectors that measure nothing. */
  blind: number;
  /** Detectors that were not heard lately, beside others that were. */
  silent: number;
}

/** `streamLive`: what is said next would be heard. */
export function roomOf(detectors: Live["detectors"], nowMs: number, streamLive: boolean): Room {
  const seeing = detectors.filter((each) => !BLIND.has(each.state ?? ""));
  const fresh = seeing.filter((each) => each.ch4_lel !== null && !isOld(each.heard_ms, nowMs, streamLive));
  const counted = fresh.length > 0 ? fresh : seeing.filter((each) => each.ch4_lel !== null);
  const worst = counted.length === 0 ? null : counted.reduce((one, other) => ((other.ch4_lel as number) > (one.ch4_lel as number) ? other : one));
  return {
    lel: worst?.ch4_lel ?? null,
    heardMs: worst?.heard_ms ?? null,
    blind: detectors.length - seeing.length,
    silent: fresh.length > 0 ? seeing.length - fresh.length : 0,
  };
}
