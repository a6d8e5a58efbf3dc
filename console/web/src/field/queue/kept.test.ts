import "fake-indexeddb/auto";
import { afterEach, describe, expect, it, vi } from "vitest";
import { openKept } from "./kept";
import { act } from "./stage";

let count = 0;
const disk = (): string => `disk-${(count += 1)}`;
const { no: _, ...STEP } = act(0, { what: "on-site" });
const PAST = { orderNo: "QX-1", what: "on-site", happenedMs: 1, end: "sent", atMs: 2, refused: null } as const;

const gone = (): never => {
  throw new DOMException("Connection to Indexed Database server lost. Refresh the page to try again", "UnknownError");
};
afterEach(() => void vi.restoreAllMocks());

/** Another window wants the database: this page's connection is closed under it. */
function taken(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const asking = indexedDB.deleteDatabase(name);
    asking.onsuccess = () => resolve();
    asking.onerror = () => reject(asking.error ?? new Error("not deleted"));
  });
}

describe("a database that is closed under the app", () => {
  it("is opened anew, and what was to be kept is kept", async () => {
    const name = disk();
    const kept = await openKept(name);
    await taken(name);
    const held = await kept.add(STEP);
    expect((await kept.acts()).map((each) => [each.no, each.key])).toEqual([[held.no, "key-0"]]);
    expect((await (await openKept(name)).acts()).map((each) => each.key)).toEqual(["key-0"]);
  });

  it("loses nothing of several writings at once, and nothing that was kept before", async () => {
    const kept = await openKept(disk());
    const first = await kept.add({ ...STEP, key: "before" });
    const spy = vi.spyOn(IDBDatabase.prototype, "transaction");
    for (let each = 0; each < 3; each += 1) spy.mockImplementationOnce(gone);
    await Promise.all([kept.add(STEP), kept.setNote("door", 1.5), kept.end(first, PAST)]);
    expect(spy.mock.results.filter((result) => result.type === "throw")).toHaveLength(3);
    spy.mockRestore();
    expect((await kept.acts()).map((each) => each.key)).toEqual(["key-0"]);
    expect([await kept.note("door"), (await kept.pasts("QX-1")).length]).toEqual([1.5, 1]);
  });

  it("keeps an act once where its first try was kept after all", async () => {
    const kept = await openKept(disk());
    const own = IDBDatabase.prototype.transaction;
    const spy = vi.spyOn(IDBDatabase.prototype, "transaction").mockImplementationOnce(function (this: IDBDatabase, ...asked) {
      const begun = own.apply(this, asked);
      begun.objectStore("acts").add({ ...STEP });
      begun.commit();
      return begun;
    });
    const held = await kept.add(STEP);
    expect(spy.mock.calls.length).toBeGreaterThan(1);
    spy.mockRestore();
    expect((await kept.acts()).map((each) => [each.no, each.key])).toEqual([[held.no, "key-0"]]);
  });

  it("says so where it cannot be kept at all", async () => {
    const kept = await openKept(disk());
    const spy = vi.spyOn(IDBDatabase.prototype, "transaction").mockImplementation(gone);
    await expect(kept.add(STEP)).rejects.toThrow("server lost");
    await expect(kept.setNote("day", {})).rejects.toThrow("server lost");
    spy.mockRestore();
    expect(await kept.acts()).toEqual([]);
  });
});

it("forgets the notes that begin so, and no others", async () => {
  const kept = await openKept(disk());
  for (const name of ["draft:door:QX-1", "draft:door:QX-2", "draft:test:QX-1", "draft"]) await kept.setNote(name, 1);
  await kept.dropNotes("draft:door:");
  expect(await Promise.all(["draft:door:QX-1", "draft:door:QX-2", "draft:test:QX-1", "draft"].map((name) => kept.note(name)))).toEqual([undefined, undefined, 1, 1]);
});
