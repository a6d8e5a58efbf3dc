// @vitest-environment happy-dom
// What the people of a home need is told to those who may know it; others are told that it is not shown, never that there is nothing.
import { afterEach, describe, expect, it, vi } from "vitest";
import { stage, strike, until } from "../more/stage";
import Home from "./Home.vue";

afterEach(strike);
// There is nothing to draw on here.
vi.mock("../chart", () => ({ chartOn: () => ({ setOption: () => undefined, resize: () => undefined, dispose: () => undefined }), options: () => ({}) }));

const home = {
  home_id: "H1", household_no: "430100001", address_zh: "松岚小区 201", address_en: "Songlan 201", district: "芙蓉区", subdistrict: "", community: "", estate: "松岚小区", building: "1",
  language: "zh", alarm_lel: 10, simulated: true, lon: null, lat: null, access_note: "", meter_location: "", devices: [], contacts: [], open_incident_id: null, holds: [], conditions: [],
};

describe("what the people of a home need", () => {
  it.each([
    [["infirm"], "行动不便", "您的角色不可查看"],
    [null, "您的角色不可查看", "行动不便"],
    [[], "松岚小区", "需要关照"],
  ])("%j is told as %s", async (flags, told, untold) => {
    const none = { items: [], next: null };
    const answers = { "GET /homes/H1": { ...home, flags }, "GET /homes/H1/holds": none, "GET /conditions/homes": none, "GET /incidents": none, "GET /homes/H1/readings": { detector: [], meter: [] } };
    const on = await stage(Home, { id: "H1" }, answers);
    await until(() => expect(on.root.querySelector("#home-place")).not.toBeNull());
    expect(on.says(told)).toBe(true);
    expect(on.says(untold)).toBe(false);
  });
});
