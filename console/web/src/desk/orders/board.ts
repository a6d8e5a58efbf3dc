// What the board shows of the open orders: columns, filter, and what is late. Knows no page and no clock of its own.

export const COLUMNS = ["waiting", "assigned", "accepted", "on_site", "made_safe", "tested", "no_access"] as const;
export type Column = (typeof COLUMNS)[number];

/** The promise of an emergency order: a crew on site within 30 minutes of its making. */
export const ON_SITE_WITHIN_MS = 30 * 60_000;

/** What the board needs of an order. */
export interface BoardOrder {
  order_no: string;
  kind: string;
  priority: number;
  crew_id: string | null;
  created_ms: number;
  /** It stands in its column since, Unix ms. */
  since_ms: number;
  on_site_ms: number | null;
  no_access_ms: number | null;
  revisit_due_ms: number | null;
}

export type Board<T extends BoardOrder = BoardOrder> = Record<Column, T[]>;

/** Crew null: every crew; "" : orders without one. Priority null: every priority. */
export interface Filter {
  crew: string | null;
  priority: number | null;
}

export function filtered<T extends BoardOrder>(board: Board<T>, filter: Filter): Board<T> {
  const passes = (order: T) =>
    (filter.crew === null || (order.crew_id ?? "") === filter.crew) && (filter.priority === null || order.priority === filter.priority);
  return Object.fromEntries(COLUMNS.map((column) => [column, sorted(board[column] ?? []).filter(passes)])) as Board<T>;
}

/** First to be worked first: by priority, then by how long it stands there. */
function sorted<T extends BoardOrder>(orders: readonly T[]): T[] {
  return [...orders].sort((a, b) => a.priority - b.priority || a.since_ms - b.since_ms);
}

export function all<T extends BoardOrder>(board: Board<T>): T[] {
  return COLUMNS.flatMap((column) => board[column] ?? []);
}

export function crewsOf(board: Board): string[] {
  return [...new Set(all(board).flatMap((order) => (order.crew_id === null ? [] : [order.crew_id])))].sort();
}

export function prioritiesOf(board: Board): number[] {
  return [...new Set(all(board).map((order) => order.priority))].sort((a, b) => a - b);
}

export function columnOf(board: Board, orderNo: string): Column | null {
  return COLUMNS.find((column) => (board[column] ?? []).some((order) => order.order_no === orderNo)) ?? null;
}

export type Due = { kind: "arrive" | "revisit"; at_ms: number; late_ms: number } | null;

/** The next promise on an order; late_ms above 0: it is broken by that much. */
export function due(order: BoardOrder, nowMs: number): Due {
  if (order.kind === "emergency" && order.on_site_ms === null && order.no_access_ms === null) {
    const at_ms = order.created_ms + ON_SITE_WITHIN_MS;
    return { kind: "arrive", at_ms, late_ms: Math.max(0, nowMs - at_ms) };
  }
  if (order.revisit_due_ms !== null) {
    return { kind: "revisit", at_ms: order.revisit_due_ms, late_ms: Math.max(0, nowMs - order.revisit_due_ms) };
  }
  return null;
}

/** Whether an order may be taken from its crew: it has one, and has not yet made the place safe. Else dispatch would refuse. */
export function movable(column: Column): boolean {
  return ["assigned", "accepted", "on_site", "no_access"].includes(column);
}

/** Whether a tightness test may be entered now, or not yet: the form is not offered where dispatch refuses it in any case. */
export function takesTest(order: { state: string }): "now" | "later" | "never" {
  if (["cause_recorded", "tightness_passed"].includes(order.state)) return "now";
  return ["assigned", "accepted", "on_site", "made_safe"].includes(order.state) ? "later" : "never";
}
