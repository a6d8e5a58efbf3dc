// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import { session } from "@/shared/session";
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
const asUser = (user: object) => (session.value = session.value && { ...session.value, user: { ...session.value.user, ...user } });
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

describe("users of some districts", () => {
  it("are made by who has those districts, and by nobody for all of them", async () => {
    const on = await stage(Users, {}, { ...map, "GET /users": { items: [user], next: null }, "POST /users": { user, password_link: null } }, { rights: ["read", "users"] });
    asUser({ districts: ["430102"] });
    await until(() => on.button("新建用户"));
    on.press("新建用户");
    await until(() => on.write("登录名", "wang.fang"));
    on.write("姓名", "王芳");
    const box = (text: string) => [...document.querySelectorAll(".el-dialog label")].find((each) => each.textContent?.includes(text))?.querySelector("input");
    box("调度员")?.click();
    await until(() => expect(ready()).toBe(true));
    box("芙蓉区")?.click();
    await until(() => expect(ready()).toBe(false));
    expect(on.says("至少选一个您负责的区")).toBe(true);
    expect(on.find(".el-dialog").textContent).not.toContain("全部区");
    box("芙蓉区")?.click();
    await until(() => expect(ready()).toBe(true));
    submit();
    await until(() => expect(on.to("POST /users")[0]?.body).toMatchObject({ districts: ["430102"] }));
  });
});

describe("tokens", () => {
  it("offer no right that their maker lacks, and say where he is no supervisor that another can give it", async () => {
    const on = await stage(Tokens, {}, { "GET /tokens": { items: [], next: null } }, { rights: ["read", "device_command", "tokens"] });
    asUser({ roles: ["engineer"], districts: ["430102"] });
    on.press("新建令牌");
    const offered = () => [...document.querySelectorAll(".el-dialog .el-checkbox")].map((each) => each.textContent?.trim());
    await until(() => expect(offered()).toEqual(["查看", "设备自检与上报"]));
    expect(on.says("其余权限须由兼任值班长的用户签发")).toBe(true);
    expect(on.says("此令牌只看得到您负责的区")).toBe(true);
    asUser({ roles: ["supervisor", "engineer"], districts: null });
    await until(() => expect(offered()).toHaveLength(11));
    expect(on.says("其余权限须由兼任值班长的用户签发")).toBe(false);
    expect(on.says("此令牌只看得到您负责的区")).toBe(false);
  });

  it("are read again where one was refused: it may be there, and its value was told to nobody", async () => {
    const refused = new Refused(409, "name_taken", "如果刚才已新建而没有见到令牌，请撤销它，再新建一个", "revoke it and make a new one");
    const on = await stage(Tokens, {}, { "GET /tokens": { items: [], next: null }, "POST /tokens": refused }, { rights: ["read", "tokens"] });
    await until(() => expect(on.says("没有令牌")).toBe(true));
    on.press("新建令牌");
    await until(() => on.write("名称", "scada"));
    await until(() => expect(ready()).toBe(true));
    on.answer("GET /tokens", { items: [token], next: null });
    submit();
    await until(() => expect(on.says("撤销它，再新建一个")).toBe(true));
    await until(() => on.button("撤销 scada"));
  });

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
