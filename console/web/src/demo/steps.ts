// The guided first minute as a list of steps, from what is known of one leak and nothing else: no step is done by time.
// Pure: facts in, steps out; the sentences are in messages.ts, by name.

import type { Call, Command, Incident, Task } from "../shared/model";

export const STEP_NAMES = [
  "alarmed", "close_sent", "valve_closed", "phone_rings", "key_pressed", "crew_assigned", "valve_holds", "on_site", "room_clears",
  "made_safe", "test_passed", "gas_restored",
] as const; // prettier-ignore
export type StepName = (typeof STEP_NAMES)[number];

/** done; now: what is waited for; later; trouble: not as it should be, and the platform says so. */
export type StepState = "done" | "now" | "later" | "trouble";

export interface Step {
  name: StepName;
  state: StepState;
  /** Unix ms of when it came about; for trouble of when it was said, null where that has no time of its own. */
  atMs: number | null;
  /** Which sentence of the step is told (`demo.step.<name>.<said>`). */
  said: string;
  /** What the sentence names. */
  named: Record<string, string | number>;
}

export interface Facts {
  /** null: gas gathers, and nobody knows yet. */
  incident: Incident | null;
  calls: readonly Call[];
  commands: readonly Command[];
  tasks: readonly Task[];
}

const VALVE_TROUBLE = new Set(["no_answer", "refused", "travel_time_over", "gas_still_flows", "no_meter"]);
const ASKS_PEOPLE = new Set(["nobody_confirmed", "nobody_to_call"]);

export function stepsOf({ incident, calls, commands, tasks }: Facts): Step[] {
  const clocks = incident?.clocks ?? null;
  const seen = (name: StepName, atMs: number | null | undefined, named: Step["named"] = {}, said = "done"): Step =>
    atMs === null || atMs === undefined ? { name, state: "later", atMs: null, said: "later", named } : { name, state: "done", atMs, said, named };

  const steps: Step[] = [
    seen("alarmed", clocks?.T0, { lel: rounded(incident?.ch4_lel) }),
    seen("close_sent", clocks?.T3, { ms: clocks?.T3 && clocks.T2 ? clocks.T3 - clocks.T2 : 0 }),
    valveClosed(incident, commands, seen),
    phoneRings(clocks?.T6b ?? null, calls, seen),
    keyPressed(calls, tasks, seen),
    seen("crew_assigned", clocks?.T9, { crew: incident?.order?.crew_id ?? "" }),
    valveHolds(incident, seen),
    seen("on_site", clocks?.T11),
    roomClears(incident, seen),
    seen("made_safe", clocks?.T12),
    seen("test_passed", clocks?.T13),
    seen("gas_restored", clocks?.T14),
  ];
  const next = steps.find((step) => step.state === "later");
  if (next) {
    next.state = "now";
    next.said = "now";
  }
  return steps;
}

type Seen = (name: StepName, atMs: number | null | undefined, named?: Step["named"], said?: string) => Step;

function trouble(name: StepName, said: string, atMs: number | null = null, named: Step["named"] = {}): Step {
  return { name, state: "trouble", atMs, said, named };
}

function valveClosed(incident: Incident | null, commands: readonly Command[], seen: Seen): Step {
  const tries = Math.max(1, ...commands.filter((command) => command.command === "close_valve").map((command) => command.attempt ?? 1));
  const failed = incident !== null && VALVE_TROUBLE.has(incident.valve);
  if (failed && incident.valve === "no_meter") return trouble("valve_closed", "no_meter");
  const locally = incident?.clocks.T1 ?? null;
  const reported = incident?.clocks.T4 ?? null;
  // A second try is under way only because the first one failed.
  if (failed || (reported === null && tries > 1)) return trouble("valve_closed", "not_closed", null, { tries });
  return seen("valve_closed", reported, { tries }, tries > 1 ? "at_last" : locally !== null ? "locally" : "done");
}

function phoneRings(ringsMs: number | null, calls: readonly Call[], seen: Seen): Step {
  const first = [...calls].sort((a, b) => a.requested_ms - b.requested_ms)[0];
  return seen("phone_rings", ringsMs, { who: first?.name ?? "" });
}

