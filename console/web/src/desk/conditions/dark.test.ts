import { expect, it } from "vitest";
import { isDark } from "./dark";

it("most homes of a building without mains at once are one power cut", () => {
  expect(isDark({ homes: 24, powerless: 20 })).toBe(true);
  expect(isDark({ homes: 8, powerless: 5 })).toBe(true);
});

it("half a building is not, nor are a few homes", () => {
  expect(isDark({ homes: 40, powerless: 20 })).toBe(false);
  expect(isDark({ homes: 4, powerless: 4 })).toBe(false);
  expect(isDark({ homes: 24, powerless: 0 })).toBe(false);
});
