// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { clockHeard } from "@/shared/clock";
import { settle, type Anchor } from "./queue/trueTime";
import { beginWith, fresh, heardTime, now, stampNow, trueNow } from "./time";

const SERVER = 1_775_120_400_000;
const WALL = 1_775_000_000_000;
const HOUR = 3_600_000;
let wall = WALL;
let mono = 1000;

/** Time passes; asleep the monotonic clock stands still. */
const pass = (ms: number): void => void ((wall += ms), (mono += ms));
const sleep = (ms: number): void => void (wall += ms);
const hear = (serverMs: number, rate = 1): void => clockHeard({ now_ms: serverMs, rate, live: true, since_ms: null });

beforeEach(() => {
  [wall, mono] = [WALL, 1000];
  vi.spyOn(Date, "now").mockImplementation(() => wall);
  vi.spyOn(performance, "now").mockImplementation(() => mono);
  hear(SERVER);
  heardTime();
});
afterEach(() => vi.restoreAllMocks());

describe("the platform's time paired with the phone's clocks", () => {
  it("is made of a word that was heard a moment ago", () => {
    pass(10_000);
    expect(fresh()).toMatchObject({ serverMs: SERVER + 10_000, wallMs: WALL + 10_000, monoMs: 11_000 });
    expect(trueNow()).toBe(SERVER + 10_000);
    pass(5001);
    expect(fresh()).toBeNull();
  });

  it.each([["a sleep", 2 * HOUR], ["a clock set forward", 2001], ["a clock set back", -HOUR]])("is not made over %s", (_, ms) => {
    pass(1000);
    expect(fresh()).not.toBeNull();
    sleep(ms);
    expect(fresh()).toBeNull();
    // The stream says "live" for some seconds still: what stands from before is no new word.
    expect(heardTime()).toBeNull();
  });

  it("is made again by the next word", () => {
    sleep(2 * HOUR);
    expect(fresh()).toBeNull();
    hear(SERVER + 2 * HOUR);
    expect(heardTime()).toMatchObject({ serverMs: SERVER + 2 * HOUR, wallMs: WALL + 2 * HOUR, monoMs: 1000 });
  });
});

describe("after a sleep of two hours without reception", () => {
  it("an act is stamped by the word before the sleep, and settled where it was done", () => {
    pass(3000);
    heardTime();
    sleep(2 * HOUR);
    pass(4000);
    const stamp = stampNow();
    expect(stamp.anchor).toMatchObject({ serverMs: SERVER + 3000, wallMs: WALL + 3000 });
    pass(60_000);
    hear(SERVER + 2 * HOUR + 67_000);
    expect(settle(stamp, fresh() as Anchor, 0)).toBe(SERVER + 2 * HOUR + 7000);
  });

  it("the page's time and every age have gone on", async () => {
    sleep(2 * HOUR);
    pass(13_000);
    expect(trueNow()).toBe(SERVER + 2 * HOUR + 13_000);
    await vi.waitFor(() => expect(now.value).toBe(SERVER + 2 * HOUR + 13_000), { timeout: 4000 });
  });

  it("counts at the platform's rate", () => {
    hear(SERVER, 60);
    heardTime();
    sleep(60_000);
    expect(trueNow()).toBe(SERVER + 3_600_000);
  });
});

it("begins with what was kept over the last start", () => {
  beginWith({ serverMs: SERVER - HOUR, wallMs: WALL - HOUR - 500, monoMs: 5, rate: 1, life: "before" });
  sleep(HOUR);
  expect(trueNow()).toBe(SERVER + HOUR + 500);
});
