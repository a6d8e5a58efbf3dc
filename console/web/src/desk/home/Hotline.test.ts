// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import { Refused, stage, strike, until } from "../more/stage";
import Hotline from "./Hotline.vue";

afterEach(strike);

const home = { kind: "home", id: "H1", title_zh: "松岚小区 201", title_en: "201", detail_zh: "户号 1", detail_en: "household 1", home_id: "H1", open_incident_id: null };
const answers = { "GET /search": { items: [home, { ...home, kind: "device", id: "D1" }], telephones: true }, "POST /incidents": { request_id: "r", answer: { incident_id: "i9", already_open: false } } };

describe("the hotline's form", () => {
  it("says first what the caller is to do", async () => {
    const on = await stage(Hotline, {}, answers);
    expect(on.says("离开房屋，不要开关任何电器")).toBe(true);
    expect(on.button("建立事件").disabled).toBe(true);
  });

  it("opens an incident at any address, where nothing can be closed", async () => {
    const on = await stage(Hotline, {}, answers);
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
    on.press("建立事件");
    await until(() => expect(on.to("POST /incidents")[0]?.body).toEqual({ home_id: "H1", note: "", caller_phone: "13800001234", close: true }));
  });

  it("shows what the line refuses and keeps what was written", async () => {
    const on = await stage(Hotline, {}, { ...answers, "POST /incidents": new Refused(409, "unknown_home", "没有这一户", "there is no such home") }, { at: "/desk/hotline?place=松岚" });
    on.write("来电人说了什么", "很浓");
    on.press("建立事件");
    await until(() => expect(on.find("form [role=alert]").textContent).toContain("没有这一户"));
    expect(on.find<HTMLTextAreaElement>("textarea").value).toBe("很浓");
  });
});
