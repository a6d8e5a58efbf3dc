// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import { Refused, stage, strike, until } from "../more/stage";
import SearchBox from "./SearchBox.vue";

afterEach(strike);

const hit = (kind: string, id: string, more: object = {}) => ({
  kind, id, title_zh: `${kind}-${id}`, title_en: id, detail_zh: "", detail_en: "", home_id: null, open_incident_id: null, ...more,
});
const found = { items: [hit("home", "H1", { open_incident_id: "i1" }), hit("order", "QX-1"), hit("home", "H2")], telephones: true };

function type(text: string): HTMLInputElement {
  const box = document.querySelector("input") as HTMLInputElement;
  box.value = text;
  box.dispatchEvent(new Event("input"));
  return box;
}
const press = (box: HTMLElement, key: string) => box.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));

describe("the search box", () => {
  it("shows what is found by kind, says that an incident is open, and opens with Enter what the arrows chose", async () => {
    const on = await stage(SearchBox, {}, { "GET /search": found });
    const box = type("松岚 201");
    await until(() => expect(on.says("找到 3 项")).toBe(true));
    expect(on.to("GET /search")[0]?.query.q).toBe("松岚 201");
    expect([...document.querySelectorAll("[role=option]")].map((each) => each.querySelector("b")?.textContent)).toEqual(["home-H1", "home-H2", "order-QX-1"]);
    expect(document.querySelector("[role=option]")?.textContent).toContain("有未结束事件");
    press(box, "ArrowDown");
    press(box, "ArrowDown");
    await until(() => expect(box.getAttribute("aria-activedescendant")).toBe(document.querySelector("[aria-selected=true]")?.id));
    press(box, "Enter");
    await until(() => expect(on.router.currentRoute.value.path).toBe("/desk/orders/QX-1"));
  });

  it("asks nothing for a single letter, and one thing for a word typed at once", async () => {
    const on = await stage(SearchBox, {}, { "GET /search": found });
    type("松");
    type("松岚");
    type("松岚小区");
    await until(() => expect(on.says("找到 3 项")).toBe(true));
    expect(on.asked).toHaveLength(1);
    type("松");
    await until(() => expect(on.says("请至少输入两个字")).toBe(true));
  });

  it("says what nothing found means, and leads an operator to the hotline with the address that was told", async () => {
    const on = await stage(SearchBox, {}, { "GET /search": { items: [], telephones: false } }, { rights: ["read", "hotline"] });
    type("解放西路 100 号");
    await until(() => expect(on.says("没有找到“解放西路 100 号”")).toBe(true));
    expect(on.says("您的角色不能按电话查找")).toBe(true);
    on.press("热线报漏");
    await until(() => expect(on.router.currentRoute.value.query.place).toBe("解放西路 100 号"));
  });

  it("shows a refusal and not an empty list", async () => {
    const on = await stage(SearchBox, {}, { "GET /search": new Refused(503, "database_away", "数据库暂时无法访问", "the database is away") });
    type("松岚");
    await until(() => expect(on.find("[role=alert]").textContent).toContain("数据库暂时无法访问"));
    expect(on.says("没有找到")).toBe(false);
  });
});
