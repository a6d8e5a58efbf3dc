// The open incidents as every page of the desk knows them, kept up to date by the stream, in the order of what matters.
//
//   watchOpen()      once, by the shell's Watch.vue: reads them and follows them
//   sorted           open incidents, the most urgent first; unacknowledged counts those nobody has taken on
//   onNew(take)      an incident that was not there at the last reading, and one that is known and alarms anew
//   put(incident)    a thing just read elsewhere is newer than what is kept here
//
// Changes are taken together once a frame: a storm of a thousand sorts once, not a thousand times.

import { computed, onScopeDispose, shallowRef } from "vue";
import { get } from "@/shared/api";
import { now, serverNow } from "@/shared/clock";
import type { Incident, Page } from "@/shared/model";
import { on, useLive, type Live } from "@/shared/stream";
import { moreUrgent } from "@/shared/words";

const FIRST_PAGE = 25;
const PAGE = 200;
const RESORT_MS = 3_000;
const LIST_FIRST_MS = 1_000;
const PAGES_AT_MOST = 25;

const kept = new Map<string, Incident>();
const version = shallowRef(0);
const takers = new Set<(incident: Incident) => void>();
let drawing = false;

function changed(): void {
  if (drawing) return;
  drawing = true;
  // A hidden tab is given no frames; its sound and its title must go on.
  const draw = () => {
    drawing = false;
    version.value += 1;
  };
  if (document.hidden) setTimeout(draw, 100);
  else requestAnimationFrame(draw);
}

export const loaded = shallowRef(false);

/** The last reading failed: what is listed is what was there before. */
export const unread = shallowRef(false);

/** Who waits for the first page of the list; null while nobody reads it. */
let behind: (() => void)[] | null = null;

function stands(): void {
  for (const go of behind ?? []) go();
  behind = null;
}

/** What stands beside the list is read after its first page: once that is there, could not be read, or is slow. At once where nobody reads it. */
export function listFirst(): Promise<void> {
  return new Promise((resolve) => {
    if (behind === null) return resolve();
    behind.push(resolve);
    setTimeout(resolve, LIST_FIRST_MS);
  });
}

/** What time alone makes worse is seen some seconds later. */
const step = computed(() => Math.floor(now.value / RESORT_MS) * RESORT_MS);

export const sorted = computed<Incident[]>(() => {
  void version.value;
  const nowMs = Math.max(step.value, serverNow());
  return [...kept.values()].sort((a, b) => moreUrgent(a, b, nowMs));
});

/** Whether somebody has to say that he has seen it. */
export function wantsSomebody(incident: Incident): boolean {
  return incident.state === "open" && !incident.acknowledged;
}

export const unacknowledged = computed(() => sorted.value.filter(wantsSomebody).length);

export function onNew(take: (incident: Incident) => void): () => void {
  takers.add(take);
  return () => void takers.delete(take);
}

/** By incident: the last of its alarms that was heard here, Unix ms, 0 for its first. What is read late and is older than that is no news. */
const heard = new Map<string, number>();

function forget(id: string): boolean {
  heard.delete(id);
  return kept.delete(id);
}

/** Whether nobody here has heard of this alarm: of the incident, or that it alarms anew. */
function isNews(incident: Incident): boolean {
  const alarm = incident.alarmed_again_ms ?? 0;
  if (alarm <= (heard.get(incident.incident_id) ?? -1)) return false;
  heard.set(incident.incident_id, alarm);
  return true;
}

/** Ids that the stream told while everything is being read: its word is newer than the page that comes later. */
let told: Set<string> | null = null;

export function put(incident: Incident): void {
  if (incident.kind === "canary") return;
  told?.add(incident.incident_id);
  const fresh = incident.state === "open" && isNews(incident);
  if (incident.state === "open") kept.set(incident.incident_id, incident);
  else if (!forget(incident.incident_id)) return;
  changed();
  if (fresh && loaded.value) for (const take of takers) take(incident);
}

export function find(id: string): Incident | undefined {
  void version.value;
  return kept.get(id);
}

async function readAll(): Promise<void> {
  const newer = (told = new Set<string>());
  const seen = new Set<string>();
  let after: string | null = null;
  for (let page = 0; page < PAGES_AT_MOST; page += 1) {
    const found: Page<Incident> = await get<Page<Incident>>("/incidents", { state: "open", limit: page === 0 ? FIRST_PAGE : PAGE, after });
    for (const incident of found.items) {
      seen.add(incident.incident_id);
      if (newer.has(incident.incident_id)) continue;
      const fresh = isNews(incident);
      kept.set(incident.incident_id, incident);
      if (fresh && loaded.value) for (const take of takers) take(incident);
    }
    changed();
    stands();
    after = found.next;
    if (after === null) break;
  }
  for (const id of [...kept.keys()]) if (!seen.has(id) && !newer.has(id)) forget(id);
  loaded.value = true;
  changed();
}

export function watchOpen(): Live {
  // Not held back while everything is read: a new incident is seen at once, however many others there are.
  onScopeDispose(on("incident", put));
  onScopeDispose(() => {
    kept.clear();
    heard.clear();
    loaded.value = false;
    changed();
  });
  behind ??= [];
  onScopeDispose(stands);
  return useLive(async () => {
    try {
      await readAll();
      unread.value = false;
    } catch (error) {
      unread.value = true;
      throw error;
    } finally {
      stands();
    }
  });
}
