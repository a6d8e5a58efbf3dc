// Who is signed in, and what that person may do. The console decides; this only keeps its word.
//
//   session          ref of the session, null when nobody is signed in; `known` is false until that was asked
//   readSession()    asks once; signIn / signOut / takeLink / setUp change it
//   may(right)       for showing or hiding; a page that shows too much is refused by the console all the same
//   signedOutTo(go)  for the router: what to do when the console no longer knows us, or when somebody signed out in this browser
//   hasLeft()        somebody signed out in this browser, and the console has not heard of it yet
//
// Whoever signs out is out, whether the console can be reached or not: until it has ended the session, or somebody signs in anew, this
// browser takes none up again, in no tab and after no reload. The cookie alone would.

import { computed, shallowRef } from "vue";
import { carry, get, post, Refusal, remove } from "./api";
import { deadline } from "./deadline";
import { setLanguage, type Language } from "./i18n";

export type Role = "viewer" | "operator" | "dispatcher" | "technician" | "supervisor" | "engineer" | "auditor" | "integration";
export const ROLES: readonly Role[] = ["viewer", "operator", "dispatcher", "technician", "supervisor", "engineer", "auditor"];
export type Right =
  | "read" | "read_people" | "unmask" | "remark" | "hotline" | "close_valve" | "device_command" | "order_step" | "order_desk"
  | "assign" | "hold" | "task" | "handover" | "export" | "users" | "tokens" | "audit" | "demo";

export interface Session {
  user: {
    name: string;
    display: string;
    roles: Role[];
    districts: string[] | null;
    technician_id: string | null;
    crew_id: string | null;
    language: string | null;
  };
  rights: Right[];
  csrf: string;
  expires_ms: number;
  /** The server's real time as it answered. */
  now_ms: number;
  demo: boolean;
}

export const session = shallowRef<Session | null>(null);
export const known = shallowRef(false);
/** Demo mode: everything on the page is the simulated district. */
export const demo = computed(() => session.value?.demo === true);

const asked: { once: Promise<Session | null> | null; leave: (out: boolean) => void } = { once: null, leave: () => undefined };

const LEFT = "signed out";
const END_WAIT_MS = 8000;
const END_AGAIN_MS = 5000;
/** Where the browser keeps nothing, the page knows it as long as it lives. */
let leftHere = false;
let ending: Promise<null> | null = null;
let endAgain: ReturnType<typeof setTimeout> | undefined;
/** How many sign-ins are on their way. */
let coming = 0;
/** Grows with every sign-in and sign-out: what was asked before is no answer after. */
let turns = 0;

export function hasLeft(): boolean {
  try {
    return leftHere || localStorage.getItem(LEFT) !== null;
  } catch {
    return leftHere;
  }
}

function setLeft(is: boolean): void {
  leftHere = is;
  clearTimeout(endAgain);
  try {
    if (is) localStorage.setItem(LEFT, "1");
    else localStorage.removeItem(LEFT);
  } catch {
    // Kept in this page alone.
  }
}

/** Ends at the console what somebody has left. Throws Refusal while it cannot be reached; it is tried again by itself. */
function end(): Promise<null> {
  // The word and the cookie of the end would come over those of whoever comes in: his own sign-in ends what was before.
  if (coming > 0 && session.value === null) {
    endLater();
    return Promise.resolve(null);
  }
  ending ??= endNow().then(
    () => {
      setLeft(false);
      return null;
    },
    (error: unknown) => {
      endLater();
      throw error;
    },
  ).finally(() => (ending = null));
  return ending;
}

function endLater(): void {
  clearTimeout(endAgain);
  endAgain = setTimeout(() => void over(), END_AGAIN_MS);
}

async function endNow(): Promise<void> {
  try {
    // After a reload the word that a change carries is not known: it is asked for, and nothing else is done with the answer.
    if (session.value === null) carry((await get<Session>("/session", {}, { signal: deadline(END_WAIT_MS) })).csrf);
    await remove("/session", { signal: deadline(END_WAIT_MS) });
  } catch (error) {
    // The cookie lives on: whoever comes in beside it needs its word.
    if (!(error instanceof Refusal && error.status === 401)) throw error;
  }
  if (session.value === null) carry(null);
}

