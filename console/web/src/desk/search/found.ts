// What a search finds: grouped by kind, in one order for the arrow keys, each with the address of its page.

import type { components } from "@/shared/schema";

type Schemas = components["schemas"];

export const KINDS = ["home", "order", "device", "incident"] as const;
export type Kind = (typeof KINDS)[number];

/** `open_incident_id`: an incident of its home is open. */
export type Found = Schemas["SearchHit"];
/** `telephones` false: telephones were not searched, the role may not. */
export type SearchAnswer = Schemas["SearchAnswer"];

export interface Group {
  kind: Kind;
  items: { found: Found; at: number }[];
}

/** Groups in the order in which the best of each was found; `at` counts through all of them. */
export function grouped(items: readonly Found[]): Group[] {
  const kinds = [...new Set(items.map((item) => item.kind))];
  let at = 0;
  return kinds.map((kind) => ({ kind, items: items.filter((item) => item.kind === kind).map((found) => ({ found, at: at++ })) }));
}

export function pageOf(found: Found): string {
  const id = encodeURIComponent(found.id);
  if (found.kind === "order") return `/desk/orders/${id}`;
  if (found.kind === "incident") return `/desk/incidents/${id}`;
  if (found.kind === "device") return found.home_id === null ? `/desk/search?q=${id}` : `/desk/homes/${encodeURIComponent(found.home_id)}#${id}`;
  return `/desk/homes/${id}`;
}

/** The next place for an arrow key: round and round; -1 is the box itself. */
export function moved(at: number, by: 1 | -1, count: number): number {
  if (count === 0) return -1;
  return (at + by + count + (at < 0 && by < 0 ? 1 : 0)) % count;
}

export const SHORTEST = 2;

const numbersOf = (text: string): string[] => text.normalize("NFKC").match(/\d+/g) ?? [];

/**
 * Whether what was typed names this very home: its room or its household number is in it, and every number in it is one of the home's own,
 * whole. "3-501" is not exactly 3-5012, and a building or a name alone is nobody's home.
 */
export function exactly(home: Found, typed: string): boolean {
  const room = numbersOf(home.title_zh).at(-1);
  const household = numbersOf(home.detail_zh).filter((number) => number.length > 4);
  const own = new Set([home.title_zh, home.detail_zh, home.id].flatMap(numbersOf));
  const asked = numbersOf(typed);
  return asked.every((number) => own.has(number)) && asked.some((number) => number === room || household.includes(number));
}
