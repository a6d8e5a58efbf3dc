// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import { NOW, Refused, stage, strike, until } from "../more/stage";
import Audit from "./Audit.vue";
import Tokens from "./Tokens.vue";
import Users from "./Users.vue";

afterEach(strike);

const user = {
  user_id: "u1", name: "li.wei", display: "李伟", roles: ["operator"], districts: null, technician_id: null, crew_id: null, language: "zh", made_ms: NOW, made_by: "zhou.min", changed_ms: NOW,
  disabled_ms: null, has_password: true, seen_ms: null,
};
const token = { token_id: "t1", name: "scada", rights: ["read"], districts: null, made_ms: NOW, made_by: "zhou.min", ends_ms: NOW + 86_400_000, ended_ms: null, ended_by: null, seen_ms: null };
const record = { audit_no: 1, at_ms: NOW, who: "li.wei", via: "password", what: "unmasked", zh: "查看已遮盖的姓名电话", en: "looked", about: "H1", reason: "住户来电核对", origin: "10.0.0.7", detail: { contacts: 2 } };
const map = { "GET /map": { districts: [{ district_code: "430102", name_zh: "芙蓉区", name_en: "Furong District" }] } };
const submit = () => (document.querySelector(".el-dialog [type=submit]") as HTMLButtonElement).click();
const ready = () => (document.querySelector(".el-dialog [type=submit]") as HTMLButtonElement).disabled === false;

describe("users", () => {
  it("are made with a role, and the link for their password is shown once", async () => {
    const answers = { ...map, "GET /users": { items: [user], next: null }, "POST /users": { user: { ...user, name: "wang.fang", display: "王芳" }, password_link: "https://console.test/setup#secret" } };
    const on = await stage(Users, {}, answers, { rights: ["read", "users"] });
    await until(() => expect(on.says("李伟")).toBe(true));
    on.press("新建用户");
    await until(() => on.write("登录名", "wang.fang"));
    on.write("姓名", "王芳");
    await until(() => expect(on.find(".el-dialog").textContent).toContain("芙蓉区"));
    expect(ready()).toBe(false);
    const box = [...document.querySelectorAll(".el-dialog label")].find((each) => each.textContent?.includes("调度员"))?.querySelector("input");
    box?.click();
    await until(() => expect(ready()).toBe(true));
    submit();
    await until(() => expect(on.find<HTMLInputElement>(".secret input").value).toBe("https://console.test/setup#secret"));
    expect(on.to("POST /users")[0]?.body).toEqual({ name: "wang.fang", display: "王芳", roles: ["dispatcher"], districts: null, technician_id: null, language: "zh" });
    on.press("我已存好");
    await until(() => expect(on.says("setup#secret")).toBe(false));
  });

  it("are disabled, and what the console refuses is shown", async () => {
    const refused = new Refused(409, "last_keeper", "至少要有一名可登录的值班长", "there must be one supervisor who may sign in");
    const on = await stage(Users, {}, { ...map, "GET /users": { items: [user], next: null }, "PATCH /users/u1": refused }, { rights: ["read", "users"] });
    await until(() => on.button("修改 李伟"));
    on.press("修改 李伟");
    await until(() => on.button("停用"));
    on.press("停用");
    await until(() => expect(on.find(".el-dialog [role=alert]").textContent).toContain("至少要有一名可登录的值班长"));
    expect(on.to("PATCH /users/u1")[0]?.body).toEqual({ disabled: true });
  });
});

describe("tokens", () => {
  it("are shown once when they are made", async () => {
    const on = await stage(Tokens, {}, { "GET /tokens": { items: [], next: null }, "POST /tokens": { ...token, token: "gs_secret" } }, { rights: ["read", "tokens"] });
    await until(() => expect(on.says("没有令牌")).toBe(true));
    on.press("新建令牌");
    await until(() => on.write("名称", "scada"));
    await until(() => expect(ready()).toBe(true));
    submit();
    await until(() => expect(on.find<HTMLInputElement>(".secret input").value).toBe("gs_secret"));
    expect(on.to("POST /tokens")[0]?.body).toEqual({ name: "scada", rights: ["read"], days: 90 });
  });

  it("are revoked after asking once more", async () => {
    const on = await stage(Tokens, {}, { "GET /tokens": { items: [token], next: null }, "DELETE /tokens/t1": { ...token, ended_ms: NOW, ended_by: "zhou.min" } }, { rights: ["read", "tokens"] });
    await until(() => on.button("撤销 scada"));
    on.press("撤销 scada");
    await until(() => expect(on.says("撤销“scada”？")).toBe(true));
    expect(on.to("DELETE /tokens/t1")).toHaveLength(0);
    submit();
    await until(() => expect(on.to("DELETE /tokens/t1")).toHaveLength(1));
  });
});

describe("the audit record", () => {
  it("is read with the filter that stands in the address, and filtered by a press on a name", async () => {
    const on = await stage(Audit, {}, { "GET /audit": { items: [record], next: null } }, { rights: ["read", "audit"], at: "/admin/audit?what=unmasked" });
    await until(() => expect(on.says("住户来电核对")).toBe(true));
    expect(on.to("GET /audit")[0]?.query).toMatchObject({ what: "unmasked" });
    on.press("li.wei");
    await until(() => expect(on.router.currentRoute.value.query).toEqual({ what: "unmasked", who: "li.wei" }));
    await until(() => expect(on.to("GET /audit").at(-1)?.query).toMatchObject({ what: "unmasked", who: "li.wei" }));
  });

  it("says that nothing fits, and clears the filter", async () => {
    const on = await stage(Audit, {}, { "GET /audit": { items: [], next: null } }, { rights: ["read", "audit"], at: "/admin/audit?who=nobody" });
    await until(() => expect(on.says("没有符合条件的记录")).toBe(true));
    on.press("清除");
    await until(() => expect(on.router.currentRoute.value.query).toEqual({}));
  });
});
