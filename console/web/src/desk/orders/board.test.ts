import { describe, expect, it } from "vitest";
import { type Board, type BoardOrder, COLUMNS, columnOf, crewsOf, due, filtered, ON_SITE_WITHIN_MS, movable, prioritiesOf, takesTest } from "./board";

const order = (order_no: string, more: Partial<BoardOrder> = {}): BoardOrder => ({
  order_no, kind: "emergency", priority: 2, crew_id: null, created_ms: 1000, since_ms: 1000, on_site_ms: null, no_access_ms: null, revisit_due_ms: null, ...more,
});
const board = (columns: Partial<Board>): Board => ({ ...(Object.fromEntries(COLUMNS.map((c) => [c, []])) as unknown as Board), ...columns });

describe("the board", () => {
  const full = board({
    waiting: [order("A", { since_ms: 2000 }), order("B", { priority: 1, since_ms: 5000 }), order("C")],
    on_site: [order("D", { crew_id: "crew-2", on_site_ms: 9000 })],
    accepted: [order("E", { crew_id: "crew-1", priority: 1 })],
  });

  it("puts what is worked first on top: priority, then age", () => {
    expect(filtered(full, { crew: null, priority: null }).waiting.map((o) => o.order_no)).toEqual(["B", "C", "A"]);
  });

  it("filters by crew, by having none, and by priority", () => {
    expect(filtered(full, { crew: "crew-2", priority: null }).on_site).toHaveLength(1);
    expect(filtered(full, { crew: "crew-2", priority: null }).waiting).toEqual([]);
    expect(filtered(full, { crew: "", priority: null }).waiting).toHaveLength(3);
    expect(filtered(full, { crew: null, priority: 1 }).waiting.map((o) => o.order_no)).toEqual(["B"]);
  });

  it("names the crews and priorities that are on it", () => {
    expect(crewsOf(full)).toEqual(["crew-1", "crew-2"]);
    expect(prioritiesOf(full)).toEqual([1, 2]);
  });

  it("finds an order's column", () => {
    expect(columnOf(full, "D")).toBe("on_site");
    expect(columnOf(full, "none")).toBeNull();
  });

  it("survives a column that an older console does not know", () => {
    expect(filtered({ waiting: [order("A")] } as unknown as Board, { crew: null, priority: null }).tested).toEqual([]);
  });
});

it("an order is taken from its crew until the place is made safe, and one without a crew cannot be", () => {
  expect(COLUMNS.filter(movable)).toEqual(["assigned", "accepted", "on_site", "no_access"]);
});

it("a tightness test is entered once the cause is known, and never on an order that has none to come", () => {
  expect(["made_safe", "cause_recorded", "tightness_passed", "restored", "waiting"].map((state) => takesTest({ state }))).toEqual(["later", "now", "now", "never", "never"]);
});

describe("what is due", () => {
  it("is arriving within 30 minutes for an emergency", () => {
    expect(due(order("A"), 1000)).toEqual({ kind: "arrive", at_ms: 1000 + ON_SITE_WITHIN_MS, late_ms: 0 });
    expect(due(order("A"), 1000 + ON_SITE_WITHIN_MS + 7)?.late_ms).toBe(7);
  });

  it("is nothing for a planned order, and nothing once somebody is there", () => {
    expect(due(order("A", { kind: "inspection" }), 1e9)).toBeNull();
    expect(due(order("A", { on_site_ms: 5 }), 1e9)).toBeNull();
  });

  it("is the revisit where nobody opened", () => {
    expect(due(order("A", { no_access_ms: 5, revisit_due_ms: 100 }), 130)).toEqual({ kind: "revisit", at_ms: 100, late_ms: 30 });
  });
});
