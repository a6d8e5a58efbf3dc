// What the phone keeps: acts that are not sent yet, today's orders, drafts, and what became of acts. In IndexedDB; where there is none
// (a private window, a web view that forbids it), in memory, and the page says that nothing survives its end.
//
// A browser may close the database under a page that lives (a newer page in another window, iOS after a sleep, a full disk): whatever
// fails is tried once more on a database opened anew. What fails then too is thrown, and whoever asked says so to the technician.

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
  /** Every note whose name begins so. */
  dropNotes(prefix: string): Promise<void>;
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
    return inDatabase(await open(name), () => open(name));
  } catch {
    return inMemory();
  }
}

type Database = IDBPDatabase<Shape>;

async function open(name: string): Promise<Database> {
  const db: Database = await openDB<Shape>(name, 1, {
    upgrade(fresh) {
      fresh.createObjectStore("acts", { keyPath: "no", autoIncrement: true });
      fresh.createObjectStore("pasts", { autoIncrement: true }).createIndex("orderNo", "orderNo");
      fresh.createObjectStore("notes");
    },
    // A newer page in another window must not wait for this one.
    blocking: () => db.close(),
  });
  return db;
}

function inDatabase(first: Database, openAnew: () => Promise<Database>): Kept {
  let db = first;
  let opening: Promise<void> | null = null;

  async function tried<T>(work: (on: Database) => Promise<T>, again: (on: Database) => Promise<T> = work): Promise<T> {
    const used = db;
    try {
      return await work(used);
    } catch {
      if (used === db) {
        opening ??= openAnew().then((opened) => {
          used.close();
          db = opened;
        }).finally(() => (opening = null));
        await opening;
      }
      return await again(db);
    }
  }

  return {
    lasting: true,
    acts: () => tried((on) => on.getAll("acts")),
    // A try whose end was not heard may have been kept all the same: the key says which act it was.
    add: (act) => tried((on) => added(on, act), async (on) => (await on.getAll("acts")).find((each) => each.key === act.key) ?? added(on, act)),
    put: (act) => tried(async (on) => void (await on.put("acts", act))),
    end: (act, past) => tried((on) => ended(on, act, past)),
    pasts: (orderNo) => tried((on) => on.getAllFromIndex("pasts", "orderNo", orderNo)),
    note: <T>(name: string) => tried(async (on) => (await on.get("notes", name)) as T | undefined),
    setNote: (name, value) => tried(async (on) => void (await on.put("notes", value, name))),
    dropNote: (name) => tried((on) => on.delete("notes", name)),
    dropNotes: (prefix) => tried((on) => on.delete("notes", IDBKeyRange.bound(prefix, `${prefix}\uffff`))),
  };
}

async function added(db: Database, act: NewAct): Promise<Act> {
  // On disk before anybody is told that it is kept.
  const writing = db.transaction("acts", "readwrite", { durability: "strict" });
  const [no] = await Promise.all([writing.store.add(act as Act), writing.done]);
  return { ...act, no };
}

async function ended(db: Database, act: Act, past: Past): Promise<void> {
  const writing = db.transaction(["acts", "pasts"], "readwrite");
  const write = async (): Promise<void> => {
    await writing.objectStore("acts").delete(act.no);
    const pasts = writing.objectStore("pasts");
    await pasts.add(past);
    if ((await pasts.count()) > PASTS_MAX) {
      const oldest = await pasts.openCursor();
      await oldest?.delete();
    }
  };
  await Promise.all([write(), writing.done]);
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
    async dropNotes(prefix) {
      for (const name of [...notes.keys()]) if (name.startsWith(prefix)) notes.delete(name);
    },
  };
}
