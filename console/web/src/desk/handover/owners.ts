// Who takes what: named for a thing, for its kind, or for all the rest; of a kind what the console would answer too. Nothing is handed
// over while a thing has nobody.

import { get } from "@/shared/api";
import type { HandoverDocument, Taken } from "./shapes";

export const REST = "*";
export const BLIND = "blind";
export const PROMISES = "promises";
export const holdsOf = (kind: string): string => `holds:${kind}`;

/** Whether a desk (its districts, comma between; `*` for all) answers for a district. */
export const covers = (desk: string, district: string | undefined): boolean => desk === "*" || (district !== undefined && desk.split(",").includes(district));

export interface Owned {
  thing: string;
  owner?: string | null;
  /** Its kind, where one may be named for all of it. */
  wider?: string;
}
type Owners = Readonly<Record<string, string>>;

/** The buildings that are not watched, as one thing: not each needs a name of its own. */
export const blindOf = (document: HandoverDocument): Owned => ({ thing: BLIND, owner: document.blind_owner });

/** Promises, kinds of hold, and the buildings. */
function standing(document: HandoverDocument): Owned[] {
  return [...document.promises.map((promise) => ({ ...promise, wider: PROMISES })), ...document.hold_counts, ...(document.blind_buildings > 0 ? [blindOf(document)] : [])];
}

/** What needs an owner; a hold or a building of its own is not among it: whoever has its kind has it. */
export function thingsOf(document: HandoverDocument): Owned[] {
  return [...document.incidents, ...document.tasks, ...standing(document)];
}

/** What goes to `taker` without a word, because `named` gives it to nobody: an incident or a task never does. */
export function leftTo(taker: string, document: HandoverDocument, named: Owners): Record<string, string> {
  return Object.fromEntries(unowned(standing(document), named).map(({ thing }) => [thing, taker]));
}

/** What the API is told: only names that were given, and only for what is still open. */
export function given(chosen: Owners, things: readonly Owned[]): Record<string, string> {
  const open = new Set(things.map((thing) => thing.thing));
  return Object.fromEntries(Object.entries(chosen).filter(([thing, name]) => name !== "" && (thing === REST || open.has(thing))));
}

/** Whom a thing goes to: the one named for it, for its kind, or for all the rest. */
export function ownerOf(thing: Owned, owners: Owners): string {
  return owners[thing.thing] || owners[thing.wider ?? ""] || owners[REST] || "";
}

export function unowned<T extends Owned>(things: readonly T[], owners: Owners): T[] {
  return things.filter((thing) => ownerOf(thing, owners) === "");
}

// Who has a thing since the last handover. Everything that a page asks in one moment is one question.
const MOST = 50;
interface Wanted {
  things: readonly string[];
  take: (found: Taken[]) => void;
  refuse: (error: unknown) => void;
}
let wanted: Wanted[] = [];

export function takenBy(things: readonly string[]): Promise<Taken[]> {
  return new Promise((take, refuse) => {
    if (wanted.length === 0) queueMicrotask(ask);
    wanted.push({ things, take, refuse });
  });
}

function ask(): void {
  const asked = wanted;
  wanted = [];
  for (let from = 0; from < asked.length; ) {
    const group: Wanted[] = [];
    const names = new Set<string>();
    while (from < asked.length && (group.length === 0 || names.size + asked[from]!.things.length <= MOST)) {
      const next = asked[from++]!;
      group.push(next);
      for (const thing of next.things) names.add(thing);
    }
    get<{ items: Taken[] }>(`/handover/owners?${[...names].map((thing) => `thing=${encodeURIComponent(thing)}`).join("&")}`).then(
      ({ items }) => group.forEach((each) => each.take(items.filter((item) => each.things.includes(item.thing)))),
      (error: unknown) => group.forEach((each) => each.refuse(error)),
    );
  }
}
