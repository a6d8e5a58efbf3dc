// The platform's time on the phone: what the clocks show, the platform's last word, and what can be said of now.
//
//   now          ref of the platform's time, moving twice a second: every age on these pages is counted by it
//   trueNow()    the same at this moment, also without reception and after a start without it
//   stampNow()   what an act keeps of the moment at which it was done
//   fresh()      the platform's time paired with the phone's clocks; null where it was not heard a moment ago
//
// The monotonic clock may stand still while the phone sleeps. What is counted by it from the last word is then behind, and a pair of it
// with the wall clock is false by the length of the sleep: such a pair is never made.

import { shallowRef } from "vue";
import { newKey } from "@/shared/api";
import { lastClockWord, serverNow } from "@/shared/clock";
import { agree, reckon, type Anchor, type Stamp } from "./queue/trueTime";

const LIFE = newKey();
const WORD_OLD_MS = 15_000;
const TICK_MS = 500;
let anchorKept: Anchor | null = null;

export const clocks = (): Pick<Stamp, "wallMs" | "monoMs" | "life"> => ({ wallMs: Date.now(), monoMs: performance.now(), life: LIFE });

export function fresh(): Anchor | null {
  const word = lastClockWord();
  const at = clocks();
  if (word === null || at.monoMs - word.monoMs > WORD_OLD_MS || !agree(word, at)) return null;
  return { serverMs: serverNow(), rate: word.rate, ...at };
}

export function stampNow(): Stamp {
  return { ...clocks(), anchor: fresh() ?? anchorKept };
}

export function trueNow(): number {
  return fresh()?.serverMs ?? reckon(stampNow());
}

/** Where the phone kept it over its last start; null: it kept none. */
export function beginWith(anchor: Anchor | null): void {
  anchorKept = anchor;
  now.value = trueNow();
}

/** For whatever brought a word on time: the pair to be kept, or null where there is none to trust. */
export function heardTime(): Anchor | null {
  const anchor = fresh();
  if (anchor !== null) anchorKept = anchor;
  return anchor;
}

export const now = shallowRef(trueNow());
setInterval(() => (now.value = trueNow()), TICK_MS);
