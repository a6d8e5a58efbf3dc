import { expect, it } from "vitest";
import { measured } from "./measured";

it("takes pressures as they are typed, also with a comma or in full width", () => {
  expect(measured("3.0", "2,95", "5")).toEqual({ start_kpa: 3, end_kpa: 2.95, minutes: 5 });
  expect(measured(" ３.５ ", "3.5", "３")).toEqual({ start_kpa: 3.5, end_kpa: 3.5, minutes: 3 });
});

it("takes nothing that is no number, is out of any gauge's range, or lasted no time", () => {
  for (const bad of ["", "a", "3 kPa", "-1", "1e2", "1.2.3", "1001", "Infinity"]) expect(measured(bad, "3", "5")).toBeNull();
  expect(measured("3", "3", "0")).toBeNull();
  expect(measured("3", "3", "2000")).toBeNull();
});
