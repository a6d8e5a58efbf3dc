// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import { nextTick, ref } from "vue";
import { h } from "vue";
import { Refused, stage, strike, until } from "../more/stage";
import EnterTest from "./EnterTest.vue";

afterEach(strike);

const order = { order_no: "QX-1", crew_id: "C1", technician_id: "T1", state: "made_safe", archived_ms: null };
const crews = { items: [{ crew_id: "C1", technicians: [{ technician_id: "T1", name: "李伟", phone: "" }, { technician_id: "T2", name: "王芳", phone: "" }] }], next: null };

async function opened(answer: object) {
  const open = ref(false);
  const page = { render: () => h(EnterTest, { order: order as never, modelValue: open.value, "onUpdate:modelValue": (value: boolean) => (open.value = value) }) };
  const on = await stage(page, {}, { "GET /crews": crews, "POST /orders/QX-1/tightness-test": answer }, { rights: ["read", "order_desk"] });
  open.value = true;
  await nextTick();
  await until(() => expect(on.says("王芳")).toBe(true));
  return { ...on, shown: open };
}

async function fill(on: Awaited<ReturnType<typeof opened>>, start: string, end: string, minutes: string) {
  on.write("起始压力", start);
  on.write("终止压力", end);
  on.write("稳压时间", minutes);
  await until(() => expect(on.find<HTMLButtonElement>(".el-dialog [type=submit]").disabled).toBe(false));
}

describe("a tightness test that is told on the phone", () => {
  it("is read back, sent in the technician's name with the desk's beside it, and says that it passed", async () => {
    const on = await opened({ request_id: "r", answer: { passed: true, reasons: [] } });
    await fill(on, "3.0", "2,98", "5");
    expect(on.says("请向他复述一遍：李伟，3 kPa，5 分钟后 2.98 kPa")).toBe(true);
    on.find(".el-dialog [type=submit]").click();
    await until(() => expect(on.find(".verdict").textContent).toContain("合格"));
    expect(on.to("POST /orders/QX-1/tightness-test")[0]?.body).toEqual({ start_kpa: 3, end_kpa: 2.98, minutes: 5, actor: "T1", entered_by: "zhou.min" });
  });

  it("that fails says why in words, and may be entered anew", async () => {
    const on = await opened({ request_id: "r", answer: { passed: false, reasons: [{ reason: "test_pressure_fell", zh: "压降超过允许值", en: "the pressure fell too far" }] } });
    await fill(on, "3", "2", "5");
    on.find(".el-dialog [type=submit]").click();
    await until(() => expect(on.find(".verdict").textContent).toContain("压降超过允许值"));
    expect(on.find(".verdict").textContent).toContain("不合格");
    await fill(on, "3", "3", "5");
  });

  it("is never ready with the values of an earlier one: a leak since then has made that void", async () => {
    const on = await opened({ request_id: "r", answer: { passed: true, reasons: [] } });
    await fill(on, "3", "3", "5");
    on.find(".el-dialog [type=submit]").click();
    await until(() => expect(on.find(".verdict").textContent).toContain("合格"));
    on.shown.value = false;
    await nextTick();
    on.shown.value = true;
    await until(() => expect(document.querySelector(".verdict")).toBeNull());
    expect(on.find<HTMLButtonElement>(".el-dialog [type=submit]").disabled).toBe(true);
    expect([...document.querySelectorAll<HTMLInputElement>(".el-dialog input[inputmode=decimal]")].map((input) => input.value)).toEqual(["", "", ""]);
  });

  it("that dispatch refuses is not recorded, and says why", async () => {
    const on = await opened(new Refused(409, "not_this_crew", "该抢修人员不在本单的抢修队", "he is not of this order's crew"));
    await fill(on, "3", "3", "5");
    on.find(".el-dialog [type=submit]").click();
    await until(() => expect(on.find(".el-dialog [role=alert]").textContent).toContain("该抢修人员不在本单的抢修队"));
    expect(document.querySelector(".verdict")).toBeNull();
  });
});
