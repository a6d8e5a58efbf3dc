// What is shown of one incident: its facts, its line of clocks, and its story folded to what is worth reading.

import { afterAlarm, element, hidden, methane, sentence, timeOf } from "/static/text.js";
import { say, speech } from "/static/words.js";

const STEPS = ["T0", "T2", "T3", "valve", "T8", "T6b", "T7", "T11", "T12", "T13", "T14"];
// Valve, telephone and crew run side by side: each has a step of its own that is waited for.
const TRACK = { T0: "line", T2: "line", T3: "valve", valve: "valve", T6b: "phone", T7: "phone" };
// Kinds that neither close nor call go another way.
const STEPS_OF_KIND = { past_leak: ["T0", "T2", "T8", "T9", "T11", "T12"], unknown_sender: ["T0", "T2", "T8", "T9"], garbled_alarm: ["T0", "T2", "T8", "T9"] };
const VALVE_LOOKS = {
  reported_closed: ["good", "✓"], opened: ["good", "◉"], commanded: ["waits", "…"], accepted: ["waits", "…"],
  gas_still_flows: ["bad", "✕"], no_answer: ["bad", "✕"], refused: ["bad", "✕"], travel_time_over: ["bad", "✕"], no_meter: ["bad", "✕"],
};
const PROOF_LOOKS = { holds: ["good", "✓"], flows: ["bad", "✕"], not_provable: ["waits", "?"] };
const ROOM_LOOKS = { clearing: ["good", "✓"], not_clearing: ["bad", "✕"] };
const WAITS = ["waits", "…"];
const CALL_LOOKS = { confirmed: ["good", "✓"], under_way: ["waits", "☎"], heard_unconfirmed: ["waits", "?"], help_needed: ["bad", "!"] };

function stampOf(clocks, step) {
  if (step !== "valve") return clocks[step];
  return [clocks.T1, clocks.T4].filter((ms) => ms !== null).sort((a, b) => a - b)[0] ?? null;
}

function fact(name, looks, words, small) {
  const value = element("dd", looks ? looks[0] : "", looks ? hidden(looks[1]) : null, sentence(words));
  if (small) value.append(element("small", "", sentence(small)));
  return element("div", "", element("dt", "", name), value);
}

/** A report of the meter is no proof: it is green when it was seen to hold. */
function valveLooks(incident) {
  return incident.valve === "reported_closed" && incident.proof !== "holds" ? ["waits", "✓"] : VALVE_LOOKS[incident.valve];
}

function whyClosed(incident) {
  // Once it is open again, why it was closed is the story's business.
  if (incident.valve === "opened") return null;
  // What the detector had closed before is closed by it, whatever the command found.
  if (incident.valve_closed_locally_ms !== null) return say().causeOf(say().locally);
  return incident.valve_cause_words ? say().causeOf(incident.valve_cause_words[speech.language]) : null;
}

export function factsOf(incident) {
  const words = say();
  const facts = element("dl", "facts");
  if (incident.ch4_lel === null) facts.append(fact(words.methane, null, words.noMethane));
  else facts.append(fact(words.methane, null, methane(incident.ch4_lel), incident.alarm_lel === null ? null : words.setPoint(methane(incident.alarm_lel))));
  facts.append(fact(words.valve, valveLooks(incident), incident.valve_words[speech.language], whyClosed(incident)));
  const call = incident.call;
  facts.append(call ? fact(words.call, CALL_LOOKS[call.outcome] ?? ["waits", "☎"], call.words[speech.language], call.name) : fact(words.call, null, words.noCall));
  const order = incident.order;
  if (order) {
    const who = [order.words[speech.language], order.crew_id ? words.crew(order.crew_id) : words.noCrew, order.technician_id].filter(Boolean);
    facts.append(fact(words.order, null, order.order_no, who.join(" · ")));
  } else facts.append(fact(words.order, null, words.noOrder));
  return facts;
}

/** Commanded, reported, holds, clearing: four answers, never one green light. Null where no close was wanted. */
export function answersOf(incident) {
  if (incident.close_sent_ms === null) return null;
  const words = say();
  const list = element("ol", "answers");
  list.setAttribute("aria-label", words.answers.title);
  const answer = (looks, text) => list.append(element("li", looks[0], hidden(`${looks[1]} `), sentence(text)));
  answer(["good", "✓"], words.answers.commanded);
  const asleep = incident.answer_due_ms !== null;
  const reported = ["reported_closed", "gas_still_flows"].includes(incident.valve);
  answer(
    reported ? ["good", "✓"] : VALVE_LOOKS[incident.valve] ?? WAITS,
    reported ? words.answers.reported : asleep ? words.answers.asleep(timeOf(incident.answer_due_ms)) : words.answers.valve[incident.valve] ?? incident.valve_words[speech.language],
  );
  const due = incident.proof_due_ms === null ? null : timeOf(incident.proof_due_ms);
  answer(PROOF_LOOKS[incident.proof] ?? WAITS, incident.proof === "not_yet" && due ? words.answers.provable(due) : words.answers.proof[incident.proof] ?? incident.proof_words[speech.language]);
  answer(ROOM_LOOKS[incident.clearing] ?? WAITS, words.answers.room[incident.clearing] ?? incident.clearing_words[speech.language]);
  if (incident.before_meter_ms !== null) answer(["bad", "⚠"], words.answers.beforeMeter);
  return list;
}

export function stepsOf(incident) {
  const words = say();
  const list = element("ol", "steps");
  list.setAttribute("aria-label", words.clocks);
  const waited = new Set();
  for (const step of STEPS_OF_KIND[incident.kind] ?? STEPS) {
    const ms = stampOf(incident.clocks, step);
    const track = TRACK[step] ?? "crew";
    const state = ms !== null ? "done" : incident.state === "open" && !waited.has(track) ? "next" : "later";
    if (state === "next") waited.add(track);
    const mark = { done: "✓ ", next: "▸ ", later: "○ " }[state];
    const item = element("li", state, element("span", "", hidden(mark), words.steps[step]));
    if (ms !== null) item.append(element("b", "", step === "T0" ? timeOf(ms) : afterAlarm(ms - incident.clocks.T0)));
    else item.append(element("b", "", state === "next" ? words.waiting : incident.state === "open" ? "–" : words.none));
    if (step === "valve" && ms !== null && ms === incident.clocks.T1) item.append(element("small", "", words.locally));
    list.append(item);
  }
  return list;
}

/** Of many re-sends in a row the first and the last are told; their count is in the sentence. */
export function folded(entries) {
  const isResend = (index) => entries[index]?.kind === "close_resent";
  return entries.filter((_, index) => !(isResend(index) && isResend(index - 1) && isResend(index + 1)));
}
