// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import "./messages";
import { i18n, setLanguage } from "./i18n";
import type { Incident } from "./model";
import { alarmOf, answersOf, lookOf, moreUrgent, STEPS, stepOf } from "./words";

const T0 = 1_775_120_400_000;

function incident(told: Partial<Incident> = {}): Incident {
  return {
    incident_id: "a", kind: "leak", state: "open", received_ms: T0, close_sent_ms: T0 + 20, reported_closed_ms: null, valve: "commanded", proof: "none", clearing: "unknown",
    answer_due_ms: null, proof_due_ms: null, holds_ms: null, clearing_ms: null, before_meter_ms: null, before_meter_first_ms: null, acknowledged: null, order: null, call: null,
    valve_words: { zh: "切断指令已发出", en: "close sent" }, proof_words: { zh: "尚无", en: "not yet" }, clearing_words: { zh: "不明", en: "not known" },
    ...told,
  } as Incident;
}

const order = (state: string) => ({ order_no: "QX-260402-0017", state, words: { zh: "", en: "" }, crew_id: null, technician_id: null });
const listed = (...incidents: Incident[]) => incidents.sort((a, b) => moreUrgent(a, b, T0 + 5_000)).map((each) => each.incident_id);

describe("the four answers", () => {
  it("are four, and none of them is green before it is true", () => {
    setLanguage("en");
    expect(answersOf(incident()).map((answer) => [answer.name, answer.look.tone])).toEqual([
      ["commanded", "good"], ["reported", "waits"], ["holds", "waits"], ["clearing", "waits"],
    ]);
  });

  it("a report of the meter is no proof that the valve holds", () => {
    const reported = incident({ valve: "reported_closed", reported_closed_ms: T0 + 900, proof: "not_yet", proof_due_ms: T0 + 1_200_000 });
    expect(answersOf(reported).find((answer) => answer.name === "holds")).toMatchObject({ look: { tone: "waits" }, dueMs: T0 + 1_200_000 });
    expect(lookOf.valve(reported).tone).toBe("waits");
    expect(lookOf.valve({ ...reported, proof: "holds" }).tone).toBe("good");
  });

  it("gas that still flows is bad where the valve should hold, though it was reported closed", () => {
    const flows = answersOf(incident({ valve: "gas_still_flows", reported_closed_ms: T0 + 900, proof: "flows" }));
    expect(flows.find((answer) => answer.name === "reported")?.look.tone).toBe("good");
    expect(flows.find((answer) => answer.name === "holds")?.look.tone).toBe("bad");
  });

  it("a sleeping meter says when it will answer, in both languages", () => {
    const asleep = incident({ answer_due_ms: T0 + 600_000 });
    setLanguage("zh");
    expect(answersOf(asleep)[1]?.text).toBe("表端休眠，约 17:10:00 回应");
    setLanguage("en");
    expect(answersOf(asleep)[1]?.text).toBe("the meter sleeps, it answers about 17:10:00");
  });

  it("a leak before the meter is a fifth word; where no close was wanted there is none", () => {
    expect(answersOf(incident({ before_meter_ms: T0 + 300_000 })).at(-1)?.name).toBe("before_meter");
    expect(answersOf(incident({ close_sent_ms: null, valve: "none" }))).toEqual([]);
  });

  it("a valve that was opened waits for no proof any more: it was seen to hold, or was not", () => {
    const holds = (told: Partial<Incident>) => answersOf(incident({ state: "closed", valve: "opened", ...told })).find((answer) => answer.name === "holds");
    setLanguage("zh");
    expect(holds({ holds_ms: T0 + 90_000 })).toMatchObject({ look: { tone: "good" }, text: "打开前已证明关严", atMs: T0 + 90_000 });
    expect(holds({})).toMatchObject({ look: { tone: "plain" }, text: "打开前未能从表底数证明关严", atMs: null });
    setLanguage("en");
    expect(holds({})?.text).toBe("was not proven to hold by its index before it was opened");
  });

  it("what was suspected of the riser stays told when the valve is open again, and alarms nobody", () => {
    const restored = incident({ state: "closed", valve: "opened", holds_ms: T0 + 90_000, clearing: "clearing", before_meter_first_ms: T0 + 300_000 });
    setLanguage("zh");
    expect(answersOf(restored).at(-1)).toMatchObject({ name: "before_meter", look: { tone: "plain" }, text: "曾疑似表前泄漏", atMs: T0 + 300_000 });
    setLanguage("en");
    expect(answersOf(restored).at(-1)?.text).toBe("a leak before the meter was suspected");
    expect(alarmOf(restored)).toBeNull();
    const anew = answersOf(incident({ before_meter_first_ms: T0 + 300_000, before_meter_ms: T0 + 900_000 })).filter((answer) => answer.name === "before_meter");
    expect(anew).toMatchObject([{ look: { tone: "bad" }, atMs: T0 + 900_000 }]);
  });
});

