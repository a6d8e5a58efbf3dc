import { describe, expect, it } from "vitest";
import type { Call, Command, Incident, Task } from "../shared/model";
import messages from "./messages";
import { latestOf, momentOf, newestLeak, orderAtWork, overOf, phoneStateOf, STEP_NAMES, stepsOf, type Facts } from "./steps";

const T0 = 1_775_120_400_000;
const NO_CLOCKS = Object.fromEntries(
  ["T0", "T1", "T2", "T3", "T4", "T5", "T5c", "T6a", "T6b", "T7", "T8", "T9", "T10", "T11", "T12", "T13", "T14"].map((name) => [name, null]),
);

function incident(clocks: Record<string, number> = {}, more: Record<string, unknown> = {}): Incident {
  return {
    incident_id: "i", state: "open", valve: "commanded", proof: "not_yet", clearing: "unknown", before_meter_ms: null, before_meter_first_ms: null, ch4_lel: 12.34,
    received_ms: T0, alarmed_ms: T0, order: null, aliases: [], ...more, clocks: { ...NO_CLOCKS, T0, ...clocks },
  } as unknown as Incident;
}

function call(more: Record<string, unknown> = {}): Call {
  return {
    call_id: "c", incident_id: "i", name: "周敏", position: 1, requested_ms: T0 + 100, placed_ms: null, ringing_ms: null, answered_ms: null,
    key: null, key_ms: null, ended_ms: null, said: [], ...more,
  } as unknown as Call;
}

const close = (attempt: number): Command => ({ command_id: `k${attempt}`, incident_id: "i", command: "close_valve", attempt }) as unknown as Command;
const facts = (found: Incident | null, calls: Call[] = [], tasks: Task[] = [], commands: Command[] = []): Facts => ({ incident: found, calls, commands, tasks });
const shown = (found: Facts): Record<string, string> => Object.fromEntries(stepsOf(found).map((step) => [step.name, `${step.state} ${step.said}`]));

