// What the phone keeps: acts that are not sent yet, today's orders, drafts, and what became of acts. In IndexedDB; where there is none
// (a private window, a web view that forbids it), in memory, and the page says that nothing survives its end.

import { openDB, type DBSchema, type IDBPDatabase } from "idb";
import type { Act, NewAct, PictureName, Refused, StepName } from "./act";

/** What became of an act, so that nothing vanishes without a trace. */
export interface Past {
  orderNo: string;
  what: StepName | PictureName;
  happenedMs: number | null;
  end: "sent" | "dropped";
  atMs: number;
  refused: Refused | null;
}

export interface Kept {
  readonly lasting: boolean;
  acts(): Promise<Act[]>;
  add(act: NewAct): Promise<Act>;
  put(act: Act): Promise<void>;
  /** The act is at its end; both in one transaction. */
  end(act: Act, past: Past): Promise<void>;
  pasts(orderNo: string): Promise<Past[]>;
  note<T>(name: string): Promise<T | undefined>;
  setNote(name: string, value: unknown): Promise<void>;
  dropNote(name: string): Promise<void>;
}

interface Shape extends DBSchema {
  acts: { key: number; value: Act };
  pasts: { key: number; value: Past; indexes: { orderNo: string } };
  notes: { key: string; value: unknown };
}

export const DATABASE = "gas-sentinel-field";
const PASTS_MAX = 400;

export async function openKept(name: string = DATABASE): Promise<Kept> {
  try {
    const db = await openDB<Shape>(name, 1, {
      upgrade(fresh) {
        fresh.createObjectStore("acts", { keyPath: "no", autoIncrement: true });
        fresh.createObjectStore("pasts", { autoIncrement: true }).createIndex("orderNo", "orderNo");
        fresh.createObjectStore("notes");
      },
      // A newer page in another window must not wait for this one.
      blocking: () => db.close(),
    });
    return inDatabase(db);
  } catch {
    return inMemory();
  }
}

function inDatabase(db: IDBPDatabase<Shape>): Kept {
  return {
    lasting: true,
    acts: () => db.getAll("acts"),
    async add(act) {
      // On disk before anybody is told that it is kept.
      const writing = db.transaction("acts", "readwrite", { durability: "strict" });
      const no = await writing.store.add(act as Act);
      await writing.done;
      return { ...act, no };
    },
    async put(act) {
      await db.put("acts", act);
    },
    async end(act, past) {
      const writing = db.transaction(["acts", "pasts"], "readwrite");
      await writing.objectStore("acts").delete(act.no);
      const pasts = writing.objectStore("pasts");
      await pasts.add(past);
      if ((await pasts.count()) > PASTS_MAX) {
        const oldest = await pasts.openCursor();
        await oldest?.delete();
      }
      await writing.done;
    },
    pasts: (orderNo) => db.getAllFromIndex("pasts", "orderNo", orderNo),
    note: async <T>(name: string) => (await db.get("notes", name)) as T | undefined,
    async setNote(name, value) {
      await db.put("notes", value, name);
    },
    dropNote: (name) => db.delete("notes", name),
  };
}

export function inMemory(): Kept {
  const acts = new Map<number, Act>();
  const notes = new Map<string, unknown>();
  const pasts: Past[] = [];
  let last = 0;
  return {
    lasting: false,
    acts: async () => [...acts.values()],
    async add(act) {
      last += 1;
      acts.set(last, { ...act, no: last });
      return { ...act, no: last };
    },
    async put(act) {
      acts.set(act.no, act);
    },
    async end(act, past) {
      acts.delete(act.no);
      pasts.push(past);
      pasts.splice(0, Math.max(0, pasts.length - PASTS_MAX));
    },
    pasts: async (orderNo) => pasts.filter((past) => past.orderNo === orderNo),
    note: async <T>(name: string) => notes.get(name) as T | undefined,
    async setNote(name, value) {
      notes.set(name, value);
    },
    async dropNote(name) {
      notes.delete(name);
    },
  };
}
