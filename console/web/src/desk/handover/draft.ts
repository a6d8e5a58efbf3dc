// What is written and chosen for a handover and not signed yet, kept in this tab for its writer: a session ends after as long as a shift,
// and what was written all night must not end with it. Gone with its signature, when he signs out himself, or once it is of an earlier shift.

import type { Router } from "vue-router";
import { session } from "@/shared/session";

export interface Unsigned {
  remarks: string;
  /** Who takes what, by thing. */
  chosen: Record<string, string>;
}

const KEPT = "handover:";
/** As long as a session and what follows it may last: what is older was never signed, and is no draft of this shift. */
const KEPT_MS = 14 * 3_600_000;
const NONE: Unsigned = { remarks: "", chosen: {} };

export function readUnsigned(name: string): Unsigned {
  try {
    const { atMs = 0, ...found } = JSON.parse(sessionStorage.getItem(KEPT + name) ?? "{}") as Partial<Unsigned> & { atMs?: number };
    if (Date.now() - atMs <= KEPT_MS) return { ...NONE, ...found };
    sessionStorage.removeItem(KEPT + name);
    return NONE;
  } catch {
    return NONE;
  }
}

export function keepUnsigned(name: string, { remarks, chosen }: Unsigned): void {
  try {
    if (remarks === "" && Object.keys(chosen).length === 0) sessionStorage.removeItem(KEPT + name);
    else sessionStorage.setItem(KEPT + name, JSON.stringify({ remarks, chosen, atMs: Date.now() }));
  } catch {
    // A browser that keeps nothing: it holds for this page then.
  }
}

function forgetAll(): void {
  try {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith(KEPT)) sessionStorage.removeItem(key);
  } catch {
    // Nothing was kept.
  }
}

/** For the router, whatever page is open: from now on whoever signs out himself leaves nothing behind. Where a session ended by itself, the door is told so (`ended`). */
export function forgetWhenSignedOut(router: Router): void {
  router.afterEach((to, from) => {
    const himself = to.path === "/signin" && to.query.ended === undefined && to.redirectedFrom === undefined && from.matched.length > 0;
    if (himself && session.value === null) forgetAll();
  });
}
