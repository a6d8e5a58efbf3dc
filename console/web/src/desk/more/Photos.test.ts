// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import { h, shallowRef } from "vue";
import { setLanguage } from "@/shared/i18n";
import Photos from "./Photos.vue";
import { stage, strike, until } from "./stage";

afterEach(strike);

const AT = Date.UTC(2026, 3, 2, 9, 0, 0);
const MINUTE = 60_000;
const picture = (id: string, more: object = {}) => ({
  attachment_id: id, order_no: "QX-1", incident_id: "i", kind: "photo", media_type: "image/jpeg", size: 9, happened_ms: AT, received_ms: AT, lon: null, lat: null, coord_datum: null,
  made_by: "T1", late: false, ...more,
});
const PATH = "GET /orders/QX-1/attachments";
const rights = ["read", "read_people"] as const;

describe("pictures of an order", () => {
  it("say what each is, who made it and when; and of one that was told later, when it came", async () => {
    const late = picture("b", { kind: "signature", made_by: "T2", late: true, received_ms: AT + 25 * MINUTE });
    const on = await stage(Photos, { orderNo: "QX-1" }, { [PATH]: [picture("a"), late] }, { rights: [...rights] });
    await until(() => expect(document.querySelectorAll(".pictures li")).toHaveLength(2));
    const [one, two] = [...document.querySelectorAll<HTMLElement>(".pictures li")] as [HTMLElement, HTMLElement];
    expect(one.textContent).toContain("照片 · 2026-04-02 17:00:00 · T1");
    expect(one.textContent).not.toContain("补报");
    expect(two.textContent).toContain("签名 · 2026-04-02 17:00:00 · T2");
    expect(two.textContent).toContain("补报，17:25:00 收到");
    expect(two.querySelector("img")?.getAttribute("src")).toBe("/api/v1/attachments/b");
    setLanguage("en");
    await until(() => expect(two.textContent).toContain("reported later, received 17:25:00"));
    expect(on.to(PATH)).toHaveLength(1);
  });

  it("name the day where it is another one", async () => {
    await stage(Photos, { orderNo: "QX-1" }, { [PATH]: [picture("a", { late: true, received_ms: AT + 15 * 60 * MINUTE })] }, { rights: [...rights] });
    await until(() => expect(document.querySelector(".pictures li")?.textContent).toContain("补报，2026-04-03 08:00:00 收到"));
  });

  it("come as they are told, where nothing was said before", async () => {
    const on = await stage(Photos, { orderNo: "QX-1", quiet: true }, { [PATH]: [] }, { rights: [...rights] });
    await until(() => expect(on.to(PATH)).toHaveLength(1));
    expect(document.querySelector("section")).toBeNull();
    on.answer(PATH, [picture("a")]);
    on.tell("attachment", picture("x", { order_no: "QX-2" }));
    on.tell("attachment", picture("a"));
    await until(() => expect(on.find("h2").textContent).toContain("照片与签名 QX-1"));
    expect(on.to(PATH)).toHaveLength(2);
  });

  it("are nobody's who may not see people", async () => {
    const seen = shallowRef(false);
    const both = { render: () => [h(Photos, { orderNo: "QX-1" }), seen.value ? h("p", "drawn again") : null] };
    const on = await stage(both, {}, { [PATH]: [picture("a")] }, { rights: ["read"] });
    on.tell("attachment", picture("a"));
    seen.value = true;
    await until(() => expect(on.says("drawn again")).toBe(true));
    expect(document.querySelector("section")).toBeNull();
    expect(on.to(PATH)).toHaveLength(0);
  });
});
