// What is written and chosen for a handover and not signed yet, kept in this tab for its writer: a session ends after as long as a shift,
// and what was written all night must not end with it. Gone with its signature, or when he signs out himself.

import type { Router } from "vue-router";
import { session } from "@/shared/session";

export interface Unsigned {
  remarks: string;
  /** Who takes what, by thing. */
  chosen: Record<string, string>;
}

const KEPT = "handover:";
const NONE: Unsigned = { remarks: "", chosen: {} };

export function readUnsigned(name: string): Unsigned {
  try {
    return { ...NONE, ...(JSON.parse(sessionStorage.getItem(KEPT + name) ?? "{}") as Partial<Unsigned>) };
  } catch {
    return NONE;
  }
}

export function keepUnsigned(name: string, { remarks, chosen }: Unsigned): void {
  try {
    if (remarks === "" && Object.keys(chosen).length === 0) sessionStorage.removeItem(KEPT + name);
    else sessionStorage.setItem(KEPT + name, JSON.stringify({ remarks, chosen }));
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

let guarded: Router | null = null;

/** From now on whoever signs out himself leaves nothing behind. Where a session ended by itself, the door is told so (`ended`). */
export function forgetWhenSignedOut(router: Router): void {
  if (guarded === router) return;
  guarded = router;
  router.afterEach((to, from) => {
    const himself = to.path === "/signin" && to.query.ended === undefined && to.redirectedFrom === undefined && from.matched.length > 0;
    if (himself && session.value === null) forgetAll();
  });
}
