// The roll of open incidents: kept right while it is read page by page and the stream goes on speaking. What the stream said during a
// reading is newer than the page that comes after it; what a whole reading did not find any more is closed. Pure.

import type { Incident } from "./things";

export class Roll {
  private readonly open = new Map<string, Incident>();
  /** What the stream told since the reading began, and what the reading found; null while nothing is being read. */
  private reading: { told: Set<string>; found: Set<string> } | null = null;
  /** By id: the last of its alarms that was heard here, Unix ms, 0 for its first. */
  private readonly ever = new Map<string, number>();

  /** Whether every open incident is on the roll: only then may somebody say that there is none. */
  complete = false;

  begin(): void {
    this.reading = { told: new Set(), found: new Set() };
  }

  /** A page of the reading. Gives those that nobody had heard of before, or that alarm anew. */
  page(items: readonly Incident[]): Incident[] {
    const fresh: Incident[] = [];
    for (const incident of items) {
      this.reading?.found.add(incident.incident_id);
      if (this.reading?.told.has(incident.incident_id)) continue;
      if (this.put(incident)) fresh.push(incident);
    }
    return fresh;
  }

  /** The reading is done: what it did not find, and nobody spoke of meanwhile, is open no more. */
  finish(): void {
    const reading = this.reading;
    if (reading === null) return;
    for (const id of [...this.open.keys()]) if (!reading.found.has(id) && !reading.told.has(id)) this.open.delete(id);
    this.reading = null;
    this.complete = true;
  }

  /** What the stream says of an incident. True where it is one that nobody had heard of before, or that alarms anew. */
  take(incident: Incident): boolean {
    this.reading?.told.add(incident.incident_id);
    return this.put(incident);
  }

  list(): Incident[] {
    return [...this.open.values()];
  }

  private put(incident: Incident): boolean {
    if (incident.kind === "canary") return false;
    const alarm = incident.alarmed_again_ms ?? 0;
    const fresh = incident.state === "open" && alarm > (this.ever.get(incident.incident_id) ?? -1);
    if (incident.state === "open") this.open.set(incident.incident_id, incident);
    else this.open.delete(incident.incident_id);
    // An alias is the same incident under another id: it came to be known with it.
    for (const id of [incident.incident_id, ...(incident.aliases ?? [])]) this.ever.set(id, Math.max(alarm, this.ever.get(id) ?? 0));
    if (this.ever.size > 50_000) this.forget();
    return fresh;
  }

  private forget(): void {
    for (const id of [...this.ever.keys()]) if (!this.open.has(id)) this.ever.delete(id);
  }
}
