// The technician's phone as one thing: what it keeps, what it has sent, what it last heard. The pages show it and give it acts.
//
//   phone            refs: day, acts, who, offline, signedOut, lasting, ringing …
//   startPhone()     once
//   act()            keeps a step or picture; on the disk when it resolves
//                    false: it was not kept, and phone.notKept says so until he has read it
//   again / drop     what a technician may do with a refused act
//   refresh()        reads today's orders

import { computed, reactive, shallowRef } from "vue";
import { changeHeaders, get, newKey, refusalOf, send } from "@/shared/api";
import { clockHeard, lastClockWord } from "@/shared/clock";
import { deadline } from "@/shared/deadline";
import { demo, hasLeft, readSession, session, signedOutTo } from "@/shared/session";
import { on, onResync, startStream, state as streamState, stopStream } from "@/shared/stream";
import { post } from "./queue/post";
import { isStep, type Act, type Picture, type PictureName, type StepName } from "./queue/act";
import { inMemory, openKept, type Kept, type Past } from "./queue/kept";
import { Sender } from "./queue/sender";
import { agree, type Anchor, type Stamp } from "./queue/trueTime";
import { ring } from "./alarm";
import { beginWith, clocks, fresh, heardTime, stampNow, trueNow } from "./time";
import type { Day, FieldOrder, Live } from "./work/model";
import { failures } from "./work/tightness";
import { projected } from "./work/orderTable";

const DAY_OLD_MS = 20 * 3_600_000;
const REFRESH_MS = 30_000;

/** Who works with this phone, kept so that it also works where nobody can be asked who he is. */
export interface Worker {
  name: string;
  display: string;
  technicianId: string;
  crewId: string;
  /** In a demonstration; kept too, because without reception nobody says it. */
  demo?: boolean;
}

let kept: Kept = inMemory();
let sender: Sender;

export const phone = reactive({
  ready: false,
  lasting: true,
  worker: null as Worker | null,
  /** The console was reached by the last try. */
  reached: false,
  signedOut: false,
  /** Why today's orders could not be read, in both languages; null: they could. */
  trouble: null as { zh: string; en: string } | null,
  /** Orders that ring until somebody looks at them: new ones, and those of `leaksAgain`. */
  ringing: [] as string[],
  /** Orders under way where it leaks anew; they ring for that. */
  leaksAgain: [] as string[],
  persisted: false,
  /** A step or picture that could not be kept on this phone and will not be told; null once he has read it. */
  notKept: null as Act["what"] | null,
  /** The phone's disk did not do what was asked of it last. */
  broken: false,
});
export const day = shallowRef<Day | null>(null);
export const acts = shallowRef<Act[]>([]);

/** Told, but not yet seen in today's orders: without them a step would seem undone for the moment between. */
const told = shallowRef<Act[]>([]);

const online = shallowRef(navigator.onLine !== false);
export const live = computed(() => streamState.value === "live" && online.value);
export const orders = computed<FieldOrder[]>(() => day.value?.orders ?? []);
export const mine = computed(() => acts.value.filter((act) => act.who === phone.worker?.technicianId));
export const waiting = computed(() => mine.value.filter((act) => act.refused === null).length);
export const conflicts = computed(() => mine.value.filter((act) => act.refused !== null));
/** Acts that somebody else left on this phone; they wait for him. */
export const others = computed(() => acts.value.filter((act) => act.who !== phone.worker?.technicianId).length);

export function orderOf(orderNo: string): FieldOrder | null {
  return orders.value.find((order) => order.order_no === orderNo) ?? null;
}

export const actsOf = (orderNo: string): Act[] => mine.value.filter((act) => act.orderNo === orderNo);

/** The state that the technician has reached, whether the platform has heard of it or not. */
export function stateOf(order: FieldOrder): string {
  return projected(order.kind, order.state, [...told.value.filter((act) => act.orderNo === order.order_no), ...actsOf(order.order_no)], passes);
}

