// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import { afterAlarm, dateOf, dayTimeOf, duration, methane, roughly, timeOf, timeToTenth } from "./format";
import { setLanguage } from "./i18n";

const MS = Date.UTC(2026, 3, 1, 16, 5, 9, 250); // half past midnight has passed in Changsha

afterEach(() => setLanguage("en"));

describe("times", () => {
  it("are Beijing time, also across midnight", () => {
    expect(timeOf(MS)).toBe("00:05:09");
    expect(timeToTenth(MS)).toBe("00:05:09.2");
    expect(dateOf(MS)).toBe("2026-04-02");
    expect(dayTimeOf(MS)).toBe("04-02 00:05");
  });

  it.each([
    [420, "+0.42 s"], [12_340, "+12.3 s"], [-30, "−0.03 s"], [192_000, "+03:12"], [3_725_000, "+1:02:05"],
  ])("after the alarm: %i ms is %s", (ms, words) => expect(afterAlarm(ms)).toBe(words));

  it.each([
    [-5_000, "0 秒", "0 s"], [59_999, "59 秒", "59 s"], [187_000, "3 分 07 秒", "3 min 07 s"], [7_500_000, "2 小时 05 分", "2 h 05 min"], [4 * 86_400_000, "4 天 0 小时", "4 d 0 h"],
  ])("%i ms as an age", (ms, zh, en) => {
    setLanguage("zh");
    expect(duration(ms)).toBe(zh);
    setLanguage("en");
    expect(duration(ms)).toBe(en);
  });

  it("minutes that change slowly are whole", () => {
    setLanguage("en");
    expect(roughly(187_000)).toBe("3 min");
    expect(roughly(40_000)).toBe("40 s");
  });

  it("methane has one digit and its unit", () => expect(methane(12.3456)).toBe("12.3 %LEL"));
});
