// The server's clock: every time and age on a page is told by it, never by the machine that shows the page.
//
//   serverNow()   Unix ms of the platform, which may run at another rate (scenarios)
//   now           ref of the same, moving twice a second: for ages and countdowns in templates
//   clockHeard()  for stream.ts: the server's word on time
//
// Before the first word the machine's own clock stands in.

import { shallowRef } from "vue";

export interface ClockWord {
  now_ms: number;
  rate: number;
  /** false while the platform cannot hear its database: what is shown may be old. */
  live: boolean;
  since_ms: number | null;
}

const TICK_MS = 500;
/** What the machine's own clocks showed when the word was heard: the monotonic one may stand still while the machine sleeps. */
export interface HeardWord extends ClockWord {
  monoMs: number;
  wallMs: number;
}

let word: HeardWord | null = null;

export const now = shallowRef(Date.now());

export function clockHeard(heard: ClockWord): void {
  word = { ...heard, monoMs: performance.now(), wallMs: Date.now() };
  now.value = serverNow();
}

export function lastClockWord(): HeardWord | null {
  return word;
}

export function serverNow(): number {
  return word === null ? Date.now() : Math.round(word.now_ms + (performance.now() - word.monoMs) * word.rate);
}

setInterval(() => {
  now.value = serverNow();
}, TICK_MS);
