// What a code of the API looks like: a mark and a tone beside its words, because colour is never the only sign.
// The words themselves come from the API (…_words) or from messages.ts.
//
//   lookOf.valve(incident), .proof(code), .room(code), .call(outcome), .order(state)   -> { tone, mark }
//   answersOf(incident)   commanded, reported, holds, clearing: four answers, never one green light
//   stepOf(incident)      how far it is: closing, crew_wanted, unplanned, crew_under_way, on_site, made_safe, tested, restored
//   urgencyOf(incident)   the order of the desk's list: smaller is first

import { serverNow } from "./clock";
import type { Incident } from "./model";
import { t, said } from "./i18n";
import { timeOf } from "./format";

export type Tone = "good" | "bad" | "waits" | "plain";
export interface Look {
  tone: Tone;
  mark: string;
}
const look = (tone: Tone, mark: string): Look => ({ tone, mark });
const WAITS = look("waits", "…");
const GOOD = look("good", "✓");
const BAD = look("bad", "✕");

const VALVE: Record<string, Look> = {
  reported_closed: GOOD, opened: look("good", "◉"), commanded: WAITS, accepted: WAITS, none: look("plain", "–"),
  gas_still_flows: BAD, no_answer: BAD, refused: BAD, travel_time_over: BAD, no_meter: BAD,
};
const PROOF: Record<string, Look> = { holds: GOOD, flows: BAD, not_provable: look("waits", "?") };
const ROOM: Record<string, Look> = { clearing: GOOD, not_clearing: BAD };
const CALL: Record<string, Look> = {
  confirmed: GOOD, under_way: look("waits", "☎"), heard_unconfirmed: look("waits", "?"), help_needed: look("bad", "!"), wrong_home: look("bad", "!"),
};
const ORDER: Record<string, Look> = {
  created: WAITS, waiting: look("bad", "!"), assigned: WAITS, accepted: look("waits", "▸"), on_site: look("waits", "▸"), no_access: look("bad", "!"),
  made_safe: GOOD, cause_recorded: GOOD, tightness_passed: GOOD, restored: GOOD, archived: GOOD,
};

export const lookOf = {
  /** A report of the meter is no proof: it is green when it was seen to hold. */
  valve: (incident: Pick<Incident, "valve" | "proof">): Look =>
    incident.valve === "reported_closed" && incident.proof !== "holds" ? look("waits", "✓") : (VALVE[incident.valve] ?? look("waits", "?")),
  proof: (code: string): Look => PROOF[code] ?? WAITS,
  room: (code: string): Look => ROOM[code] ?? WAITS,
  call: (outcome: string): Look => CALL[outcome] ?? look("waits", "☎"),
  order: (state: string): Look => ORDER[state] ?? look("waits", "?"),
};

export interface Answer {
  name: "commanded" | "reported" | "holds" | "clearing" | "before_meter";
  look: Look;
  text: string;
  /** When it can be told, Unix ms. */
  dueMs: number | null;
  /** When it came to be so, Unix ms. */
  atMs: number | null;
}

const FAILED_CLOSE = new Set(["gas_still_flows", "no_answer", "refused", "travel_time_over"]);

/** Empty where no close was wanted. */
export function answersOf(incident: Incident): Answer[] {
  const never = incident.close_sent_ms === null && incident.valve === "none";
  if (never) return [];
  const reported = ["reported_closed", "gas_still_flows"].includes(incident.valve);
  // Opened again by a person at the meter: what was seen of it before stays true.
  const over = incident.valve === "opened" && incident.proof === "none";
  const held = over && incident.holds_ms !== null;
  const asleep = incident.answer_due_ms !== null;
  const sent = incident.close_sent_ms !== null;
  const answers: Answer[] = [
    { name: "commanded", look: sent ? GOOD : incident.valve === "no_meter" ? BAD : WAITS, text: sent ? t("words.answer.commanded") : said(incident.valve_words), dueMs: null, atMs: incident.close_sent_ms },
    {
      name: "reported",
      look: reported ? GOOD : asleep ? WAITS : (VALVE[incident.valve] ?? WAITS),
      text: reported ? t("words.answer.reported") : asleep ? t("words.answer.asleep", { time: timeOf(incident.answer_due_ms ?? 0) }) : said(incident.valve_words),
      dueMs: reported ? null : incident.answer_due_ms,
      atMs: reported ? incident.reported_closed_ms : null,
    },
    { name: "holds", look: held ? GOOD : over ? look("plain", "–") : lookOf.proof(incident.proof), text: over ? t(held ? "words.answer.held" : "words.answer.not_held") : said(incident.proof_words), dueMs: incident.proof_due_ms, atMs: held || incident.proof === "holds" ? incident.holds_ms : null },
    { name: "clearing", look: lookOf.room(incident.clearing), text: said(incident.clearing_words), dueMs: null, atMs: incident.clearing === "clearing" ? incident.clearing_ms : null },
  ];
  if (incident.before_meter_ms !== null) {
    answers.push({ name: "before_meter", look: look("bad", "⚠"), text: t("words.answer.before_meter"), dueMs: null, atMs: incident.before_meter_ms });
  } else if (incident.before_meter_first_ms !== null) {
    // Opened again by a person at the meter: nothing is suspected now, and that it was is told to the end.
    answers.push({ name: "before_meter", look: look("plain", "⚠"), text: t("words.answer.before_meter_was"), dueMs: null, atMs: incident.before_meter_first_ms });
  }
  return answers;
}