function passes(act: Act): boolean {
  const rules = day.value?.rules;
  const { start_kpa, end_kpa, minutes } = act.body as Record<string, number>;
  return rules !== undefined && failures(rules, start_kpa ?? 0, end_kpa ?? 0, minutes ?? 0).length === 0;
}

// --- what is kept beside the acts: where it cannot be, the page says so, and the work goes on ---------------------------------------

function broke(): undefined {
  phone.broken = true;
}

export async function keepNote(name: string, value: unknown): Promise<void> {
  await kept.setNote(name, value).then(() => (phone.broken = false), broke);
}

export const keptNote = <T>(name: string): Promise<T | undefined> => kept.note<T>(name).catch(broke);

// --- time ---------------------------------------------------------------------------------------------------------------------

/** A word on time came, or still stands. */
function keepTime(): void {
  const anchor = heardTime();
  if (anchor !== null) void keepNote("anchor", anchor);
}

async function anchor(): Promise<Anchor | null> {
  if (fresh() === null) await refresh();
  return fresh();
}

// --- today's orders -------------------------------------------------------------------------------------------------------------

let reading: Promise<void> | null = null;
let readAgain = false;

export function refresh(): Promise<void> {
  if (reading !== null) {
    readAgain = true;
    return reading;
  }
  reading = readDay().finally(() => {
    reading = null;
    if (readAgain) {
      readAgain = false;
      void refresh();
    }
  });
  return reading;
}

async function readDay(): Promise<void> {
  try {
    const who = await readSession(session.value === null);
    if (who === null) {
      phone.signedOut = true;
      return;
    }
    const toldBefore = told.value;
    const asked = clocks();
    const found = await get<Day>("/field/orders", {}, { signal: deadline(15_000) });
    // Somebody signed out or in while it was read: these orders are not to be seen by whoever holds the phone now.
    const still = (): boolean => session.value?.csrf === who.csrf;
    if (!still()) return;
    // A stream that was live before a sleep still says so after it. An answer over which the phone slept is no word on time either.
    if ((streamState.value !== "live" || fresh() === null) && agree(asked, clocks())) clockHeard({ now_ms: found.now_ms, rate: lastClockWord()?.rate ?? 1, live: true, since_ms: null });
    keepTime();
    phone.reached = true;
    phone.signedOut = false;
    phone.trouble = null;
    day.value = found;
    keepTold(told.value.filter((act) => !toldBefore.includes(act)));
    if (found.technician_id !== null && found.crew_id !== null) {
      const worker: Worker = { name: who.user.name, display: found.name ?? who.user.display, technicianId: found.technician_id, crewId: found.crew_id, demo: who.demo };
      phone.worker = worker;
      await keepNote("worker", worker);
      if (!still()) return;
      await keepNote("day", found);
    } else {
      phone.worker = null;
    }
    if (!still()) return;
    await ringForNew(found);
    startStream();
    sender.kick();
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal.status === 0 || refusal.status >= 500) phone.reached = false;
    else if (refusal.status === 401) phone.signedOut = true;
    phone.trouble = refusal.words;
  }
}

/** Also over a closed app: today's orders as they were kept may be older than what was told last. */
function keepTold(found: Act[]): void {
  told.value = found;
  void keepNote("told", found);
}

/** What rang in this life of the page: a disk that cannot be read is no reason to ring for ever. */
let rung: string[] = [];

const asGiven = (order: FieldOrder): string => `${phone.worker?.technicianId}/${order.order_no}/${order.assigned_ms}`;
const asAlarm = (order: FieldOrder): string => `${phone.worker?.technicianId}/${order.order_no}/alarm/${order.alarmed_again_ms}`;

/** Whether it leaked anew since the order is his and the place was made safe: what came before, he was told with the order or has dealt with. */
function leaksAgain(order: FieldOrder): boolean {
  return order.archived_ms === null && order.assigned_ms !== null && (order.alarmed_again_ms ?? 0) > Math.max(order.assigned_ms, order.made_safe_ms ?? 0);
}

