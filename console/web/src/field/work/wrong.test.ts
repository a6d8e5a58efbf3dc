// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { live } from "../stage";
import type { Live } from "./model";
import { wrongAt } from "./wrong";

const T0 = 1_775_120_400_000;
const wrong = (changes: Partial<Live>, state = "accepted", nowMs = T0 + 60_000) => wrongAt(live(T0, { close_sent_ms: T0, proof: "none", ...changes }), state, nowMs);

describe("what is to be closed by hand", () => {
  it("is nothing where the valve is reported closed, was opened at the meter, or was never to close", () => {
    for (const changes of [{ valve: "reported_closed", proof: "holds" }, { valve: "reported_closed", proof: "not_provable" }, { valve: "opened" }, { valve: "none", close_sent_ms: null }]) {
      expect(wrong(changes)).toEqual([]);
    }
  });

  it("is a valve that is not confirmed closed ten seconds after the first close, whatever the meter says of the attempt under way", () => {
    for (const valve of ["commanded", "accepted"]) {
      expect([wrong({ valve }, "accepted", T0 + 9_000), wrong({ valve }, "accepted", T0 + 11_000)]).toEqual([[], ["no_answer"]]);
    }
    for (const valve of ["no_answer", "refused", "travel_time_over", "no_meter"]) expect(wrong({ valve }, "accepted", T0 + 1_000)).toEqual(["no_answer"]);
  });

  it("is not yet one whose meter sleeps until it is heard again", () => {
    expect(wrong({ valve: "commanded", answer_due_ms: T0 + 3_600_000 })).toEqual([]);
  });

  it("is gas past the closed valve, beside a leak before the meter, also in a room that does not clear", () => {
    expect(wrong({ valve: "gas_still_flows", proof: "flows", clearing: "not_clearing" })).toEqual(["gas_still_flows"]);
    expect(wrong({ valve: "accepted", clearing: "not_clearing" })).toEqual(["no_answer"]);
    expect(wrong({ valve: "refused", before_meter: true })).toEqual(["before_meter", "no_answer"]);
  });

  it("is no silent meter any more when he has made the place safe, and still the gas that flows; nothing in the archive", () => {
    for (const state of ["assigned", "on_site", "no_access"]) expect(wrong({ valve: "refused" }, state)).toEqual(["no_answer"]);
    for (const state of ["made_safe", "cause_recorded"]) expect([wrong({ valve: "refused" }, state), wrong({ proof: "flows" }, state)]).toEqual([[], ["gas_still_flows"]]);
    expect(wrong({ valve: "refused", proof: "flows", before_meter: true }, "archived")).toEqual([]);
  });

  it("is judged of what the phone kept from before it had the times of the close", () => {
    const { close_sent_ms: _, holds_ms: __, ...kept } = live(T0, { valve: "accepted", proof: "none" });
    expect(wrongAt(kept as Live, "accepted", T0 + 60_000)).toEqual([]);
  });
});
