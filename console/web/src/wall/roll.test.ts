import { describe, expect, it } from "vitest";
import { Roll } from "./roll";
import { incident } from "./stage";

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

  it("never lists the self-check", () => {
    const roll = new Roll();
    expect(roll.take(incident({ kind: "canary" }))).toBe(false);
    expect(roll.list()).toEqual([]);
  });
});
