// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import { NOW, Refused, stage, strike, until } from "../more/stage";
import { COLUMNS } from "./board";
import BoardPage from "./Board.vue";

afterEach(strike);

const order = (order_no: string, more: object = {}) => ({
  order_id: order_no, order_no, kind: "emergency", incident_id: "i1", incident_kind: "leak", home_id: "H1", simulated: true, priority: 2, state: "assigned",
  state_words: { zh: "已派单", en: "crew assigned" }, place: { address_zh: `地址-${order_no}`, address_en: "somewhere" }, valve: "reported_closed", proof: "none", clearing: "unknown",
  before_meter: false, crew_id: "C1", technician_id: "T1", created_ms: NOW - 60_000, since_ms: NOW - 60_000, on_site_ms: null, no_access_ms: null, revisit_due_ms: null, ...more,
});
const board = (columns: Record<string, object[]>) => ({
  ...Object.fromEntries(COLUMNS.map((column) => [column, columns[column] ?? []])),
  counts: Object.fromEntries(COLUMNS.map((column) => [column, { count: columns[column]?.length ?? 0, oldest_ms: null }])),
  now_ms: NOW,
});
const crew = (crew_id: string, state: string, order_no: string | null = null) => ({
  crew_id, district_code: "430102", simulated: true, shift_start: "00:00", shift_end: "24:00", state, order_no, lon: null, lat: null, coord_datum: null, position_ms: null, technicians: [],
});