function keyPressed(calls: readonly Call[], tasks: readonly Task[], seen: Seen): Step {
  const pressed = [...calls].filter((call) => call.key_ms !== null).sort((a, b) => (a.key_ms ?? 0) - (b.key_ms ?? 0))[0];
  if (pressed) return seen("key_pressed", pressed.key_ms, { who: pressed.name, key: pressed.key ?? "" }, pressed.key === "2" ? "help" : pressed.key === "9" ? "wrong" : "done");
  const asked = tasks.find((task) => ASKS_PEOPLE.has(task.kind));
  if (asked) return trouble("key_pressed", "human", asked.created_ms);
  const over = calls.filter((call) => call.ended_ms !== null);
  if (over.length > 0) return trouble("key_pressed", "unconfirmed", Math.max(...over.map((call) => call.ended_ms ?? 0)), { calls: over.length });
  return seen("key_pressed", null);
}

function valveHolds(incident: Incident | null, seen: Seen): Step {
  if (incident?.proof === "flows") return trouble("valve_holds", "flows");
  if (incident?.proof === "not_provable") return seen("valve_holds", incident.clocks.T4 ?? incident.received_ms, {}, "not_provable");
  const t5 = incident?.clocks.T5 ?? null;
  // Opened by a person on site: whatever could not be proven until then is waited for no more.
  if (incident?.valve === "opened" && t5 === null) return seen("valve_holds", incident.opened_valve_ms ?? incident.clocks.T4 ?? incident.received_ms, {}, "unproven");
  return seen("valve_holds", t5);
}

function roomClears(incident: Incident | null, seen: Seen): Step {
  const cleared = incident?.clocks.T5c ?? null;
  if (incident && incident.clearing === "not_clearing") {
    return incident.before_meter_ms === null
      ? trouble("room_clears", "not_clearing")
      : trouble("room_clears", "before_meter", incident.before_meter_ms);
  }
  // It stays so in the finished story, when the valve is open again and nothing is suspected any more.
  return seen("room_clears", cleared, {}, incident?.before_meter_first_ms ? "after_riser" : "done");
}

const rounded = (value: number | null | undefined): number | string => (value === null || value === undefined ? "?" : Math.round(value * 10) / 10);

/** The newest thing that came about: what a caption tells. The earliest waiting step while nothing has. */
export function latestOf(steps: readonly Step[]): Step | null {
  const told = steps.filter((step) => step.atMs !== null);
  // Of two at the same moment the later in the story.
  return told.reduce<Step | null>((newest, step) => (newest === null || (step.atMs ?? 0) >= (newest.atMs ?? 0) ? step : newest), null);
}

const MOMENT_MS = 1500;

/** What came about together with the newest thing, oldest first: a close, a call and a crew leave in the same second. */
export function momentOf(steps: readonly Step[]): Step[] {
  const latest = latestOf(steps)?.atMs ?? null;
  if (latest === null) return [];
  return steps.filter((step) => step.atMs !== null && step.atMs >= latest - MOMENT_MS).sort((a, b) => (a.atMs ?? 0) - (b.atMs ?? 0));
}

/** The leak of the district that a newcomer is shown: the newest one that is being dealt with. */
export function newestLeak(incidents: readonly Incident[]): Incident | null {
  const open = incidents.filter((incident) => incident.kind === "leak" && incident.simulated && incident.state === "open");
  return open.reduce<Incident | null>((newest, incident) => (newest === null || incident.received_ms > newest.received_ms ? incident : newest), null);
}

/** The order whose crew's phone can be looked at: there is a crew, and the work is not over. */
export function orderAtWork(incident: Incident | null): { orderNo: string; crewId: string } | null {
  const order = incident?.order ?? null;
  if (incident?.state !== "open" || order === null || order.crew_id === null || order.state === "archived") return null;
  return { orderNo: order.order_no, crewId: order.crew_id };
}

/** Whether the story is told to its end. */
export const overOf = (incident: Incident | null): boolean => incident !== null && incident.state === "closed";

export type PhoneState = "dialling" | "ringing" | "speaking" | "pressed" | "not_taken" | "over";

/** What the telephone of a call is doing, from the call itself. */
export function phoneStateOf(call: Call): PhoneState {
  if (call.ended_ms !== null) return call.answered_ms === null ? "not_taken" : call.key !== null ? "pressed" : "over";
  if (call.key !== null) return "pressed";
  if (call.answered_ms !== null) return "speaking";
  return call.ringing_ms !== null ? "ringing" : "dialling";
}
