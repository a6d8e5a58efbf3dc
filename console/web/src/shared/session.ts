// Who is signed in, and what that person may do. The console decides; this only keeps its word.
//
//   session          ref of the session, null when nobody is signed in; `known` is false until that was asked
//   readSession()    asks once; signIn / signOut / takeLink / setUp change it
//   may(right)       for showing or hiding; a page that shows too much is refused by the console all the same
//   signedOutTo(go)  for the router: what to do when the console no longer knows us

import { computed, shallowRef } from "vue";
import { carry, get, post, Refusal, remove } from "./api";
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

const asked: { once: Promise<Session | null> | null; leave: () => void } = { once: null, leave: () => undefined };

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
  if (asked.once === null || again) {
    asked.once = get<Session>("/session").then(take, (error: unknown) => {
      asked.once = null;
      if (error instanceof Refusal && error.status === 401) return take(null);
      throw error;
    });
  }
  return asked.once;
}

function begun(found: Session): Session {
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
  return begun(await post<Session>("/session", { name, password }));
}

/** What a one-time link is for, where it does not sign in by itself. */
export interface LinkNeeds {
  needs: "first_user" | "password";
  name: string | null;
  display: string | null;
}

/** The link of the demo signs in, seen through `as`; every other says what it needs. */
export async function takeLink(token: string, as?: Role): Promise<Session | LinkNeeds> {
  const found = await post<Session | LinkNeeds>("/session/link", { token, ...(as ? { as } : {}) });
  return "needs" in found ? found : begun(found);
}

/** By a link, or signed in by the old password. */
export async function choosePassword(choice: { token?: string; old_password?: string; password: string }): Promise<Session> {
  return begun(await post<Session>("/session/password", choice));
}

export async function setUp(person: { token: string; name: string; display: string; password: string; language: Language }): Promise<Session> {
  return begun(await post<Session>("/setup", person));
}

export async function signOut(): Promise<void> {
  try {
    await remove("/session");
  } finally {
    asked.once = Promise.resolve(null);
    take(null);
  }
}

function forget(): void {
  const somebody = session.value !== null;
  asked.once = Promise.resolve(null);
  take(null);
  if (somebody) asked.leave();
}

export function signedOutTo(leave: () => void): void {
  asked.leave = leave;
  carry(session.value?.csrf ?? null, forget);
}

/** The console closed our stream because the session ended. */
export const sessionEnded = forget;
