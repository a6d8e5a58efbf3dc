import { describe, expect, it } from "vitest";
import { Roll } from "./roll";
import { incident, T0 } from "./stage";

describe("the roll of open incidents", () => {
  it("knows a new incident from one that it has", () => {
    const roll = new Roll();
    expect(roll.take(incident({ incident_id: "a" }))).toBe(true);
    expect(roll.take(incident({ incident_id: "a" }))).toBe(false);
    expect(roll.list()).toHaveLength(1);
  });

  it("is not complete before every page was read", () => {
    const roll = new Roll();
    expect(roll.complete).toBe(false);
    roll.begin();
    roll.page([incident({ incident_id: "a" })]);
    expect(roll.complete).toBe(false);
    roll.finish();
    expect(roll.complete).toBe(true);
  });

  it("lets the stream's word stand over a page that comes later", () => {
    const roll = new Roll();
    roll.begin();
    roll.take(incident({ incident_id: "a", state: "closed" }));
    roll.take(incident({ incident_id: "b", valve: "reported_closed" }));
    roll.page([incident({ incident_id: "a" }), incident({ incident_id: "b", valve: "commanded" })]);
    roll.finish();
    expect(roll.list().map((one) => [one.incident_id, one.valve])).toEqual([["b", "reported_closed"]]);
  });

  it("drops what a whole reading no longer finds, and keeps what began meanwhile", () => {
    const roll = new Roll();
    roll.take(incident({ incident_id: "closed while nobody listened" }));
    roll.begin();
    roll.page([incident({ incident_id: "still open" })]);
    roll.take(incident({ incident_id: "just begun" }));
    roll.finish();
    expect(roll.list().map((one) => one.incident_id).sort()).toEqual(["just begun", "still open"]);
  });

  it("tells those that a later reading finds for the first time", () => {
    const roll = new Roll();
    roll.begin();
    roll.page([incident({ incident_id: "a" })]);
    roll.finish();
    roll.begin();
    expect(roll.page([incident({ incident_id: "a" }), incident({ incident_id: "b" })]).map((one) => one.incident_id)).toEqual(["b"]);
  });

  it("takes an alias for the incident that it stands for", () => {
    const roll = new Roll();
    roll.take(incident({ incident_id: "a", aliases: ["a2"] }));
    expect(roll.take(incident({ incident_id: "a2" }))).toBe(false);
  });

  it("tells one that it has and that alarms anew, once, from the stream or a later reading", () => {
    const roll = new Roll();
    roll.take(incident({ incident_id: "a" }));
    const anew = incident({ incident_id: "a", alarmed_again_ms: T0 + 60_000 });
    expect([roll.take(anew), roll.take(anew)]).toEqual([true, false]);
    // Read before it came, and heard late: no news, and none of what follows.
    expect([roll.take(incident({ incident_id: "a" })), roll.take(anew)]).toEqual([false, false]);
    roll.begin();
    expect(roll.page([incident({ incident_id: "a", alarmed_again_ms: T0 + 120_000 })])).toHaveLength(1);
    roll.finish();
    expect(roll.take(incident({ incident_id: "a", alarmed_again_ms: T0 + 180_000, state: "closed" }))).toBe(false);
  });

  it("tells an alarm anew under an alias once", () => {
    const roll = new Roll();
    roll.take(incident({ incident_id: "a", aliases: ["a2"], alarmed_again_ms: T0 + 60_000 }));
    expect(roll.take(incident({ incident_id: "a2", alarmed_again_ms: T0 + 60_000 }))).toBe(false);
  });

  it("never lists the self-check", () => {
    const roll = new Roll();
    expect(roll.take(incident({ kind: "canary" }))).toBe(false);
    expect(roll.list()).toEqual([]);
  });
});