/** An order that waits for its crew, and a new leak at one of theirs, ring once for each technician on each phone, also where they came while nobody listened. */
async function ringForNew(found: Day): Promise<void> {
  const known = new Set([...((await keptNote<string[]>("rung")) ?? []), ...rung]);
  const given = found.orders.filter((order) => order.state === "assigned" && !known.has(asGiven(order)));
  const again = found.orders.filter((order) => leaksAgain(order) && !known.has(asAlarm(order)));
  rung = [...found.orders.filter((order) => order.assigned_ms !== null).map(asGiven), ...found.orders.filter(leaksAgain).map(asAlarm)];
  await keepNote("rung", rung);
  if (given.length + again.length === 0) return;
  phone.leaksAgain = [...new Set([...phone.leaksAgain, ...again.map((order) => order.order_no)])];
  phone.ringing = [...new Set([...phone.ringing, ...[...given, ...again].map((order) => order.order_no)])];
  ring.start();
}

export function hush(): void {
  phone.ringing = [];
  phone.leaksAgain = [];
  ring.stop();
}

/** What is measured at the order's place, written into today's orders. */
export async function readLive(orderNo: string): Promise<void> {
  const found = await get<Live>(`/field/orders/${encodeURIComponent(orderNo)}/live`, {}, { signal: deadline(8000) });
  const now = day.value;
  if (now === null) return;
  day.value = { ...now, orders: now.orders.map((order) => (order.order_no === orderNo ? { ...order, live: found } : order)) };
}

// --- acts -----------------------------------------------------------------------------------------------------------------------

const taking = new Set<string>();

/** `stamp`: when it was done, where that was not just now. */
export async function act(order: FieldOrder, what: StepName | PictureName, body: Record<string, unknown> = {}, picture: Picture | null = null, stamp: Stamp = stampNow()): Promise<boolean> {
  const worker = phone.worker;
  if (worker === null) return false;
  // A second tap before the first is kept is no second step: it would be refused, and hold up what follows on its order.
  const one = `${order.order_no} ${isStep({ what }) ? "step" : what === "photo" ? newKey() : what}`;
  if (taking.has(one)) return false;
  taking.add(one);
  try {
    await sender.take({
      key: newKey(),
      who: worker.technicianId,
      orderNo: order.order_no,
      what,
      body,
      picture,
      stamp,
      notBeforeMs: order.created_ms,
      happenedMs: null,
      refused: null,
      requestId: null,
    });
  } catch {
    phone.notKept = what;
    return false;
  } finally {
    taking.delete(one);
  }
  void navigator.storage?.persist?.().then((granted) => (phone.persisted = granted), () => undefined);
  return true;
}

/** Who is signed in is he who did it. */
const under = (its: Act): boolean => session.value?.user.technician_id === its.who;

const orSaid = (refused: Act, done: Promise<void>): Promise<void> => done.catch(() => void (phone.notKept = refused.what));
export const again = (refused: Act): Promise<void> => orSaid(refused, sender.again(refused));
export const drop = (refused: Act): Promise<void> => orSaid(refused, sender.drop(refused));
export const pastsOf = async (orderNo: string): Promise<Past[]> => (await kept.pasts(orderNo).catch(broke)) ?? [];

// --- drafts: what is typed but not yet an act, kept over a closed app ---------------------------------------------------------------

export const draft = <T>(name: string): Promise<T | undefined> => keptNote<T>(`draft:${name}`);
export const keepDraft = (name: string, value: unknown): Promise<void> => keepNote(`draft:${name}`, value);
export const dropDraft = (name: string): Promise<void> => kept.dropNote(`draft:${name}`).catch(broke);

// --- life -------------------------------------------------------------------------------------------------------------------------

