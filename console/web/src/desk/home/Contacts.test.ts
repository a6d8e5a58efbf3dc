// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import { Refused, stage, strike, until } from "../more/stage";
import Contacts from "./Contacts.vue";

afterEach(strike);

const home = {
  home_id: "H1",
  contacts: [
    { position: 1, name: "周**", role: "resident", phone: "+86138****1234" },
    { position: 2, name: "物**", role: "property", phone: "+86731****5678" },
  ],
};
const clear = { home_id: "H1", contacts: [{ position: 1, name: "周敏", role: "resident", phone: "+8613800001234" }], called: [] };

describe("the contacts of a home", () => {
  it("and the numbers in its texts are shown together", async () => {
    const masked = { ...home, contacts: [], access_note: "门禁找 138****1234", meter_location: "厨房" };
    const found = { ...clear, contacts: [], access_note: "门禁找 13800001234", meter_location: "厨房" };
    const on = await stage(Contacts, { home: masked }, { "POST /homes/H1/people": found }, { rights: ["read", "unmask"] });
    on.press("查看姓名与电话");
    await until(() => expect(document.querySelector(".el-dialog")).not.toBeNull());
    on.write("查看的理由", "上门前核对");
    await until(() => expect(on.find<HTMLButtonElement>(".el-dialog [type=submit]").disabled).toBe(false));
    on.find<HTMLButtonElement>(".el-dialog [type=submit]").click();
    await until(() => expect(on.find("dl").textContent).toContain("13800001234"));
    expect(on.find("dl").textContent).not.toContain("厨房");
    on.press("重新遮盖");
    await until(() => expect(on.says("13800001234")).toBe(false));
  });

  it("are masked, and shown for a reason that is sent with the asking", async () => {
    const on = await stage(Contacts, { home }, { "POST /homes/H1/people": clear }, { rights: ["read", "unmask"] });
    expect(on.says("周**")).toBe(true);
    on.press("查看姓名与电话");
    await until(() => expect(document.querySelector(".el-dialog")).not.toBeNull());
    expect(on.find<HTMLButtonElement>(".el-dialog [type=submit]").disabled).toBe(true);
    on.write("查看的理由", "住户来电核对");
    await until(() => expect(on.find<HTMLButtonElement>(".el-dialog [type=submit]").disabled).toBe(false));
    on.find<HTMLButtonElement>(".el-dialog [type=submit]").click();
    await until(() => expect(on.find<HTMLAnchorElement>("a[href^=tel]").href).toBe("tel:+8613800001234"));
    expect(on.to("POST /homes/H1/people")[0]?.body).toEqual({ reason: "住户来电核对" });
    on.press("重新遮盖");
    await until(() => expect(on.says("周**")).toBe(true));
    expect(on.says("13800001234")).toBe(false);
  });

  it("stay masked where the record cannot be written, and say why", async () => {
    const refused = new Refused(503, "database_away", "数据库暂时无法访问", "the database is away");
    const on = await stage(Contacts, { home }, { "POST /homes/H1/people": refused }, { rights: ["read", "unmask"] });
    on.press("查看姓名与电话");
    await until(() => on.write("查看的理由", "核对电话"));
    await until(() => expect(on.find<HTMLButtonElement>(".el-dialog [type=submit]").disabled).toBe(false));
    on.find<HTMLButtonElement>(".el-dialog [type=submit]").click();
    await until(() => expect(on.find("[role=alert]").textContent).toContain("数据库暂时无法访问"));
    expect(on.says("周**")).toBe(true);
  });

  it("cannot be asked for without the right, and nobody to ring is said", async () => {
    const on = await stage(Contacts, { home }, {}, { rights: ["read"] });
    expect(on.says("姓名与电话已遮盖")).toBe(true);
    expect(() => on.button("查看姓名与电话")).toThrow();
    const empty = await stage(Contacts, { home: { home_id: "H2", contacts: [] } }, {});
    expect(empty.says("泄漏时无人可拨")).toBe(true);
  });
});
