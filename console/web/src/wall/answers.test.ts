// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { shortAnswers } from "./answers";
import "@/shared/messages";
import messages from "./messages";
import { incident, T0 } from "./stage";

const words = (wanted: Record<string, unknown>) => shortAnswers(incident(wanted), T0).map((answer) => answer.words);

describe("the four answers in short", () => {
  it.each([
    ["a fresh leak", {}, ["commanded.yes", "reported.waiting", "holds.not_yet", "clearing.unknown"]],
    ["reported, not proven", { valve: "reported_closed", proof: "not_yet" }, ["commanded.yes", "reported.closed", "holds.not_yet", "clearing.unknown"]],
    ["proven and clearing", { valve: "reported_closed", proof: "holds", clearing: "clearing" }, ["commanded.yes", "reported.closed", "holds.yes", "clearing.yes"]],
    ["gas still flows", { valve: "gas_still_flows", proof: "flows", clearing: "not_clearing" }, ["commanded.yes", "reported.closed", "holds.flows", "clearing.no"]],
    ["no answer", { valve: "no_answer" }, ["commanded.yes", "reported.no_answer", "holds.not_yet", "clearing.unknown"]],
    ["a sleeping meter", { answer_due_ms: T0 + 60_000 }, ["commanded.yes", "reported.asleep", "holds.not_yet", "clearing.unknown"]],
    ["before the meter", { valve: "reported_closed", proof: "holds", before_meter_ms: T0 }, ["commanded.yes", "reported.closed", "holds.yes", "clearing.before_meter"]],
    ["before the meter, and opened again", { valve: "opened", clearing: "clearing", before_meter_first_ms: T0 }, ["commanded.yes", "reported.opened", "holds.not_yet", "clearing.yes"]],
    ["opened again, seen to hold before", { valve: "opened", holds_ms: T0, clearing: "clearing" }, ["commanded.yes", "reported.opened", "holds.held", "clearing.yes"]],
    ["not provable by flow", { valve: "reported_closed", proof: "not_provable" }, ["commanded.yes", "reported.closed", "holds.not_provable", "clearing.unknown"]],
    ["no close was wanted", { kind: "past_leak", valve: "none", close_sent_ms: null }, []],
  ])("%s", (_name, wanted, expected) => {
    expect(words(wanted)).toEqual(expected);
  });

  it("gives the minutes that are left, rounded up", () => {
    const [, , holds] = shortAnswers(incident({ valve: "reported_closed", proof: "not_yet", proof_due_ms: T0 + 61_000 }), T0);
    expect(holds).toMatchObject({ words: "holds.in_minutes", minutes: 2 });
  });

  it.each([[61_000, "holds.in_minutes"], [60_000, "holds.in_a_minute"], [1, "holds.in_a_minute"], [0, "holds.any_moment"], [-60_000, "holds.any_moment"]])("with %i ms left says %s: nought minutes are no answer", (left, expected) => {
    const [, , holds] = shortAnswers(incident({ valve: "reported_closed", proof: "not_yet", proof_due_ms: T0 + left }), T0);
    expect(holds?.words).toBe(expected);
    const [group = "", word = ""] = expected.split(".");
    for (const language of ["zh", "en"] as const) expect((messages[language].answers as Record<string, Record<string, string>>)[group]?.[word]).toBeTruthy();
  });

  it("draws a tick before what was seen to hold, and none before what was not", () => {
    const holds = (wanted: Record<string, unknown>) => shortAnswers(incident({ valve: "opened", proof: "none", ...wanted }), T0).find(({ name }) => name === "holds");
    expect(holds({ holds_ms: T0 })).toMatchObject({ words: "holds.held", look: { tone: "good", mark: "✓" } });
    expect(holds({ holds_ms: null })).toMatchObject({ words: "holds.not_yet", look: { tone: "plain", mark: "–" } });
    expect([messages.zh.answers.holds.held, messages.en.answers.holds.held]).toEqual(["曾关严", "held"]);
  });

  it("says of a report that it is one", () => {
    expect([messages.zh.answers.reported.closed, messages.en.answers.reported.closed]).toEqual(["已报切断", "reported"]);
  });

  it("shows no minutes once it is proven", () => {
    const [, , holds] = shortAnswers(incident({ valve: "reported_closed", proof: "holds", proof_due_ms: T0 + 61_000 }), T0);
    expect(holds).toMatchObject({ words: "holds.yes", minutes: null, look: { tone: "good" } });
  });

  it("is never all green on a report alone", () => {
    const answers = shortAnswers(incident({ valve: "reported_closed" }), T0);
    expect(answers.filter((answer) => answer.look.tone === "good").map((answer) => answer.name)).toEqual(["commanded", "reported"]);
  });

  it("has words for every answer in both languages", () => {
    const valves = ["commanded", "accepted", "reported_closed", "gas_still_flows", "no_answer", "refused", "travel_time_over", "opened", "no_meter", "of another time"];
    const proofs = ["none", "not_yet", "due_at_uplink", "holds", "flows", "not_provable"];
    for (const valve of valves) for (const proof of proofs) for (const clearing of ["unknown", "clearing", "not_clearing"]) for (const close_sent_ms of [T0, null]) {
      for (const key of words({ valve, proof, clearing, close_sent_ms })) {
        const [group = "", word = ""] = key.split(".");
        for (const language of ["zh", "en"] as const) expect((messages[language].answers as Record<string, Record<string, string>>)[group]?.[word], key).toBeTruthy();
      }
    }
  });
});