describe("the guided first minute", () => {
  it("waits for the detector while nobody knows of the gas", () => {
    const steps = stepsOf(facts(null));
    expect(steps.map((step) => step.name)).toEqual([...STEP_NAMES]);
    expect(steps[0]).toMatchObject({ state: "now", said: "now" });
    expect(steps.slice(1).every((step) => step.state === "later")).toBe(true);
    expect(latestOf(steps)).toBeNull();
    expect(overOf(null)).toBe(false);
  });

  it("tells how soon the close command left, by the platform's own clocks", () => {
    const steps = stepsOf(facts(incident({ T2: T0 + 40, T3: T0 + 41 })));
    expect(steps[0]).toMatchObject({ state: "done", atMs: T0, named: { lel: 12.3 } });
    expect(steps[1]).toMatchObject({ state: "done", atMs: T0 + 41, named: { ms: 1 } });
    expect(steps[2]).toMatchObject({ name: "valve_closed", state: "now" });
  });

  it("tells together what came about together", () => {
    const found = facts(incident({ T2: T0 + 2000, T3: T0 + 2001, T9: T0 + 2090, T6b: T0 + 2100 }));
    expect(momentOf(stepsOf(found)).map((step) => step.name)).toEqual(["close_sent", "crew_assigned", "phone_rings"]);
    expect(momentOf(stepsOf(facts(null)))).toEqual([]);
  });

  it("does nothing by time: the same facts are the same steps", () => {
    const same = facts(incident({ T2: T0 + 40, T3: T0 + 41 }));
    expect(stepsOf(same)).toEqual(stepsOf(same));
    expect(Object.values(shown(same)).filter((step) => step.startsWith("now"))).toHaveLength(1);
  });

  it("marks what came out of order and waits for what is missing before it", () => {
    const found = shown(facts(incident({ T2: T0, T3: T0, T9: T0 + 90 }, { order: { crew_id: "C1" } })));
    expect(found.valve_closed).toBe("now now");
    expect(found.crew_assigned).toBe("done done");
    expect(found.valve_holds).toBe("later later");
  });

  it("is closed on the spot where the detector did it, and by command where not", () => {
    expect(shown(facts(incident({ T1: T0 + 500, T4: T0 + 5000 }))).valve_closed).toBe("done locally");
    expect(shown(facts(incident({ T4: T0 + 5000 }))).valve_closed).toBe("done done");
    // Closed on the spot and not yet reported is not reported.
    expect(shown(facts(incident({ T1: T0 + 500 }))).valve_closed).toBe("later later");
  });

  it.each(["no_answer", "refused", "travel_time_over", "gas_still_flows"])("never shows a valve green that is %s", (valve) => {
    expect(shown(facts(incident({ T3: T0, T4: T0 + 900 }, { valve }))).valve_closed).toBe("trouble not_closed");
  });

  it("tells of every new try of a valve that does not arrive, also while the next one is under way", () => {
    const stuck = stepsOf(facts(incident({ T3: T0 }, { valve: "accepted" }), [], [], [close(1), close(3), close(2)]));
    expect(stuck.find((step) => step.name === "valve_closed")).toMatchObject({ state: "trouble", said: "not_closed", named: { tries: 3 } });
    expect(shown(facts(incident({ T3: T0, T4: T0 + 60_000 }, { valve: "reported_closed" }), [], [], [close(1), close(2)])).valve_closed).toBe("done at_last");
    expect(shown(facts(incident({ T3: T0 }, { valve: "accepted" }), [], [], [close(1)])).valve_closed).toBe("now now");
  });

  it("takes a key alone for confirmed", () => {
    expect(shown(facts(incident({ T6b: T0 }), [call({ answered_ms: T0 + 2 })])).key_pressed).toBe("later later");
    const told = (key: string) => stepsOf(facts(incident(), [call({ key, key_ms: T0 + 9000, ended_ms: T0 + 12_000 })])).find((step) => step.name === "key_pressed");
    expect(told("1")).toMatchObject({ state: "done", said: "done", atMs: T0 + 9000, named: { who: "周敏", key: "1" } });
    expect(told("2")).toMatchObject({ said: "help" });
    expect(told("9")).toMatchObject({ said: "wrong" });
  });

  it("says when nobody confirmed, and when a person at the desk has to", () => {
    const unheard = [call({ ended_ms: T0 + 30_000 })];
    expect(stepsOf(facts(incident(), unheard)).find((step) => step.name === "key_pressed")).toMatchObject({ state: "trouble", said: "unconfirmed", named: { calls: 1 } });
    const task = { task_id: "t", kind: "nobody_confirmed", created_ms: T0 + 90_000 } as unknown as Task;
    expect(stepsOf(facts(incident(), unheard, [task])).find((step) => step.name === "key_pressed")).toMatchObject({ state: "trouble", said: "human", atMs: T0 + 90_000 });
    const late = call({ call_id: "d", key: "1", key_ms: T0 + 95_000, ended_ms: T0 + 99_000 });
    expect(shown(facts(incident(), [...unheard, late], [task])).key_pressed).toBe("done done");
  });

  it("tells a valve that holds from one that cannot be proven and one that does not", () => {
    expect(shown(facts(incident({ T4: T0, T5: T0 + 12_000 }, { proof: "holds" }))).valve_holds).toBe("done done");
    expect(shown(facts(incident({ T4: T0 }, { proof: "not_provable" }))).valve_holds).toBe("done not_provable");
    expect(shown(facts(incident({ T4: T0 }, { proof: "flows" }))).valve_holds).toBe("trouble flows");
  });

  it("waits for no proof any more once the valve is open again", () => {
    const opened = { state: "closed", valve: "opened", proof: "none", opened_valve_ms: T0 + 200_000 };
    expect(shown(facts(incident({ T4: T0 }, opened))).valve_holds).toBe("done unproven");
    expect(stepsOf(facts(incident({ T4: T0 }, opened))).find((step) => step.name === "valve_holds")?.atMs).toBe(T0 + 200_000);
    expect(shown(facts(incident({ T4: T0, T5: T0 + 12_000 }, opened))).valve_holds).toBe("done done");
  });

  it("tells a room that does not clear, and that the leak was before the meter once it does", () => {
    expect(shown(facts(incident({}, { clearing: "not_clearing" }))).room_clears).toBe("trouble not_clearing");
    const suspected = { clearing: "not_clearing", before_meter_ms: T0 + 50_000 };
    expect(shown(facts(incident({}, suspected))).room_clears).toBe("trouble before_meter");
    expect(latestOf(stepsOf(facts(incident({ T4: T0 + 900 }, suspected))))?.name).toBe("room_clears");
    expect(shown(facts(incident({ T5c: T0 + 70_000 }, { clearing: "clearing", before_meter_ms: T0 + 50_000, before_meter_first_ms: T0 + 50_000 }))).room_clears).toBe("done after_riser");
    // The story is over, the valve open: nothing is suspected any more.
    const over = { state: "closed", valve: "opened", proof: "none", clearing: "clearing", before_meter_ms: null, before_meter_first_ms: T0 + 50_000 };
    expect(shown(facts(incident({ T5c: T0 + 70_000, T14: T0 + 300_000 }, over))).room_clears).toBe("done after_riser");
    expect(shown(facts(incident({ T5c: T0 + 70_000 }, { ...over, before_meter_first_ms: null }))).room_clears).toBe("done done");
  });

  it("is over when the incident is closed", () => {
    const all = Object.fromEntries(Object.keys(NO_CLOCKS).map((name, at) => [name, T0 + at * 1000]));
    const found = facts(incident(all, { state: "closed", proof: "holds", clearing: "clearing", valve: "opened" }), [call({ key: "1", key_ms: T0 + 8000, ended_ms: T0 + 9000 })]);
    expect(stepsOf(found).every((step) => step.state === "done")).toBe(true);
    expect(latestOf(stepsOf(found))?.name).toBe("gas_restored");
    expect(overOf(found.incident)).toBe(true);
  });

  it("has a sentence in both languages for everything that it may say", () => {
    const may: Record<string, string[]> = { valve_closed: ["locally", "at_last", "not_closed", "no_meter"], key_pressed: ["help", "wrong", "unconfirmed", "human"], valve_holds: ["not_provable", "unproven", "flows"], room_clears: ["not_clearing", "before_meter", "after_riser"] };
    for (const words of [messages.zh, messages.en]) {
      for (const name of STEP_NAMES) {
        const step = words.step[name] as Record<string, string>;
        for (const said of ["title", "now", "done", ...(may[name] ?? [])]) expect(step[said], `${name}.${said}`).toBeTruthy();
      }
    }
  });
});

