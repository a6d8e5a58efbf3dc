// One event stream for the whole page, and the truth about how fresh the page is.
//
//   startStream() / stopStream()   by the shell, when somebody is signed in
//   on(name, take)                 one kind of event; returns the function that ends it
//   useLive(read, handlers)        in a component: reads now and whenever something may have been missed, and hands on what
//                                  changes; what arrives during a reading waits until it is done, so that nothing is lost or
//                                  overtaken. Gives { ready, problem, again }.
//   state                          "connecting" | "live" | "stale" (silence) | "deaf" (the platform cannot hear its database)
//   stale, since                   whether what is shown may be old, and the server's time since when
//
// The server speaks every 2 s; 2.7 s of silence are said on the page before 3 s are over. A browser comes back by itself and
// names the last event that it had; after a refusal or a dead connection a new one is made (wire.ts) and everything is read again.

import { computed, onScopeDispose, shallowRef, type ComputedRef, type ShallowRef } from "vue";
import { refusalOf, type Refusal } from "./api";
import { clockHeard, lastClockWord, type ClockWord } from "./clock";
import type { Call, Command, Crew, Incident, LiveEntry, Order, Remark, Task } from "./model";
import { readSession, session, sessionEnded } from "./session";
import { openWire, type Wire } from "./wire";

export interface Told {
  incident: Incident;
  command: Command;
  order: Order;
  call: Call;
  task: Task;
  timeline: LiveEntry;
  remark: Remark;
  crew: Partial<Crew> & { crew_id: string };
  attachment: { order_no: string } & Record<string, unknown>;
  handover: Record<string, unknown>;
}
export type Handlers = { [Name in keyof Told]?: (thing: Told[Name]) => void };

const NAMES: readonly (keyof Told)[] = ["incident", "command", "order", "call", "task", "timeline", "remark", "crew", "attachment", "handover"];
const STALE_AFTER_MS = 2700;
const LOOK_MS = 100;
const AGAIN_MS = 2000;
const OPEN_WAIT_MS = 400;

type Take = (thing: never) => void;
const takers = new Map<keyof Told, Set<Take>>(NAMES.map((name) => [name, new Set()]));
const readers = new Set<() => void>();
let wire: Wire | null = null;
let heardAt = 0;
let greeted = false;
let timer: ReturnType<typeof setInterval> | undefined;

const freshness = shallowRef<{ state: "connecting" | "live" | "stale" | "deaf"; sinceMs: number | null }>({ state: "connecting", sinceMs: null });

export const state = computed(() => freshness.value.state);
export const stale = computed(() => freshness.value.state === "stale" || freshness.value.state === "deaf");
export const since = computed(() => freshness.value.sinceMs);

export function on<Name extends keyof Told>(name: Name, take: (thing: Told[Name]) => void): () => void {
  takers.get(name)?.add(take as Take);
  return () => void takers.get(name)?.delete(take as Take);
}

/** `read` whenever something may have been missed. */
export function onResync(read: () => void): () => void {
  readers.add(read);
  return () => void readers.delete(read);
}

function judge(): void {
  const word = lastClockWord();
  const silent = performance.now() - heardAt;
  let found: typeof freshness.value;
  // What was last known for certain is the server's time in its last word.
  if (silent > STALE_AFTER_MS) found = { state: "stale", sinceMs: word?.now_ms ?? null };
  else if (word === null || !greeted) found = { state: "connecting", sinceMs: null };
  else if (!word.live) found = { state: "deaf", sinceMs: word.since_ms };
  else found = { state: "live", sinceMs: null };
  if (found.state !== freshness.value.state || found.sinceMs !== freshness.value.sinceMs) freshness.value = found;
}

function resync(): void {
  for (const read of [...readers]) read();
}

function take(name: string, data: string): void {
  heardAt = performance.now();
  if (name === "open") {
    const first = !greeted;
    greeted = true;
    if (data === "fresh" || first) resync();
  } else if (name === "clock") clockHeard(JSON.parse(data) as ClockWord);
  else if (name === "resync") resync();
  else if (name === "signed_out") {
    stopStream();
    sessionEnded();
    return;
  } else {
    const thing = JSON.parse(data) as never;
    for (const hand of [...(takers.get(name as keyof Told) ?? [])]) hand(thing);
    return;
  }
  judge();
}

/** The tabs of one session share one connection; another session has its own. */
export function startStream(of: string = session.value?.csrf ?? ""): void {
  if (wire !== null) return;
  heardAt = performance.now();
  greeted = false;
  // The browser does not say why it was refused: asking who we are tells whether the session is over.
  wire = openWire(of, [...NAMES, "clock", "resync", "signed_out"], take, () => void readSession(true).catch(() => undefined));
  timer = setInterval(judge, LOOK_MS);
}

export function stopStream(): void {
  clearInterval(timer);
  wire?.close();
  wire = null;
  greeted = false;
  freshness.value = { state: "connecting", sinceMs: null };
}

/** Resolves when the stream is open, or soon all the same: a first view waits for nothing long. */
function opening(): Promise<void> {
  if (greeted) return Promise.resolve();
  return new Promise((resolve) => {
    const begun = performance.now();
    const looking = setInterval(() => {
      if (!greeted && performance.now() - begun < OPEN_WAIT_MS) return;
      clearInterval(looking);
      resolve();
    }, 10);
  });
}

export interface Live {
  /** The first reading is done. */
  ready: ShallowRef<boolean>;
  /** The last reading failed so; it is tried again by itself. */
  problem: ShallowRef<Refusal | null>;
  stale: ComputedRef<boolean>;
  again: () => void;
}

export function useLive(read: () => Promise<void>, handlers: Handlers = {}): Live {
  const ready = shallowRef(false);
  const problem = shallowRef<Refusal | null>(null);
  let held: (() => void)[] | null = null;
  let wanted = false;
  let ended = false;
  let retry: ReturnType<typeof setTimeout> | undefined;

  async function load(): Promise<void> {
    if (ended) return;
    if (held !== null) {
      wanted = true;
      return;
    }
    clearTimeout(retry);
    held = [];
    try {
      await read();
      ready.value = true;
      problem.value = null;
    } catch (error) {
      problem.value = refusalOf(error);
      const lasting = [400, 401, 403, 404, 422].includes(problem.value.status);
      if (!ended && !lasting) retry = setTimeout(() => void load(), AGAIN_MS);
    }
    const waiting = held;
    held = null;
    if (ended) return;
    for (const hand of waiting) hand();
    if (wanted) {
      wanted = false;
      void load();
    }
  }

  const ends = (Object.keys(handlers) as (keyof Told)[]).map((name) =>
    on(name, (thing) => {
      const hand = () => (handlers[name] as ((thing: unknown) => void) | undefined)?.(thing);
      if (held === null) hand();
      else held.push(hand);
    }),
  );
  let begun = false;
  // What the opening itself asks for is the first reading.
  ends.push(onResync(() => begun && void load()));
  void opening().then(() => {
    begun = true;
    void load();
  });
  onScopeDispose(() => {
    ended = true;
    clearTimeout(retry);
    for (const end of ends) end();
  });
  return { ready, problem, stale, again: () => void load() };
}
