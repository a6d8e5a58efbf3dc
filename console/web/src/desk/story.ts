// The story of an incident made ready to be read: many re-sends, or notes of a leak that lasts, in a row folded to the first and the last, and each of the incident's
// clocks put beside the sentence that it belongs to. Pure.

import type { Clocks, Entry } from "@/shared/model";
import { CLOCKS, type ClockName } from "@/shared/words";

export interface Told {
  entry: Entry;
  clocks: ClockName[];
  /** How many that say the same are left out just before it. */
  folded: number;
}

/** The sentences that tell of a clock; the first of them at its very millisecond has it. */
const KINDS: Partial<Record<ClockName, readonly string[]>> = {
  T1: ["closed_locally"], T2: ["opened"], T3: ["close_sent"], T4: ["reported_closed", "closed_locally"], T5: ["valve_holds"], T5c: ["room_clearing"],
  T6a: ["call_placed"], T6b: ["call_ringing"], T7: ["call_key"], T8: ["created"], T9: ["assign", "reassign"], T10: ["accept"], T11: ["arrive", "on_site"],
  T12: ["make_safe", "made_safe"], T13: ["pass_test", "tightness_test"], T14: ["restore"],
};

/** In the order in which it happened, as the API gives it: also within a millisecond, and for what was heard live. */
export function byTime(a: Entry, b: Entry): number {
  return a.at_ms - b.at_ms || a.nth - b.nth || (a.entry_id < b.entry_id ? -1 : 1);
}

/** Whether a neighbour says the same once more. */
function repeats(entry: Entry, beside: Entry | undefined): boolean {
  if (entry.kind === "close_resent") return beside?.kind === "close_resent";
  return entry.kind === "leak_again" && entry.entry_id.startsWith("step:") && beside?.kind === "leak_again" && beside.zh === entry.zh;
}

export function told(entries: readonly Entry[], clocks: Clocks): Told[] {
  const kept = entries.filter((entry, index) => !(repeats(entry, entries[index - 1]) && repeats(entry, entries[index + 1])));
  const found = new Map<Entry, ClockName[]>();
  for (const name of CLOCKS) {
    const ms = clocks[name];
    if (ms === null || ms === undefined) continue;
    const then = kept.filter((entry) => entry.at_ms === ms);
    const entry = then.find((each) => KINDS[name]?.includes(each.kind)) ?? (name === "T0" ? undefined : then[0]);
    if (entry !== undefined) found.set(entry, [...(found.get(entry) ?? []), name]);
  }
  const at = new Map(entries.map((entry, index) => [entry, index]));
  const gap = (index: number): number => (index === 0 ? 0 : (at.get(kept[index] as Entry) ?? 0) - (at.get(kept[index - 1] as Entry) ?? 0) - 1);
  return kept.map((entry, index) => ({ entry, clocks: found.get(entry) ?? [], folded: gap(index) }));
}