export type Step = "closing" | "crew_wanted" | "unplanned" | "crew_under_way" | "on_site" | "made_safe" | "tested" | "restored";
const STEP_OF_ORDER: Record<string, Step> = {
  on_site: "on_site", made_safe: "made_safe", cause_recorded: "made_safe", tightness_passed: "tested", restored: "restored", archived: "restored",
};
export const STEPS: readonly Step[] = ["closing", "crew_wanted", "unplanned", "crew_under_way", "on_site", "made_safe", "tested", "restored"];

const CLOSING = new Set(["commanded", "accepted", "no_answer", "refused", "travel_time_over", "gas_still_flows"]);
/** Kinds that no crew is sent for until a person plans it. */
const PLANNED_BY_HAND = new Set(["unknown_sender", "garbled_alarm"]);

/** As the server counts it: before somebody is on site, what is known of the valve says how far it is, then whether a crew is given. */
export function stepOf(incident: Incident): Step {
  const state = incident.order?.state ?? "created";
  const step = STEP_OF_ORDER[state];
  if (step) return step;
  if (CLOSING.has(incident.valve)) return "closing";
  if (state !== "created" && state !== "waiting") return "crew_under_way";
  return PLANNED_BY_HAND.has(incident.kind) ? "unplanned" : "crew_wanted";
}

/** A close that is not reported done by then is not confirmed, whichever attempt is under way; a sleeping meter has its own time. */
const LATE_CLOSE_MS = 10_000;

function lateClose(incident: Incident, nowMs: number): boolean {
  const waits = incident.valve === "commanded" || incident.valve === "accepted";
  return waits && incident.answer_due_ms === null && incident.close_sent_ms !== null && nowMs - incident.close_sent_ms > LATE_CLOSE_MS;
}

/** What makes one incident worse than another, worst first; null when nothing does. */
export function alarmOf(incident: Incident, nowMs: number = serverNow()): "gas_still_flows" | "before_meter" | "not_clearing" | "no_answer" | "help_needed" | null {
  if (incident.valve === "gas_still_flows" || incident.proof === "flows") return "gas_still_flows";
  if (incident.before_meter_ms !== null) return "before_meter";
  if (incident.clearing === "not_clearing") return "not_clearing";
  if (FAILED_CLOSE.has(incident.valve) || incident.valve === "no_meter" || lateClose(incident, nowMs)) return "no_answer";
  if (incident.call?.outcome === "help_needed") return "help_needed";
  return null;
}

/** Compares two open incidents: not acknowledged first (also where it alarmed anew since), then what goes wrong, then how far it is, then the older. */
export function moreUrgent(a: Incident, b: Incident, nowMs: number = serverNow()): number {
  const rank = (incident: Incident): number[] => [
    incident.acknowledged ? 1 : 0,
    alarmOf(incident, nowMs) === null ? 1 : 0,
    STEPS.indexOf(stepOf(incident)),
    incident.received_ms,
  ];
  const [left, right] = [rank(a), rank(b)];
  for (let index = 0; index < left.length; index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.incident_id < b.incident_id ? -1 : 1;
}

/** The clocks of an incident that are shown as its line, in order. */
export const CLOCKS = ["T0", "T1", "T2", "T3", "T4", "T5", "T5c", "T6a", "T6b", "T7", "T8", "T9", "T10", "T11", "T12", "T13", "T14"] as const;
export type ClockName = (typeof CLOCKS)[number];
