// What goes wrong with the gas at an order's place and is closed by hand: said above all else of the order. Judged as the desk judges it.

import type { Incident } from "@/shared/model";
import { alarmOf } from "@/shared/words";
import type { Live } from "./model";

export type Wrong = "before_meter" | "gas_still_flows" | "no_answer";

/** He has said that the place is made safe: what no meter confirmed, he closed by hand. Gas that flows is measured, whatever he said. */
const MADE_SAFE = new Set(["made_safe", "cause_recorded", "tightness_passed", "restored"]);

/** As much of an incident as its valve is judged by. What the phone kept from before an update has no time in it. */
export function asIncident(live: Live): Incident {
  return {
    valve: live.valve, valve_words: live.valve_words, proof: live.proof, proof_words: live.proof_words, proof_due_ms: live.proof_due_ms,
    clearing: live.clearing, clearing_words: live.clearing_words, close_sent_ms: live.close_sent_ms ?? null, answer_due_ms: live.answer_due_ms,
    holds_ms: live.holds_ms ?? null, reported_closed_ms: null, clearing_ms: null, before_meter_ms: null, before_meter_first_ms: null, call: null,
  } as Incident;
}

/** `state`: the one that the technician has reached. */
export function wrongAt(live: Live, state: string, nowMs: number): Wrong[] {
  if (state === "archived") return [];
  // A room that does not clear is worse than a valve that says nothing, and hides no word on it here.
  const valve = alarmOf({ ...asIncident(live), clearing: "unknown" }, nowMs);
  return [
    ...(live.before_meter ? (["before_meter"] as const) : []),
    ...(valve === "gas_still_flows" || (valve === "no_answer" && !MADE_SAFE.has(state)) ? [valve] : []),
  ];
}
