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

export class News {
  private begun: { incident: Incident; at: number }[] = [];
  private flashed = -Infinity;
  private count = 0;

  /** Incidents that nobody had heard of. */
  tell(incidents: readonly Incident[], now: number): void {
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
