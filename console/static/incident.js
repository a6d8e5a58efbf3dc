// What is shown of one incident: its facts, its line of clocks, and its story folded to what is worth reading.

import { afterAlarm, element, hidden, methane, timeOf } from "/static/text.js";
import { say, speech } from "/static/words.js";

const STEPS = ["T0", "T3", "valve", "T6b", "T7", "T8", "T11", "T12", "T13", "T14"];
// Valve, telephone and crew run side by side: each has a step of its own that is waited for.
const TRACK = { T0: "line", T2: "line", T3: "valve", valve: "valve", T6b: "phone", T7: "phone" };
// Kinds that neither close nor call go another way.
const STEPS_OF_KIND = { past_leak: ["T0", "T2", "T8", "T9", "T11", "T12"], unknown_sender: ["T0", "T2", "T8", "T9"], garbled_alarm: ["T0", "T2", "T8", "T9"] };
const VALVE_LOOKS = {
  reported_closed: ["good", "✓"], opened: ["good", "◉"], commanded: ["waits", "…"], accepted: ["waits", "…"],
  no_answer: ["bad", "✕"], refused: ["bad", "✕"], travel_time_over: ["bad", "✕"], no_meter: ["bad", "✕"],
};
const CALL_LOOKS = { confirmed: ["good", "✓"], under_way: ["waits", "☎"], heard_unconfirmed: ["waits", "?"], help_needed: ["bad", "!"] };

function stampOf(clocks, step) {
  if (step !== "valve") return clocks[step];
  return [clocks.T1, clocks.T4].filter((ms) => ms !== null).sort((a, b) => a - b)[0] ?? null;
}

function fact(name, looks, words, small) {
  const value = element("dd", looks ? looks[0] : "", looks ? hidden(looks[1]) : null, words);
  if (small) value.append(element("small", "", small));
  return element("div", "", element("dt", "", name), value);
}

export function factsOf(incident) {
  const words = say();
  const facts = element("dl", "facts");
  if (incident.ch4_lel === null) facts.append(fact(words.methane, null, words.noMethane));
  else facts.append(fact(words.methane, null, methane(incident.ch4_lel), incident.alarm_lel === null ? null : words.setPoint(methane(incident.alarm_lel))));
  const cause = incident.valve_cause_words ? words.byLinkage(incident.valve_cause_words[speech.language]) : null;
  facts.append(fact(words.valve, VALVE_LOOKS[incident.valve], incident.valve_words[speech.language], cause));
  const call = incident.call;
  facts.append(call ? fact(words.call, CALL_LOOKS[call.outcome] ?? ["waits", "☎"], call.words[speech.language], call.name) : fact(words.call, null, words.noCall));
  const order = incident.order;
  if (order) {
    const who = [order.words[speech.language], order.crew_id ? words.crew(order.crew_id) : words.noCrew, order.technician_id].filter(Boolean);
    facts.append(fact(words.order, null, order.order_no, who.join(" · ")));
  } else facts.append(fact(words.order, null, words.noOrder));
  return facts;
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
