// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import { Refused, stage, strike, until } from "../more/stage";
import Hotline from "./Hotline.vue";

afterEach(strike);

const home = { kind: "home", id: "H1", title_zh: "松岚小区 201", title_en: "201", detail_zh: "户号 1", detail_en: "household 1", home_id: "H1", open_incident_id: null };
const answers = { "GET /search": { items: [home, { ...home, kind: "device", id: "D1" }], telephones: true }, "POST /incidents": { request_id: "r", answer: { incident_id: "i9", already_open: false } } };

/** A home, or none, by what it says. */
function choice(root: HTMLElement, text: string): HTMLInputElement {
  const found = [...root.querySelectorAll<HTMLLabelElement>(".homes label")].find((each) => each.textContent?.includes(text));
  const field = found?.querySelector("input");
  if (!field) throw new Error(`no choice says ${text}`);
  return field;
}

describe("the hotline's form", () => {
  it("says first what the caller is to do", async () => {
    const on = await stage(Hotline, {}, answers);
    expect(on.says("离开房屋，不要开关任何电器")).toBe(true);
    expect(on.button("建立事件").disabled).toBe(true);
  });

  it("opens an incident at any address, where nothing can be closed", async () => {
    const on = await stage(Hotline, {}, { ...answers, "GET /search": { items: [], telephones: true } });
    on.write("地址", "解放西路 100 号门口");
    on.write("来电人说了什么", "路边有味道");
    await until(() => expect(on.button("建立事件").disabled).toBe(false));
    on.press("建立事件");
    await until(() => expect(on.router.currentRoute.value.path).toBe("/desk/incidents/i9"));
    expect(on.to("POST /incidents")[0]?.body).toEqual({ home_id: null, place: "解放西路 100 号门口", note: "路边有味道", caller_phone: null, close: false });
  });

  it("finds the home while the address is typed; its valve closes unless the operator says otherwise", async () => {
    const on = await stage(Hotline, {}, answers, { at: "/desk/hotline?place=松岚" });
    await until(() => expect(on.says("松岚小区 201")).toBe(true));
    expect(on.find(".homes").querySelectorAll("input")).toHaveLength(2);
    on.find<HTMLInputElement>(".homes input").dispatchEvent(new Event("change"));
    await until(() => expect(on.says("切断本户阀门")).toBe(true));
    on.write("来电号码", "13800001234");
    await until(() => expect(on.button("建立事件").disabled).toBe(false));
    on.press("建立事件");
    await until(() => expect(on.to("POST /incidents")[0]?.body).toEqual({ home_id: "H1", note: "", caller_phone: "13800001234", close: true }));
  });

  it("shows what the line refuses and keeps what was written", async () => {
    const on = await stage(Hotline, {}, { ...answers, "POST /incidents": new Refused(409, "unknown_home", "没有这一户", "there is no such home") }, { at: "/desk/hotline?place=松岚" });
    on.write("来电人说了什么", "很浓");
    await until(() => expect(on.says("不在登记中")).toBe(true));
    choice(on.root, "松岚小区 201").dispatchEvent(new Event("change"));
    await until(() => expect(on.button("建立事件").disabled).toBe(false));
    on.press("建立事件");
    await until(() => expect(on.find("form [role=alert]").textContent).toContain("没有这一户"));
    expect(on.find<HTMLTextAreaElement>("textarea").value).toBe("很浓");
  });

  it("sends nothing while a home of the registry is listed and nobody has chosen", async () => {
    const on = await stage(Hotline, {}, answers, { at: "/desk/hotline?place=松岚" });
    await until(() => expect(on.says("请先选择")).toBe(true));
    expect(on.button("建立事件").disabled).toBe(true);
    expect(choice(on.root, "不在登记中").checked).toBe(false);
    on.find<HTMLFormElement>("form").dispatchEvent(new Event("submit", { cancelable: true }));
    choice(on.root, "不在登记中").dispatchEvent(new Event("change"));
    await until(() => expect(on.button("建立事件").disabled).toBe(false));
    on.press("建立事件");
    await until(() => expect(on.to("POST /incidents")).toHaveLength(1));
    expect(on.to("POST /incidents")[0]?.body).toMatchObject({ home_id: null, place: "松岚", close: false });
  });

  it("has chosen the only home whose number was typed, and closes its valve", async () => {
    const on = await stage(Hotline, {}, answers, { at: "/desk/hotline?place=松岚 201" });
    await until(() => expect(on.button("建立事件").disabled).toBe(false));
    expect(choice(on.root, "松岚小区 201").checked).toBe(true);
    on.find<HTMLFormElement>("form").dispatchEvent(new Event("submit", { cancelable: true }));
    await until(() => expect(on.to("POST /incidents")[0]?.body).toMatchObject({ home_id: "H1", close: true }));
  });

  it("lets the operator choose where several fit, and where the registry cannot be asked", async () => {
    const two = { items: [home, { ...home, id: "H2", title_zh: "松岚小区 2 栋 201" }], telephones: true };
    const on = await stage(Hotline, {}, { ...answers, "GET /search": two }, { at: "/desk/hotline?place=松岚 201" });
    await until(() => expect(on.says("请先选择")).toBe(true));
    expect(on.button("建立事件").disabled).toBe(true);
    const away = await stage(Hotline, {}, { ...answers, "GET /search": new Refused(503, "database_away", "数据库不可用", "the database is away") }, { at: "/desk/hotline?place=松岚 201" });
    await until(() => expect(away.says("数据库不可用")).toBe(true));
    expect(away.button("建立事件").disabled).toBe(true);
    choice(away.root, "不在登记中").dispatchEvent(new Event("change"));
    await until(() => expect(away.button("建立事件").disabled).toBe(false));
  });
});
