// The steps of an order, as dispatch's order table has them today, to show on the phone what comes next before the platform has heard
// of what was done. The station judges; where it refuses, its words are shown and nothing of this counts.

import type { Act, StepName } from "../queue/act";

export type State =
  | "created" | "waiting" | "assigned" | "accepted" | "on_site" | "no_access" | "made_safe" | "cause_recorded" | "tightness_passed"
  | "restored" | "archived";

type Table = Readonly<Record<string, State>>;

const SENT: Table = {
  "assigned accept": "accepted",
  "accepted on-site": "on_site",
  "on_site no-access": "no_access",
  "no_access on-site": "on_site",
  "cause_recorded archive": "archived",
};
const EMERGENCY: Table = {
  ...SENT,
  "on_site made-safe": "made_safe",
  "made_safe cause": "cause_recorded",
  "cause_recorded tightness-test": "tightness_passed",
  "tightness_passed tightness-test": "tightness_passed",
  "tightness_passed restore": "restored",
  "tightness_passed archive": "archived",
  "restored archive": "archived",
};
/** Inspection and triage: nothing was shut off, so nothing is made safe, tested or restored. */
const VISIT: Table = { ...SENT, "on_site cause": "cause_recorded" };

export const tableOf = (kind: string): Table => (kind === "emergency" ? EMERGENCY : VISIT);

/** The steps that dispatch would take in a state. */
export function stepsIn(kind: string, state: string): StepName[] {
  return Object.keys(tableOf(kind)).filter((row) => row.startsWith(`${state} `)).map((row) => row.slice(state.length + 1) as StepName);
}

/** The state with the acts that the phone still keeps, up to the first that was refused. A test's result is `passes`'s to say. */
export function projected(kind: string, state: string, acts: readonly Act[], passes: (act: Act) => boolean): string {
  let found = state;
  for (const act of [...acts].sort((a, b) => a.no - b.no)) {
    if (act.what === "photo" || act.what === "signature") continue;
    if (act.refused !== null) break;
    const after = tableOf(kind)[`${found} ${act.what}`];
    if (after === undefined) continue;
    found = act.what === "tightness-test" && !passes(act) ? "cause_recorded" : after;
  }
  return found;
}