describe("the order of the list", () => {
  it("puts what nobody has acknowledged first, however well it goes", () => {
    const seen = incident({ incident_id: "seen", acknowledged: { by: "desk-1", at_ms: T0 }, valve: "gas_still_flows" });
    const unseen = incident({ incident_id: "unseen", received_ms: T0 + 60_000, order: order("restored") });
    expect(listed(seen, unseen)).toEqual(["unseen", "seen"]);
  });

  it("then what is still dangerous, then how far it is, then the older", () => {
    const found = listed(
      incident({ incident_id: "younger", received_ms: T0 + 5 }),
      incident({ incident_id: "older" }),
      incident({ incident_id: "on site", received_ms: T0 - 5, order: order("on_site") }),
      incident({ incident_id: "no answer", received_ms: T0 + 9, valve: "no_answer" }),
      incident({ incident_id: "before meter", received_ms: T0 + 8, before_meter_ms: T0 + 300_000 }),
    );
    expect(found).toEqual(["before meter", "no answer", "older", "younger", "on site"]);
  });

  it("names the worst thing, and nothing where nothing is wrong", () => {
    expect(alarmOf(incident({ clearing: "not_clearing", proof: "flows" }))).toBe("gas_still_flows");
    expect(alarmOf(incident({ clearing: "not_clearing", before_meter_ms: T0 }))).toBe("before_meter");
    expect(alarmOf(incident({ valve: "reported_closed", proof: "not_yet" }))).toBeNull();
  });

  it("a close that nobody reported done is not confirmed after ten seconds, whichever attempt runs; a sleeping meter may sleep", () => {
    const trying = incident({ valve: "accepted" });
    expect([alarmOf(trying, T0 + 9_000), alarmOf(trying, T0 + 11_000)]).toEqual([null, "no_answer"]);
    expect(alarmOf({ ...trying, answer_due_ms: T0 + 600_000 }, T0 + 11_000)).toBeNull();
  });

  it("says that a crew is under way where one was given, else that one is waited for or has to be planned", () => {
    const closed = (told: Partial<Incident>) => stepOf(incident({ valve: "reported_closed", ...told }));
    for (const none of [null, order("created"), order("waiting")]) {
      expect(closed({ order: none })).toBe("crew_wanted");
      expect(closed({ order: none, kind: "unknown_sender", valve: "none" })).toBe("unplanned");
      expect(closed({ order: none, valve: "no_answer" })).toBe("closing");
    }
    for (const state of ["assigned", "accepted", "no_access"]) expect(closed({ order: order(state), kind: "garbled_alarm" })).toBe("crew_under_way");
    for (const step of STEPS) for (const language of ["zh", "en"] as const) expect(i18n.global.te(`words.step.${step}`, language), step).toBe(true);
  });

  it("puts what has no crew before what one is under way to", () => {
    const on = (incident_id: string, state: string, received_ms: number) => incident({ incident_id, valve: "reported_closed", received_ms, order: order(state) });
    const found = listed(on("accepted", "accepted", T0), on("waiting", "waiting", T0 + 60_000), incident({ incident_id: "closing", received_ms: T0 + 90_000, close_sent_ms: T0 + 90_000 }));
    expect(found).toEqual(["closing", "waiting", "accepted"]);
  });

  it("a state that a newer station brings is still closing, never lost", () => {
    expect(stepOf(incident({ order: order("something new") }))).toBe("closing");
    expect(stepOf(incident({ valve: "reported_closed", order: order("something new") }))).toBe("crew_under_way");
    expect(lookOf.order("something new").mark).toBe("?");
  });
});
