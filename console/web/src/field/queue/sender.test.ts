import "fake-indexeddb/auto";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Act, NewAct, Outcome, Refused } from "./act";
import { inMemory, openKept, type Kept } from "./kept";
import { Sender, type Outside } from "./sender";
import type { Anchor } from "./trueTime";

const SERVER = 1_775_120_400_000;
const SENT: Outcome = { kind: "sent" };
const AWAY: Outcome = { kind: "unreachable" };
const REFUSED: Refused = { status: 409, reason: "leak_since_then", zh: "此后又有泄漏报警：请重新检测", en: "it has leaked again since then: measure anew", atMs: 7 };
const NO: Outcome = { kind: "refused", refused: REFUSED };

let count = 0;

/** A phone with its disk, and a platform that answers as it is told. */
class Phone {
  readonly heard: Act[] = [];
  answer: (act: Act, broken?: AbortSignal) => Outcome | Promise<Outcome> = () => SENT;
  who: string | null = "C1-A";
  anchorNow: Anchor | null = { serverMs: SERVER, wallMs: 1000, monoMs: 0, rate: 1, life: "a" };
  acts: Act[] = [];
  sender!: Sender;
  kept!: Kept;
  private keys = 0;

  constructor(readonly disk: string) {}

  /** The app is started, perhaps once more. */
  async start(): Promise<this> {
    this.kept = await openKept(this.disk);
    const outside: Outside = {
      post: async (act, broken) => {
        this.heard.push(structuredClone(act));
        return this.answer(act, broken);
      },
      anchor: async () => this.anchorNow,
      who: () => this.who,
      newKey: () => `again-${(this.keys += 1)}`,
      nowMs: () => SERVER,
    };
    this.sender = new Sender(this.kept, outside, (acts) => (this.acts = acts));
    running.push(this.sender);
    return this;
  }

  async do(what: Act["what"], orderNo = "QX-1", at = 0, more: Partial<NewAct> = {}): Promise<Act> {
    const taken = await this.sender.take({
      key: `${orderNo}/${what}/${at}`, who: "C1-A", orderNo, what, body: {}, picture: null,
      stamp: { wallMs: 1000 + at, monoMs: at, life: "a", anchor: { serverMs: SERVER - 600_000, wallMs: -599_000, monoMs: -600_000, rate: 1, life: "a" } },
      notBeforeMs: SERVER - 900_000, happenedMs: null, refused: null, requestId: null, ...more,
    });
    await this.sender.idle();
    return taken;
  }

  async tryAgain(): Promise<void> {
    this.sender.kick();
    await this.sender.idle();
  }

  get told(): string[] {
    return this.heard.map((act) => `${act.orderNo} ${act.what}`);
  }
}

const running: Sender[] = [];
const until = (look: () => void): Promise<void> => vi.waitFor(look, { timeout: 4000, interval: 5 });
const phone = (): Promise<Phone> => new Phone(`phone-${(count += 1)}`).start();

afterEach(() => {
  for (const sender of running.splice(0)) sender.stop();
});

