// What is new, said once: a flash and a sentence that do not come faster than eyes and ears can follow, however many incidents begin at
// once. Pure: `now` is any clock that only goes on, in ms.

import type { Incident } from "./things";

export const SHOWN_MS = 8_000;
/** Nothing on the wall flashes more often: three a second is what harms, this is far below. */
export const FLASH_EVERY_MS = 3_000;

export interface Notice {
  /** Counts up with every flash. */
  flash: number;
  incidents: readonly Incident[];
}

/** Which words (`wall.news.*`) say it, and the numbers in them. */
export function wordsOf(incidents: readonly Incident[]): { key: "one" | "again" | "many" | "many_again" | "both"; fresh: number; again: number } {
  const again = incidents.filter(({ alarmed_again_ms }) => alarmed_again_ms !== null && alarmed_again_ms !== undefined).length;
  const fresh = incidents.length - again;
  if (incidents.length === 1) return { key: again === 1 ? "again" : "one", fresh, again };
  return { key: again === 0 ? "many" : fresh === 0 ? "many_again" : "both", fresh, again };
}

export class News {
  private begun: { incident: Incident; at: number }[] = [];
  private flashed = -Infinity;
  private count = 0;

  /** Incidents that nobody had heard of, or that alarm anew. */
  tell(incidents: readonly Incident[], now: number): void {
    const told = new Set(incidents.map(({ incident_id }) => incident_id));
    this.begun = this.begun.filter(({ incident }) => !told.has(incident.incident_id));
    for (const incident of incidents) this.begun.push({ incident, at: now });
    if (this.begun.length > 5_000) this.begun.splice(0, this.begun.length - 5_000);
  }

  /** What is to be shown now; null when nothing is new any more. */
  look(now: number): Notice | null {
    this.begun = this.begun.filter(({ at }) => now - at < SHOWN_MS);
    if (this.begun.length === 0) return null;
    const unseen = this.begun.some(({ at }) => at > this.flashed);
    if (unseen && now - this.flashed >= FLASH_EVERY_MS) {
      this.flashed = now;
      this.count += 1;
    }
    return { flash: this.count, incidents: this.begun.map(({ incident }) => incident) };
  }
}
