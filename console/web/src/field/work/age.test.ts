import { describe, expect, it } from "vitest";
import { agedLook, isOld, tenth } from "./age";

describe("what was heard of a place", () => {
  it.each([
    [1000, 301_000, true, false],
    [1000, 301_001, true, true],
    [1000, 1000, false, true],
    [null, 1000, true, true],
  ])("heard at %s, at %i, live %s: old %s", (heard, now, live, old) => expect(isOld(heard, now, live)).toBe(old));

  it("is vouched for by no tick when it is old, and stays bad where it was bad", () => {
    const [good, waits, bad] = [{ tone: "good", mark: "✓" }, { tone: "waits", mark: "✓" }, { tone: "bad", mark: "✕" }] as const;
    expect([good, waits, bad].map((look) => agedLook(look, false))).toEqual([good, waits, bad]);
    expect([good, waits, bad].map((look) => agedLook(look, true).mark)).toEqual(["?", "?", "✕"]);
  });

  it("has one decimal", () => expect([10.06, 10.04, 9.96, 2].map(tenth)).toEqual([10.1, 10, 10, 2]));
});