async function over(): Promise<void> {
  if (hasLeft()) await end().catch(() => undefined);
}

/** Somebody comes in, after who has left is out: a change beside a live cookie would need its word. */
async function come<T>(path: string, body: unknown): Promise<T> {
  await over();
  coming += 1;
  try {
    return await post<T>(path, body);
  } finally {
    coming -= 1;
  }
}

let heardAt = 0;

/** How long this sign-in still lasts, ms, by the server's clock: the browser's own may be hours wrong. Infinite where nobody is signed in. */
export function leftMs(): number {
  return session.value === null ? Number.POSITIVE_INFINITY : session.value.expires_ms - session.value.now_ms - (performance.now() - heardAt);
}

export function may(right: Right): boolean {
  return session.value?.rights.includes(right) ?? false;
}

/** A technician and nothing else: his page is the one on the phone. */
export function fieldOnly(): boolean {
  const roles = session.value?.user.roles ?? [];
  return roles.length > 0 && roles.every((role) => role === "technician");
}

function take(found: Session | null): Session | null {
  heardAt = performance.now();
  session.value = found;
  known.value = true;
  carry(found?.csrf ?? null);
  return found;
}

/** Asked once a page; `again` asks anew. Throws Refusal when the console cannot be reached. */
export function readSession(again = false): Promise<Session | null> {
  if (hasLeft()) return end();
  if (asked.once === null || again) {
    const turn = turns;
    const taken = (found: Session | null) => (turn === turns ? take(found) : session.value);
    asked.once = get<Session>("/session").then(taken, (error: unknown) => {
      if (turn === turns) asked.once = null;
      if (error instanceof Refusal && error.status === 401) return taken(null);
      throw error;
    });
  }
  return asked.once;
}

function begun(found: Session): Session {
  turns += 1;
  setLeft(false);
  asked.once = Promise.resolve(found);
  take(found);
  const wished = found.user.language;
  // A demonstration has no person whose language it would be: the browser's own stays.
  if (!found.demo && (wished === "zh" || wished === "en") && !remembered()) setLanguage(wished);
  return found;
}

function remembered(): boolean {
  try {
    return localStorage.getItem("language") !== null;
  } catch {
    return false;
  }
}

export async function signIn(name: string, password: string): Promise<Session> {
  return begun(await come<Session>("/session", { name, password }));
}

/** What a one-time link is for, where it does not sign in by itself. */
export interface LinkNeeds {
  needs: "first_user" | "password";
  name: string | null;
  display: string | null;
}

/** The link of the demo signs in, seen through `as`; every other says what it needs. */
export async function takeLink(token: string, as?: Role): Promise<Session | LinkNeeds> {
  const found = await come<Session | LinkNeeds>("/session/link", { token, ...(as ? { as } : {}) });
  return "needs" in found ? found : begun(found);
}

/** By a link, or signed in by the old password. */
export async function choosePassword(choice: { token?: string; old_password?: string; password: string }): Promise<Session> {
  return begun(await come<Session>("/session/password", choice));
}

export async function setUp(person: { token: string; name: string; display: string; password: string; language: Language }): Promise<Session> {
  return begun(await come<Session>("/setup", person));
}

/** Out at once; the console hears of it when it can. */
export function signOut(): void {
  setLeft(true);
  void end().catch(() => undefined);
  nobody();
}

function nobody(): void {
  turns += 1;
  asked.once = Promise.resolve(null);
  take(null);
}

function forget(): void {
  const somebody = session.value !== null;
  nobody();
  if (somebody) asked.leave(false);
}

// The other tabs of this browser have the same cookie.
function toldByAnother(event: StorageEvent): void {
  if (event.key !== LEFT) return;
  if (event.newValue === null) {
    leftHere = false;
    asked.once = null;
    return;
  }
  nobody();
  asked.leave(true);
}
if (typeof addEventListener === "function") addEventListener("storage", toldByAnother);

/** `out`: somebody signed out, in another tab of this browser; else the console no longer knows us. */
export function signedOutTo(leave: (out: boolean) => void): void {
  asked.leave = leave;
  carry(session.value?.csrf ?? null, forget);
}

/** The console closed our stream because the session ended. */
export const sessionEnded = forget;
