import { describe, expect, it } from "vitest";
import { reckon, settle, type Anchor, type Stamp } from "./trueTime";

const SERVER = 1_775_120_400_000;
const WALL = 1_775_000_000_000;
const MIN = 60_000;

/** The platform's word at minute `at` of the story; the wall clock is `off` ms from where it began. */
const word = (at: number, { off = 0, slept = 0, life = "a", rate = 1 } = {}): Anchor => ({
  serverMs: SERVER + at * MIN * rate, wallMs: WALL + at * MIN + off, monoMs: 1000 + at * MIN - slept, rate, life,
});
const done = (at: number, anchor: Anchor | null, { off = 0, slept = 0, life = "a" } = {}): Stamp => ({
  wallMs: WALL + at * MIN + off, monoMs: 1000 + at * MIN - slept, life, anchor,
});
const at = (minute: number): number => SERVER + minute * MIN;

describe("the true time of an act", () => {
  it("is the platform's, however wrong the phone's clock is", () => {
    expect(reckon(done(5, word(0)))).toBe(at(5));
    expect(settle(done(5, word(0)), word(60), 0)).toBe(at(5));
  });

  it("runs at the platform's rate", () => {
    const [before, heard] = [word(0, { rate: 60 }), word(10, { rate: 60 })];
    expect(reckon(done(5, before))).toBe(SERVER + 5 * 60 * MIN);
    expect(settle(done(5, before), heard, 0)).toBe(SERVER + 5 * 60 * MIN);
  });

  it("is not moved by a wall clock that is set back an hour before the act", () => {
    const stamp = done(5, word(0), { off: -60 * MIN });
    expect(reckon(stamp)).toBe(at(5));
    expect(settle(stamp, word(30, { off: -60 * MIN }), 0)).toBe(at(5));
  });

  it("is not moved by a wall clock that is set forward an hour, once the platform is heard again", () => {
    const stamp = done(5, word(0), { off: 60 * MIN });
    expect(reckon(stamp)).toBe(at(65));
    expect(settle(stamp, word(30, { off: 60 * MIN }), 0)).toBe(at(5));
  });

  it("is not moved by a clock that is set after the act", () => {
    expect(settle(done(5, word(0)), word(30, { off: 60 * MIN }), 0)).toBe(at(5));
    expect(settle(done(5, word(0)), word(30, { off: -60 * MIN }), 0)).toBe(at(5));
  });

  it("counts a sleep during which the monotonic clock stood still", () => {
    const stamp = done(45, word(0), { slept: 30 * MIN });
    expect(reckon(stamp)).toBe(at(45));
    expect(settle(stamp, word(50, { slept: 30 * MIN }), 0)).toBe(at(45));
  });

  it("survives a closed app by the wall clock", () => {
    const stamp = done(20, word(0), { life: "b" });
    expect(reckon(stamp)).toBe(at(20));
    expect(settle(stamp, word(90, { life: "c" }), 0)).toBe(at(20));
  });

  it("is counted back from now where the clock was set while the app was closed", () => {
    const stamp = done(20, word(0), { life: "b", off: 500 * MIN });
    expect(settle(stamp, word(25, { life: "b", off: 500 * MIN }), 0)).toBe(at(20));
  });

  it("is counted back from now where the platform was never heard before", () => {
    expect(settle(done(3, null), word(10), 0)).toBe(at(3));
    expect(settle(done(3, null), word(10, { life: "b" }), 0)).toBe(at(3));
  });

  it("is never in the future, and never before what it followed", () => {
    expect(settle(done(50, word(0), { life: "b", off: 900 * MIN }), word(55, { life: "c" }), 0)).toBeLessThanOrEqual(at(55));
    expect(settle(done(5, word(0)), word(30), at(6))).toBe(at(6));
  });
});