export async function startPhone(): Promise<void> {
  kept = await openKept();
  phone.lasting = kept.lasting;
  sender = new Sender(
    kept,
    {
      post: async (sent, broken) => {
        // After a start without reception nobody has asked yet who is signed in; and it may be another than when this act was chosen. A
        // change carries the session that is looked at here, so that none leaves under another's.
        if (!under(sent) && (await readSession(true).catch(() => undefined)) === undefined) return { kind: "unreachable" };
        if (!under(sent)) return { kind: "signed_out" };
        return post(sent, trueNow, broken);
      },
      anchor,
      who: () => phone.worker?.technicianId ?? null,
      newKey,
      nowMs: trueNow,
      broken: broke,
      ...(navigator.locks ? { alone: async (work: () => Promise<void>) => void (await navigator.locks.request("gas-sentinel-field-sender", work)) } : {}),
    },
    (left, ended) => {
      if (ended?.outcome.kind === "sent") keepTold([...told.value, { ...ended.act, picture: null }]);
      acts.value = left;
      if (ended === null) return;
      phone.reached = true;
      // Another's session: his orders are read, and what he did is sent.
      const another = session.value !== null && !under(ended.act);
      if (ended.outcome.kind === "signed_out" && !another) phone.signedOut = true;
      else if (["sent", "refused", "signed_out"].includes(ended.outcome.kind)) void refresh();
    },
  );
  acts.value = (await kept.acts().catch(broke)) ?? [];
  beginWith((await keptNote<Anchor>("anchor")) ?? null);
  if (hasLeft()) await forgetDay();
  const day0 = await keptNote<Day>("day");
  const worker = await keptNote<Worker>("worker");
  // Other people's addresses do not stay on a phone for longer than the work.
  if (day0 !== undefined && worker !== undefined && trueNow() - day0.now_ms < DAY_OLD_MS) {
    day.value = day0;
    told.value = (await keptNote<Act[]>("told")) ?? [];
    phone.worker = worker;
  } else {
    await kept.dropNote("day").catch(broke);
  }
  phone.ready = true;
  signedOutTo((out) => (out ? void forgetDay() : (phone.signedOut = true)));
  for (const name of ["order", "incident", "command", "attachment"] as const) on(name, soon);
  onResync(() => void refresh());
  setInterval(() => {
    if (streamState.value === "live") keepTime();
    else if (document.visibilityState === "visible") void refresh();
  }, 5000);
  setInterval(() => void refresh(), REFRESH_MS);
  for (const kind of ["online", "offline"] as const) {
    addEventListener(kind, () => {
      online.value = kind === "online";
      if (online.value) void refresh();
      else phone.reached = false;
    });
  }
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && void refresh());
  addEventListener("pagehide", leaveCrew);
  // Where nothing lasts, closing the page would lose what he did: the browser asks him first.
  addEventListener("beforeunload", (event) => !phone.lasting && waiting.value > 0 && event.preventDefault());
  await refresh();
}

/** In the demonstration: the simulated crew goes on when this page is closed. One that is only read again has said by then that it is back. */
function leaveCrew(): void {
  const orderNo = day.value?.orders[0]?.order_no;
  if (!demo.value || orderNo === undefined) return;
  const body = JSON.stringify({ order_no: orderNo, plays: false });
  void send("/demo/crew", { method: "POST", keepalive: true, headers: { ...changeHeaders(), "Content-Type": "application/json" }, body }).catch(() => undefined);
}

let later: ReturnType<typeof setTimeout> | undefined;

function soon(): void {
  clearTimeout(later);
  later = setTimeout(() => void refresh(), 250);
}

/** Signed out: other people's data leaves the phone; what was done and not sent stays, for the same technician. */
export async function forgetDay(): Promise<void> {
  stopStream();
  hush();
  day.value = null;
  phone.worker = null;
  phone.signedOut = true;
  told.value = [];
  // What rang for him stays, by numbers alone: it does not ring for him once more when he signs in again.
  for (const name of ["day", "worker", "told"]) await kept.dropNote(name).catch(broke);
  // What one man measured at the door opens it for nobody else.
  await kept.dropNotes("draft:door:").catch(broke);
}
