import { describe, expect, it } from "vitest";
import { failures, minutesOf, typed } from "./tightness";

const RULES = { safe_reading_lel: 10, tightness_minutes: 3, tightness_start_kpa: 2, tightness_drop_kpa: 0, gauge_resolution_kpa: 0.05 };

describe("the tightness test", () => {
  it.each([
    [2.5, 2.5, 3, []],
    [2.0, 1.95, 3, []],
    [2.5, 2.44, 3, ["pressure_fell"]],
    [2.5, 2.56, 3, ["pressure_rose"]],
    [2.5, 2.55, 3, []],
    [1.99, 1.99, 2.9, ["too_short", "pressure_too_low"]],
  ])("from %f to %f kPa in %f min: %o", (start, end, minutes, found) => expect(failures(RULES, start, end, minutes)).toEqual(found));

  it("never counts a minute that is not over", () => {
    expect([179_999, 180_000, 185_999, 186_000, -5].map(minutesOf)).toEqual([2.9, 3, 3, 3.1, 0]);
  });

  it.each([["2.5", 2.5], ["2，5", 2.5], ["２.５", 2.5], ["2.", 2], [".5", 0.5], ["", null], ["-1", null], ["2.5.1", null], ["abc", null], ["1e3", null]])(
    "reads %s as %s", (text, value) => expect(typed(text)).toBe(value),
  );
});
