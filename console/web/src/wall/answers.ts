// The four answers of a valve in short, as the desk gives them at length: commanded, reported, holds, clearing. Never one green light: a
// report is no proof, and what is not known yet says so, with the minutes left where the platform named a time. Pure.

import { answersOf, type Look } from "@/shared/words";
import type { Incident } from "./things";

export interface ShortAnswer {
  name: "commanded" | "reported" | "holds" | "clearing";
  look: Look;
  /** The key of its few words under `wall.answers`. */
  words: string;
  /** Minutes until it can be told, rounded up; none are left when it is due; null where nobody knows. */
  minutes: number | null;
  /** The same at length, for whoever listens instead of looking. */
  atLength: string;
}

const REPORTED: Record<string, string> = {
  reported_closed: "closed", gas_still_flows: "closed", opened: "opened", accepted: "accepted", no_answer: "no_answer", refused: "refused",
  travel_time_over: "travel_time_over",
};
const PROVEN: Record<string, string> = { holds: "yes", flows: "flows", not_provable: "not_provable", due_at_uplink: "at_uplink" };
const ROOM: Record<string, string> = { clearing: "yes", not_clearing: "no" };

function wordsOf(name: ShortAnswer["name"], incident: Incident, minutes: number | null): string {
  switch (name) {
    case "commanded":
      if (incident.close_sent_ms !== null) return "commanded.yes";
      return incident.valve === "no_meter" ? "commanded.no_meter" : "commanded.not_yet";
    case "reported":
      return `reported.${REPORTED[incident.valve] ?? (incident.answer_due_ms !== null ? "asleep" : "waiting")}`;
    case "holds":
      // What is open again waits for no proof: it was seen to hold before, or never was.
      if (incident.valve === "opened" && incident.proof === "none") return incident.holds_ms !== null ? "holds.held" : "holds.not_yet";
      if (minutes === null) return `holds.${PROVEN[incident.proof] ?? "not_yet"}`;
      return minutes === 0 ? "holds.any_moment" : minutes === 1 ? "holds.in_a_minute" : "holds.in_minutes";
    case "clearing":
      return incident.before_meter_ms !== null ? "clearing.before_meter" : `clearing.${ROOM[incident.clearing] ?? "unknown"}`;
  }
}

/** The four, in their order; empty where no close was wanted (nobody knows the home, or it is long over). */
export function shortAnswers(incident: Incident, now: number): ShortAnswer[] {
  const long = answersOf(incident);
  const worse = incident.before_meter_ms === null ? undefined : long.find((answer) => answer.name === "before_meter");
  const short: ShortAnswer[] = [];
  for (const { name, look, text, dueMs } of long) {
    if (name === "before_meter") continue;
    const waited = name === "holds" && incident.proof !== "not_yet" && incident.proof !== "due_at_uplink";
    const minutes = dueMs === null || waited ? null : Math.max(0, Math.ceil((dueMs - now) / 60_000));
    const mine = name === "clearing" && worse ? worse : { look, text };
    short.push({ name, look: mine.look, words: wordsOf(name, incident, minutes), minutes, atLength: mine.text });
  }
  return short;
}
