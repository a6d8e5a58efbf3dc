// One thing that a technician did: a step of an order, a photo, a signature. And what becomes of it, as a pure state machine.
//
//   waiting --sent--> gone        waiting --refused--> refused --again--> waiting (a new key)
//   waiting --put, no answer yet--> waiting, with the request to ask for    refused --dropped--> gone
//
// Steps leave in the order in which they were done; behind a refused one its order waits, other orders go on. Pictures follow in their
// own order when no step can go, and one that is under way gives way to a step: a slow photo never holds up the word that a place is safe,
// and a refusal of a step never holds back the evidence. Knows no network, no database and no clock.

import type { Stamp } from "./trueTime";

export const STEP_NAMES = ["accept", "on-site", "no-access", "made-safe", "cause", "tightness-test", "restore", "archive"] as const;
export type StepName = (typeof STEP_NAMES)[number];
export type PictureName = "photo" | "signature";

export interface Place {
  lon: number;
  lat: number;
  datum: "WGS-84" | "GCJ-02";
}

export interface Picture {
  bytes: ArrayBuffer;
  type: string;
  place: Place | null;
}

export interface Refused {
  status: number;
  reason: string;
  zh: string;
  en: string;
  /** Platform time when it was said, Unix ms. */
  atMs: number;
}

export interface Act {
  /** Grows with every act of this phone: the order in which things were done. */
  no: number;
  /** Idempotency-Key: the same act keeps it however often it is sent. */
  key: string;
  /** Who did it; nobody else's session sends it. */
  who: string;
  orderNo: string;
  what: StepName | PictureName;
  body: Record<string, unknown>;
  picture: Picture | null;
  stamp: Stamp;
  /** It cannot have been done before, Unix ms: the order was not made yet. */
  notBeforeMs: number;
  /** True time of the act, Unix ms; null until it is settled, and never changed after: it goes under the key. */
  happenedMs: number | null;
  refused: Refused | null;
  /** The console has put it before the station, which has not answered yet. */
  requestId: string | null;
}

export type NewAct = Omit<Act, "no">;

export type Outcome =
  | { kind: "sent" }
  | { kind: "put"; requestId: string }
  | { kind: "lost_request" }
  | { kind: "refused"; refused: Refused }
  | { kind: "unreachable" }
  /** A picture on its way was broken off for a step that was done meanwhile. */
  | { kind: "put_off" }
  | { kind: "busy"; afterS: number }
  | { kind: "signed_out" };

export const isStep = (act: Pick<Act, "what">): boolean => act.what !== "photo" && act.what !== "signature";

/** The act to send now, or null. */
export function next(acts: readonly Act[], who: string): Act | null {
  const mine = [...acts].filter((act) => act.who === who).sort((a, b) => a.no - b.no);
  const stopped = new Set<string>();
  for (const act of mine) {
    if (!isStep(act)) continue;
    if (act.refused !== null) stopped.add(act.orderNo);
    else if (!stopped.has(act.orderNo)) return act;
  }
  return mine.find((act) => !isStep(act) && act.refused === null) ?? null;
}

/** What is left of an act after an outcome; null when nothing is. */
export function after(act: Act, outcome: Outcome): Act | null {
  switch (outcome.kind) {
    case "sent":
      return null;
    case "put":
      return { ...act, requestId: outcome.requestId };
    case "lost_request":
      return { ...act, requestId: null };
    case "refused":
      return { ...act, refused: outcome.refused, requestId: null };
    default:
      return act;
  }
}

/** A refused act is to be sent again. It changed nothing: under its old key only the old answer would be heard. */
export function again(act: Act, key: string): Act {
  return { ...act, key, refused: null, requestId: null };
}

/** How long to wait after an outcome before the next try, ms; null: until somebody signs in; 0: go on at once. */
export function pauseAfter(outcome: Outcome, failures: number): number | null {
  switch (outcome.kind) {
    case "sent":
    case "refused":
    case "lost_request":
    case "put_off":
      return 0;
    case "put":
      return 1000;
    case "busy":
      return Math.max(1, outcome.afterS) * 1000;
    case "signed_out":
      return null;
    case "unreachable":
      return Math.min(30_000, 1000 * 2 ** Math.min(failures, 5));
  }
}