describe("what a newcomer is shown", () => {
  const leak = (id: string, receivedMs: number, more: Record<string, unknown> = {}): Incident =>
    incident({}, { incident_id: id, kind: "leak", simulated: true, received_ms: receivedMs, ...more });

  it("is the newest leak of the district that is being dealt with", () => {
    expect(newestLeak([])).toBeNull();
    expect(newestLeak([leak("a", T0 + 2), leak("b", T0 + 9), leak("c", T0 + 5)])?.incident_id).toBe("b");
  });

  it.each([{ state: "closed" }, { kind: "canary" }, { simulated: false }])("is not %o", (more) => {
    expect(newestLeak([leak("a", T0 + 9, more), leak("b", T0)])?.incident_id).toBe("b");
    expect(newestLeak([leak("a", T0 + 9, more)])).toBeNull();
  });

  it("is a technician's phone where a crew works its order", () => {
    const order = { order_no: "QX-260402-0001", crew_id: "芙蓉-1", state: "assigned" };
    expect(orderAtWork(leak("a", T0, { order }))).toEqual({ orderNo: "QX-260402-0001", crewId: "芙蓉-1" });
    expect(orderAtWork(leak("a", T0, { order: { ...order, crew_id: null, state: "waiting" } }))).toBeNull();
    expect(orderAtWork(leak("a", T0, { order: { ...order, state: "archived" } }))).toBeNull();
    expect(orderAtWork(leak("a", T0, { order, state: "closed" }))).toBeNull();
    expect(orderAtWork(null)).toBeNull();
  });
});

describe("the small telephone", () => {
  it.each([
    [{}, "dialling"],
    [{ ringing_ms: 1 }, "ringing"],
    [{ ringing_ms: 1, answered_ms: 2 }, "speaking"],
    [{ ringing_ms: 1, answered_ms: 2, key: "1" }, "pressed"],
    [{ ringing_ms: 1, answered_ms: 2, key: "1", ended_ms: 3 }, "pressed"],
    [{ ringing_ms: 1, answered_ms: 2, ended_ms: 3 }, "over"],
    [{ ringing_ms: 1, ended_ms: 3 }, "not_taken"],
  ])("%o is %s", (more, state) => {
    expect(phoneStateOf(call(more))).toBe(state);
  });
});
