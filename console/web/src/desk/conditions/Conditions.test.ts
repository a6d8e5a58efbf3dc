// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import { NOW, stage, strike, until } from "../more/stage";
import Conditions from "./Conditions.vue";

afterEach(strike);

const building = (estate: string, more: object = {}) => ({
  district_code: "430102", district: "芙蓉区", community: "一社区", estate, building: "1", homes: 20, blind: 0, silent: 0, powerless: 0, since_ms: NOW - 3_600_000, ...more,
});
const home = (home_id: string, community: string) => ({
  home_id, address_zh: `地址-${home_id}`, address_en: home_id, district_code: "430102", community, estate: "松岚", building: "1", simulated: true, device_id: `D-${home_id}`,
  condition: "powerless", condition_words: { zh: "掉电", en: "power lost" }, cause: "power_lost", cause_words: { zh: "掉电报警", en: "said so" }, since_ms: NOW - 60_000,
});

describe("homes that are not watched", () => {
  it("stand by building; a building that is dark at once is one power cut", async () => {
    const items = [building("松岚", { powerless: 18 }), building("晴川", { blind: 2, silent: 1 })];
    const on = await stage(Conditions, {}, { "GET /conditions": { items, next: null } });
    await until(() => expect(on.says("掉电 18 / 20 户")).toBe(true));
    const [dark, other] = [...document.querySelectorAll(".buildings > li")];
    expect(dark?.textContent).toContain("整栋掉电：按一次停电处理");
    expect(other?.textContent).not.toContain("整栋掉电");
    expect(other?.textContent).toContain("失效 2 / 20 户");
  });

  it("open below their building, only those of this very building", async () => {
    const answers = { "GET /conditions": { items: [building("松岚", { powerless: 2 })], next: null }, "GET /conditions/homes": { items: [home("H1", "一社区"), home("H2", "二社区")], next: null } };
    const on = await stage(Conditions, {}, answers);
    await until(() => on.button("查看住户"));
    on.press("查看住户");
    await until(() => expect(on.says("地址-H1")).toBe(true));
    expect(on.says("地址-H2")).toBe(false);
    expect(on.to("GET /conditions/homes")[0]?.query).toMatchObject({ estate: "松岚", building: "1" });
    expect(on.button("收起").getAttribute("aria-expanded")).toBe("true");
  });

  it("are filtered by condition in the address, and none is good news with its meaning", async () => {
    const on = await stage(Conditions, {}, { "GET /conditions": { items: [], next: null } }, { at: "/desk/conditions?condition=blind" });
    await until(() => expect(on.says("没有失效的住户")).toBe(true));
    expect(on.to("GET /conditions")[0]?.query.condition).toBe("blind");
    on.press("全部");
    await until(() => expect(on.says("每户的设备都在按时上报")).toBe(true));
  });

  it("are read page by page", async () => {
    const answers = { "GET /conditions": ({ query }: { query: Record<string, string> }) => (query.after ? { items: [building("晴川", { blind: 1 })], next: null } : { items: [building("松岚", { blind: 1 })], next: "page-2" }) };
    const on = await stage(Conditions, {}, answers);
    await until(() => on.button("继续显示"));
    on.press("继续显示");
    await until(() => expect(on.says("晴川")).toBe(true));
    expect(on.says("松岚")).toBe(true);
    expect(() => on.button("继续显示")).toThrow();
  });
});
