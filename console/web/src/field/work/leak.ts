// When gas has leaked anew while a page is open. What is read of an order may arrive out of turn: an older word is no new leak.

import { watch } from "vue";

/** `lastMs`: the last leak as it was read now, Unix ms; `then` is called whenever that is later than any before. */
export function onNewLeak(lastMs: () => number | null, then: () => void): void {
  let latestMs = lastMs() ?? 0;
  watch(lastMs, (nowMs) => {
    if (nowMs === null || nowMs <= latestMs) return;
    latestMs = nowMs;
    then();
  });
}
