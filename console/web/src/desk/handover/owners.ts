// Who takes what: named for a thing, or for all the rest. Nothing is handed over while a thing has nobody.

export const REST = "*";

export interface Owned {
  thing: string;
  owner?: string | null;
}

/** What the API is told: only names that were given, and only for what is still open. */
export function given(chosen: Readonly<Record<string, string>>, things: readonly Owned[]): Record<string, string> {
  const open = new Set(things.map((thing) => thing.thing));
  return Object.fromEntries(Object.entries(chosen).filter(([thing, name]) => name !== "" && (thing === REST || open.has(thing))));
}

/** Whom a thing goes to: what was chosen now before what is on record, the one for all the rest last. */
export function ownerOf(thing: Owned, chosen: Readonly<Record<string, string>>): string {
  return chosen[thing.thing] || thing.owner || chosen[REST] || "";
}

export function unowned<T extends Owned>(things: readonly T[], chosen: Readonly<Record<string, string>>): T[] {
  return things.filter((thing) => ownerOf(thing, chosen) === "");
}
