// Whether somebody sits at this page: a touch, a key, a wheel, a pointer that is moved; a click or a word that came without them, by
// voice control or a screen reader. Opening the page is an act too.
//
//   idleMs()       how long nobody has done anything, ms
//   unattended()   nobody has for a minute
//   actedAt        ref that moves with acts, at most once a second
//
// Every request says it (api.ts): what a page asks by itself keeps nobody signed in.

import { shallowRef } from "vue";

const KINDS = ["pointerdown", "pointermove", "touchstart", "keydown", "wheel", "click", "input"] as const;
const MOMENT_MS = 1000;
const UNATTENDED_MS = 60_000;

const clocks = () => ({ monoMs: performance.now(), wallMs: Date.now() });

export const actedAt = shallowRef(clocks());

/** By whichever clock says more: the monotonic one may stand still while the machine sleeps, the wall clock may be set back. */
export function idleMs(): number {
  const at = clocks();
  return Math.max(0, at.monoMs - actedAt.value.monoMs, at.wallMs - actedAt.value.wallMs);
}

export const unattended = (): boolean => idleMs() > UNATTENDED_MS;

let where = "";

function acted(event: Event): void {
  if (event.type === "pointermove") {
    // A page that moves under a pointer at rest makes a browser say "moved" too.
    const { screenX, screenY } = event as PointerEvent;
    const before = where;
    where = `${screenX} ${screenY}`;
    if (before === where || before === "") return;
  }
  if (Math.abs(performance.now() - actedAt.value.monoMs) >= MOMENT_MS) actedAt.value = clocks();
}

if (typeof addEventListener === "function") for (const kind of KINDS) addEventListener(kind, acted, { capture: true, passive: true });