describe("the work-order board", () => {
  it("says what an empty board means", async () => {
    const on = await stage(BoardPage, {}, { "GET /board": board({}) });
    await until(() => expect(on.says("目前没有未归档的单")).toBe(true));
  });

  it("shows orders in their columns, what is late, and what is worked first on top", async () => {
    const late = order("QX-1", { priority: 3, created_ms: NOW - 31 * 60_000 });
    const on = await stage(BoardPage, {}, { "GET /board": board({ assigned: [late, order("QX-2", { priority: 1 })] }) });
    await until(() => expect(on.says("QX-1")).toBe(true));
    const lane = on.find("[aria-labelledby=column-assigned]");
    expect([...lane.querySelectorAll("article b.figures")].map((each) => each.textContent)).toEqual(["QX-2", "QX-1"]);
    expect(lane.textContent).toContain("超过 30 分钟未到场，已过 1 分钟");
  });

  it("is read again when the stream says that an order changed", async () => {
    const on = await stage(BoardPage, {}, { "GET /board": board({ assigned: [order("QX-1")] }) });
    await until(() => expect(on.find("[aria-labelledby=column-assigned]").textContent).toContain("QX-1"));
    on.answer("GET /board", board({ on_site: [order("QX-1")] }));
    on.tell("order", order("QX-1", { state: "on_site" }));
    await until(() => expect(on.find("[aria-labelledby=column-on_site]").textContent).toContain("QX-1"));
    expect(on.find("[aria-labelledby=column-assigned]").textContent).not.toContain("QX-1");
  });

  it("keeps its filter in the address", async () => {
    const on = await stage(BoardPage, {}, { "GET /board": board({ assigned: [order("QX-1"), order("QX-2", { crew_id: "C2" })] }) }, { at: "/desk/orders?crew=C2" });
    await until(() => expect(on.says("QX-2")).toBe(true));
    expect(on.says("QX-1")).toBe(false);
    on.press("清除筛选");
    await until(() => expect(on.says("QX-1")).toBe(true));
    expect(on.router.currentRoute.value.query).toEqual({});
  });

  it("reassigns to a crew that is chosen, and explains where dispatch refuses", async () => {
    const refused = new Refused(409, "made_safe", "现场已经控制，抢修单由原队完成", "it is made safe: its crew finishes it");
    const answers = { "GET /board": board({ assigned: [order("QX-1")] }), "GET /crews": { items: [crew("C1", "busy", "QX-1"), crew("C2", "free")], next: null }, "POST /orders/QX-1/reassign": refused };
    const on = await stage(BoardPage, {}, answers, { rights: ["read", "assign"] });
    await until(() => on.button("改派"));
    on.press("改派");
    await until(() => expect(on.find(".el-dialog").textContent).toContain("C2"));
    expect(on.find(".el-dialog fieldset").textContent).not.toContain("C1");
    const choice = on.find<HTMLInputElement>(".el-dialog input[value=C2]");
    choice.checked = true;
    choice.dispatchEvent(new Event("change"));
    on.find(".el-dialog [type=submit]").click();
    await until(() => expect(on.find(".el-dialog [role=alert]").textContent).toContain("现场已经控制"));
    expect(on.to("POST /orders/QX-1/reassign")[0]?.body).toEqual({ crew_id: "C2", note: "" });
    on.answer("POST /orders/QX-1/reassign", { request_id: "r", answer: { crew_id: "C2" } });
    on.find(".el-dialog [type=submit]").click();
    await until(() => expect(on.says("QX-1 已改派给 C2")).toBe(true));
  });

  it("is one change where the dialog is opened again because nothing was answered", async () => {
    const answers = { "GET /board": board({ assigned: [order("QX-1")] }), "GET /crews": { items: [crew("C2", "free")], next: null }, "POST /orders/QX-1/reassign": new Refused(503, "station_away", "派单站暂不可用", "dispatch is away") };
    const on = await stage(BoardPage, {}, answers, { rights: ["read", "assign"] });
    for (const attempt of [1, 2]) {
      await until(() => on.press("改派"));
      await until(() => expect(on.find(".el-dialog").textContent).toContain("C2"));
      on.find(".el-dialog [type=submit]").click();
      await until(() => expect(on.to("POST /orders/QX-1/reassign")).toHaveLength(attempt));
      await until(() => expect(on.find(".el-dialog [role=alert]").textContent).toContain("派单站暂不可用"));
      on.press("取消");
      await until(() => expect(document.querySelector(".el-dialog")).toBeNull());
    }
    const [first, second] = on.to("POST /orders/QX-1/reassign");
    expect(first?.key).toBeTruthy();
    expect(second?.key).toBe(first?.key);
  });

  it("is another change once the order came back to the crew that it was sent on from", async () => {
    const back = NOW + 60_000;
    const answers = { "GET /board": board({ assigned: [order("QX-1", { assigned_ms: NOW })] }), "GET /crews": { items: [crew("C2", "free")], next: null }, "POST /orders/QX-1/reassign": new Refused(503, "station_away", "派单站暂不可用", "dispatch is away") };
    const on = await stage(BoardPage, {}, answers, { rights: ["read", "assign"] });
    for (const attempt of [1, 2]) {
      await until(() => on.press("改派"));
      await until(() => expect(on.find(".el-dialog").textContent).toContain("C2"));
      on.find(".el-dialog [type=submit]").click();
      await until(() => expect(on.to("POST /orders/QX-1/reassign")).toHaveLength(attempt));
      await until(() => expect(on.find(".el-dialog [role=alert]").textContent).toContain("派单站暂不可用"));
      on.press("取消");
      await until(() => expect(document.querySelector(".el-dialog")).toBeNull());
      const again = order("QX-2", { assigned_ms: back });
      on.answer("GET /board", board({ assigned: [order("QX-1", { assigned_ms: back }), again] }));
      on.tell("order", again);
      await until(() => expect(on.says("QX-2")).toBe(true));
      on.answer("GET /board", board({ assigned: [order("QX-1", { assigned_ms: back })] }));
      on.tell("order", order("QX-1", { assigned_ms: back }));
      await until(() => expect(on.says("QX-2")).toBe(false));
    }
    const [first, second] = on.to("POST /orders/QX-1/reassign");
    expect(second?.key).not.toBe(first?.key);
  });

  it("says so where dispatch gave it to another crew than the one that was chosen", async () => {
    const answers = { "GET /board": board({ assigned: [order("QX-1")] }), "GET /crews": { items: [crew("C2", "free")], next: null }, "POST /orders/QX-1/reassign": { request_id: "r", answer: { crew_id: "C7" } } };
    const on = await stage(BoardPage, {}, answers, { rights: ["read", "assign"] });
    await until(() => on.button("改派"));
    on.press("改派");
    await until(() => expect(on.find(".el-dialog").textContent).toContain("C2"));
    const choice = on.find<HTMLInputElement>(".el-dialog input[value=C2]");
    choice.checked = true;
    choice.dispatchEvent(new Event("change"));
    on.find(".el-dialog [type=submit]").click();
    await until(() => expect(on.says("调度将 QX-1 派给了 C7，而不是 C2")).toBe(true));
  });

  it("offers no reassigning to who may not, nor of what is made safe", async () => {
    const on = await stage(BoardPage, {}, { "GET /board": board({ assigned: [order("QX-1")] }) }, { rights: ["read"] });
    await until(() => expect(on.says("QX-1")).toBe(true));
    expect(() => on.button("改派")).toThrow();
    const safe = await stage(BoardPage, {}, { "GET /board": board({ made_safe: [order("QX-2")] }) }, { rights: ["read", "assign"] });
    await until(() => expect(safe.says("QX-2")).toBe(true));
    expect(() => safe.button("改派")).toThrow();
  });
});
