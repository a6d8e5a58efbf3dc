// When an incident began. T0 is the detector's own time, and a detector's clock may be hours wrong: what cannot be true is not counted from.

import type { Incident } from "./model";

type Timed = Pick<Incident, "received_ms"> & { clocks: Pick<Incident["clocks"], "T0"> };

const LATEST_MS = 86_400_000;
/** Less than that is no fault of a device's clock that is worth a word. */
const SPOKEN_MS = 2_000;

/** The detector's own time, unless it cannot be true; then when the platform heard of it. Unix ms. */
export function begunMs({ clocks, received_ms }: Timed): number {
  const alarmed = clocks.T0;
  return alarmed != null && alarmed <= received_ms && received_ms - alarmed < LATEST_MS ? alarmed : received_ms;
}

/** How far a time that cannot be true is off, ms: ahead of its receipt positive, a day or more behind it negative; 0 where it may be true, or nearly. */
export function offMs(incident: Timed): number {
  const alarmed = incident.clocks.T0 ?? incident.received_ms;
  const off = begunMs(incident) === alarmed ? 0 : alarmed - incident.received_ms;
  return Math.abs(off) < SPOKEN_MS ? 0 : off;
}
