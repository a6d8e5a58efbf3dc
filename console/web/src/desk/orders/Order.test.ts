// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import { NOW, stage, strike, until } from "../more/stage";
import OrderPage from "./Order.vue";

afterEach(strike);

const order = (more: object = {}) => ({
  order_id: "o", order_no: "QX-1", kind: "emergency", incident_id: "i", incident_kind: "leak", home_id: "H1", simulated: true, priority: 1, state: "on_site",
  state_words: { zh: "已到场", en: "on site" }, place: { address_zh: "松岚小区 201" }, valve: "reported_closed", answer_due_ms: null, proof: "holds", proof_due_ms: null, clearing: "clearing",
  before_meter: false, ch4_lel: 23, crew_id: "C1", technician_id: "T1", distance_m: 900, created_ms: NOW - 900_000, assigned_ms: NOW - 800_000, accepted_ms: NOW - 700_000, on_site_ms: NOW - 600_000,
  made_safe_ms: null, safe_reading_lel: null, cause: null, cause_note: null, cause_ms: null, test_start_kpa: null, test_end_kpa: null, test_minutes: null, test_passed: null, test_ms: null, test_by: null,
  restored_ms: null, archived_ms: null, no_access_ms: null, revisit_due_ms: null,
  steps: [{ step_no: 3, at_ms: NOW - 600_000, event: "arrive", from_state: "accepted", to_state: "on_site", actor: "T1", detail: {}, zh: "T1 已到场（补报，17:25 收到）", en: "T1 is on site (reported later, received 17:25)" }],
  ...more,
});
const page = (more: object, rights: ["read", ...("order_desk" | "read_people")[]]) =>
  stage(OrderPage, { no: "QX-1" }, { "GET /orders/QX-1": order(more), "GET /orders/QX-1/attachments": [] }, { rights });
const OWN = "只由现场的抢修人员在手机上登记";

describe("the page of an order", () => {
  it("says to who enters for others what he may enter, what he may not, and why not yet", async () => {
    const on = await page({}, ["read", "order_desk"]);
    await until(() => expect(on.says("T1 已到场（补报，17:25 收到）")).toBe(true));
    expect(on.says(OWN)).toBe(true);
    expect(on.says("值班室只代录严密性试验")).toBe(true);
    expect(on.says("查明原因后，才能代录严密性试验")).toBe(true);
    expect(on.says("开阀不能代办")).toBe(true);
    expect(() => on.button("代录严密性试验")).toThrow();
  });

  it("offers the test where it can be recorded", async () => {
    const on = await page({ state: "cause_recorded" }, ["read", "order_desk"]);
    await until(() => on.button("代录严密性试验"));
    expect(on.says(OWN)).toBe(true);
  });

  it("says nothing of it where nothing is left to enter, nor to who enters nothing", async () => {
    for (const [more, rights] of [[{ state: "archived", archived_ms: NOW }, ["read", "order_desk"]], [{}, ["read"]]] as const) {
      const on = await page(more, [...rights] as ["read"]);
      await until(() => expect(on.says("开阀不能代办")).toBe(true));
      expect(on.says(OWN)).toBe(false);
    }
  });

  it("shows the pictures that were taken there", async () => {
    const on = await page({}, ["read", "read_people"]);
    await until(() => expect(on.says("没有照片或签名")).toBe(true));
  });
});
