// The stage of the queue's tests: an act with everything that the test does not speak of.

import type { Act } from "./act";

export function act(no: number, changes: Partial<Act> = {}): Act {
  return {
    no, key: `key-${no}`, who: "C1-A", orderNo: "QX-1", what: "accept", body: {}, picture: null,
    stamp: { wallMs: 0, monoMs: 0, life: "a", anchor: null }, notBeforeMs: 0, happenedMs: 1, refused: null, requestId: null, ...changes,
  };
}
