// @vitest-environment happy-dom
// The clocks promise nothing that cannot come.
import { afterEach, describe, expect, it } from "vitest";
import { incident, T0 } from "@/wall/stage";
import Clocks from "./Clocks.vue";
import { stage, strike } from "./more/stage";

afterEach(strike);

const shown = async (wanted: object): Promise<Map<string, string>> => {
  await stage(Clocks, { incident: incident({ ...wanted }) }, {});
  return new Map([...document.querySelectorAll<HTMLElement>("[data-clock]")].map((each) => [each.dataset.clock ?? "", each.querySelector("time, b")?.textContent ?? ""]));
};

describe("the clocks", () => {
  it("wait for no valve, no room and no telephone where the hotline was told of an address without a home", async () => {
    const clocks = await shown({ kind: "hotline_report", home_id: null, valve: "none", close_sent_ms: null, clocks: { T3: null } });
    expect([...clocks.keys()]).toEqual(["T0", "T2", "T8", "T9", "T10", "T11", "T12", "T13", "T14"]);
    expect(clocks.get("T8")).toBe("等待中");
  });

  it("wait for all of them at a hotline report of a home", async () => {
    const clocks = await shown({ kind: "hotline_report" });
    expect(["T4", "T5c", "T6a"].map((name) => clocks.get(name))).toEqual(["等待中", "等待中", "等待中"]);
  });

  it("do not wait for a proof that cannot be given", async () => {
    const clocks = await shown({ valve: "reported_closed", proof: "not_provable", clocks: { T4: T0 + 400 } });
    expect(clocks.get("T5")).toBe("无法由流量证明");
  });
});