describe("the queue", () => {
  it("is the way of every act, also with reception, and forgets it only once it was heard", async () => {
    const it = await phone();
    await it.do("accept");
    expect(it.told).toEqual(["QX-1 accept"]);
    expect(await it.kept.acts()).toEqual([]);
    expect((await it.kept.pasts("QX-1")).map((past) => [past.what, past.end])).toEqual([["accept", "sent"]]);
  });

  it("keeps the order over hours without reception and a closed app", async () => {
    const it = await phone();
    it.answer = () => AWAY;
    for (const [at, what] of (["accept", "on-site", "photo", "made-safe", "cause"] as const).entries()) await it.do(what, "QX-1", -500_000 + at * 60_000);
    it.sender.stop();
    const tried = it.heard.length;
    const later = await new Phone(it.disk).start();
    await later.tryAgain();
    expect(later.told).toEqual(["QX-1 accept", "QX-1 on-site", "QX-1 made-safe", "QX-1 cause", "QX-1 photo"]);
    expect(tried).toBeGreaterThan(0);
    expect(later.heard.map((act) => act.happenedMs)).toEqual([0, 1, 3, 4, 2].map((at) => SERVER - 500_000 + at * 60_000));
    expect(await later.kept.acts()).toEqual([]);
  });

  it("sends again under the same key and with the same body after a crash between sending and forgetting", async () => {
    const it = await phone();
    const kept = it.kept;
    const end = kept.end.bind(kept);
    kept.end = () => Promise.reject(new Error("the phone died here"));
    const unheard = it.do("made-safe", "QX-1", -60_000, { body: { reading_lel: 1.5 } });
    await expect(unheard).rejects.toThrow("the phone died here");
    kept.end = end;
    const later = await new Phone(it.disk).start();
    later.anchorNow = { serverMs: SERVER + 3_600_000, wallMs: 99, monoMs: 5, rate: 1, life: "b" };
    await later.tryAgain();
    expect(later.heard).toHaveLength(1);
    const [first, second] = [it.heard[0], later.heard[0]];
    expect([second?.key, second?.happenedMs, second?.body]).toEqual([first?.key, first?.happenedMs, { reading_lel: 1.5 }]);
    expect(await later.kept.acts()).toEqual([]);
  });

  it("shows a conflict, keeps it, and stops its own order alone", async () => {
    const it = await phone();
    it.answer = (act) => (act.orderNo === "QX-1" && act.what === "made-safe" ? NO : SENT);
    await it.do("made-safe");
    await it.do("cause");
    await it.do("photo");
    await it.do("accept", "QX-2");
    expect(it.told).toEqual(["QX-1 made-safe", "QX-1 photo", "QX-2 accept"]);
    expect(it.acts.map((act) => [act.what, act.refused?.reason ?? null])).toEqual([["made-safe", "leak_since_then"], ["cause", null]]);
    const later = await new Phone(it.disk).start();
    await later.tryAgain();
    expect(later.told).toEqual([]);
    expect((await later.kept.acts())[0]?.refused?.zh).toBe(REFUSED.zh);
  });

  it("goes on behind a conflict once the technician drops it, and remembers that he did", async () => {
    const it = await phone();
    it.answer = (act) => (act.what === "accept" ? NO : SENT);
    await it.do("accept");
    await it.do("on-site");
    await it.sender.drop((await it.kept.acts())[0] as Act);
    await it.sender.idle();
    expect(it.told).toEqual(["QX-1 accept", "QX-1 on-site"]);
    expect((await it.kept.pasts("QX-1")).map((past) => [past.what, past.end, past.refused?.reason])).toEqual([
      ["accept", "dropped", "leak_since_then"], ["on-site", "sent", undefined],
    ]);
  });

  it("sends a refused act again under a new key, with the time at which it was done", async () => {
    const it = await phone();
    it.answer = () => NO;
    await it.do("made-safe", "QX-1", -90_000);
    it.answer = () => SENT;
    await it.sender.again((await it.kept.acts())[0] as Act);
    await it.sender.idle();
    expect(it.heard.map((act) => act.key)).toEqual(["QX-1/made-safe/-90000", "again-1"]);
    expect(new Set(it.heard.map((act) => act.happenedMs))).toEqual(new Set([SERVER - 90_000]));
    expect(await it.kept.acts()).toEqual([]);
  });

  it("asks for the answer where the station has not given it yet, instead of asking twice", async () => {
    const it = await phone();
    it.answer = (act) => (act.requestId === null ? { kind: "put", requestId: "r-1" } : SENT);
    await it.do("accept");
    expect((await it.kept.acts())[0]?.requestId).toBe("r-1");
    await it.tryAgain();
    expect(it.heard.map((act) => act.requestId)).toEqual([null, "r-1"]);
    expect(await it.kept.acts()).toEqual([]);
  });

  describe("with a slow picture on its way", () => {
    /** The picture goes on until it is broken off or `arrives` says that it is there. */
    async function uploading(): Promise<{ it: Phone; arrives: () => void }> {
      const it = await phone();
      let arrives: () => void = () => undefined;
      it.answer = (act, broken) => {
        if (act.what !== "photo") return act.what === "made-safe" && act.key.startsWith("QX-1/") ? NO : SENT;
        return new Promise((resolve) => {
          arrives = () => resolve(SENT);
          broken?.addEventListener("abort", () => resolve({ kind: "put_off" }));
        });
      };
      await it.do("made-safe");
      void it.do("photo", "QX-2");
      await until(() => expect(it.told.at(-1)).toBe("QX-2 photo"));
      return { it, arrives: () => arrives() };
    }

    it("tells a step at once, and sends the picture again under its key", async () => {
      const { it, arrives } = await uploading();
      void it.do("made-safe", "QX-2", 5);
      await until(() => expect(it.told.slice(1)).toEqual(["QX-2 photo", "QX-2 made-safe", "QX-2 photo"]));
      const [first, , second] = it.heard.slice(1);
      expect([second?.key, second?.happenedMs]).toEqual([first?.key, first?.happenedMs]);
      arrives();
      await it.sender.idle();
      expect((await it.kept.acts()).map((act) => [act.what, act.refused?.reason])).toEqual([["made-safe", "leak_since_then"]]);
    });

    it("does not break it off for a step that cannot leave, nor for another picture", async () => {
      const { it, arrives } = await uploading();
      void it.do("cause");
      void it.do("signature", "QX-2");
      await until(() => expect(it.acts).toHaveLength(4));
      arrives();
      await it.sender.idle();
      expect(it.told.slice(1)).toEqual(["QX-2 photo", "QX-2 signature"]);
    });

    it("breaks it off for a refused step that is told again", async () => {
      const { it, arrives } = await uploading();
      await it.sender.again((await it.kept.acts())[0] as Act);
      await until(() => expect(it.told.slice(1)).toEqual(["QX-2 photo", "QX-1 made-safe", "QX-2 photo"]));
      arrives();
      await it.sender.idle();
      expect(await it.kept.acts()).toEqual([]);
    });
  });

  it("waits for its own technician: nobody else's session sends it", async () => {
    const it = await phone();
    it.who = null;
    await it.do("accept");
    it.who = "C2-A";
    await it.tryAgain();
    expect(it.heard).toEqual([]);
    it.who = "C1-A";
    await it.tryAgain();
    expect(it.told).toEqual(["QX-1 accept"]);
  });

  it("sends nothing before it knows the platform's time, and gives no two acts of an order the same", async () => {
    const it = await phone();
    const anchor = it.anchorNow;
    it.anchorNow = null;
    await it.do("accept", "QX-1", -5000);
    await it.do("on-site", "QX-1", -5000);
    await it.do("made-safe", "QX-1", -9000);
    expect(it.heard).toEqual([]);
    it.anchorNow = anchor;
    await it.tryAgain();
    const times = it.heard.map((act) => act.happenedMs);
    expect(times).toEqual([SERVER - 5000, SERVER - 4999, SERVER - 4998]);
  });

  it("carries pictures whole", async () => {
    const it = await phone();
    it.answer = () => AWAY;
    const bytes = new Uint8Array([0xff, 0xd8, 0xff, 1, 2, 3]).buffer;
    await it.do("photo", "QX-1", 0, { picture: { bytes, type: "image/jpeg", place: { lon: 112.9, lat: 28.2, datum: "WGS-84" } } });
    it.sender.stop();
    const later = await new Phone(it.disk).start();
    await later.tryAgain();
    expect([...new Uint8Array(later.heard[0]?.picture?.bytes ?? new ArrayBuffer(0))]).toEqual([0xff, 0xd8, 0xff, 1, 2, 3]);
    expect(later.heard[0]?.picture?.place).toEqual({ lon: 112.9, lat: 28.2, datum: "WGS-84" });
  });

  it("works in memory where the phone keeps nothing, and says so", async () => {
    const kept = inMemory();
    const taken = await kept.add({ key: "k", who: "C1-A", orderNo: "QX-1", what: "accept", body: {}, picture: null, stamp: { wallMs: 0, monoMs: 0, life: "a", anchor: null }, notBeforeMs: 0, happenedMs: null, refused: null, requestId: null });
    expect([kept.lasting, taken.no, (await kept.acts()).length]).toEqual([false, 1, 1]);
  });
});
