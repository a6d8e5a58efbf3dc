import { describe, expect, it } from "vitest";
import { act } from "../queue/stage";
import type { Refused, StepName } from "../queue/act";
import { projected, stepsIn } from "./orderTable";

const REFUSED: Refused = { status: 409, reason: "no", zh: "", en: "", atMs: 0 };
const done = (...steps: StepName[]) => steps.map((what, at) => act(at + 1, { what }));
const yes = () => true;

describe("the order as the phone shows it", () => {
  it("is where its kept steps lead", () => {
    expect(projected("emergency", "assigned", done("accept", "on-site", "made-safe", "cause", "tightness-test"), yes)).toBe("tightness_passed");
    expect(projected("inspection", "on_site", done("cause", "archive"), yes)).toBe("archived");
  });

  it("stays before a refused step", () => {
    const [first, second] = done("accept", "on-site");
    expect(projected("emergency", "assigned", [first!, { ...second!, refused: REFUSED }, act(3, { what: "made-safe" })], yes)).toBe("accepted");
  });

  it("does not count a step twice that the platform has heard of already", () => {
    expect(projected("emergency", "on_site", done("accept", "on-site"), yes)).toBe("on_site");
  });

  it("goes back to the search after a test that fails", () => {
    expect(projected("emergency", "tightness_passed", done("tightness-test"), () => false)).toBe("cause_recorded");
  });

  it("offers no test on a visit, and no cause before made safe on an emergency", () => {
    expect(stepsIn("emergency", "on_site")).toEqual(["no-access", "made-safe"]);
    expect(stepsIn("triage", "on_site")).toEqual(["no-access", "cause"]);
    expect(stepsIn("emergency", "archived")).toEqual([]);
  });
});
