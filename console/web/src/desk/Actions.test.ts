// @vitest-environment happy-dom
import { afterEach, describe, expect, it, vi } from "vitest";
import { h, nextTick, shallowReactive } from "vue";
import Actions from "./Actions.vue";
import { NOW, Refused, stage, strike, until, type Answer } from "./more/stage";

afterEach(() => {
  strike();
  vi.useRealTimers();
});

const incident = { incident_id: "i1", state: "open", home_id: "H1", meter_id: "M1", device_id: "D1", simulated: true, acknowledged: null, received_ms: NOW };
const order = { order_no: "QX-1", crew_id: "C1", assigned_ms: NOW, technician_id: "T1", state: "cause_recorded", archived_ms: null };
const technicians = [{ technician_id: "T1", name: "李伟", phone: "" }];
const crews = { items: [{ crew_id: "C1", state: "busy", order_no: "QX-1", simulated: true, technicians }], next: null };
const REASSIGN = "POST /orders/QX-1/reassign";
const TEST = "POST /orders/QX-1/tightness-test";
const shown = shallowReactive({ order: order as object });

async function opened(answers: Record<string, Answer>) {
  shown.order = order;
  const page = { render: () => h(Actions, { incident: incident as never, order: shown.order as never }) };
  return stage(page, {}, { "GET /crews": crews, ...answers }, { rights: ["read", "close_valve", "device_command", "assign", "order_desk"] });
}
type On = Awaited<ReturnType<typeof opened>>;

const submit = (on: On) => on.find<HTMLFormElement>("dialog form").dispatchEvent(new Event("submit", { cancelable: true }));
const fields = () => [...document.querySelectorAll<HTMLInputElement>("dialog input[type=number]")];

describe("sending another crew from the incident's page", () => {
  it("is one change however often it is pressed while nobody has answered, also where the order has gone on meanwhile", async () => {
    const on = await opened({ [REASSIGN]: new Refused(503, "database_away", "数据库暂时不可用", "the database is away") });
    on.press("改派");
    await until(() => on.find("dialog"));
    submit(on);
    await until(() => expect(on.find("dialog [role=alert]").textContent).toContain("数据库"));
    shown.order = { ...order, crew_id: "C2" };
    submit(on);
    await until(() => expect(on.to(REASSIGN)).toHaveLength(2));
    expect(on.to(REASSIGN)[1]?.key).toBe(on.to(REASSIGN)[0]?.key);
  });

  it("is one change where the console said 'not answered yet'", async () => {
    const on = await opened({ "GET /requests/r1": { state: "pending", answer: null } });
    const fetched = globalThis.fetch;
    vi.stubGlobal("fetch", async (address: string, init: RequestInit = {}) => {
      const answer = await fetched(address, init);
      return address.endsWith("/reassign") ? Response.json({ request_id: "r1" }, { status: 202 }) : answer;
    });
    on.press("改派");
    await until(() => on.find("dialog"));
    vi.useFakeTimers();
    submit(on);
    await vi.advanceTimersByTimeAsync(25_000);
    expect(on.find("dialog [role=alert]").textContent).toContain("站点尚未答复");
    vi.useRealTimers();
    submit(on);
    await until(() => expect(on.to(REASSIGN)).toHaveLength(2));
    expect(on.to(REASSIGN)[1]?.key).toBe(on.to(REASSIGN)[0]?.key);
  });

  it("is another change after a no, and once the first is seen to be done", async () => {
    const on = await opened({ [REASSIGN]: new Refused(409, "no_crew", "没有空闲抢修队", "no crew is free") });
    on.press("改派");
    await until(() => on.find("dialog"));
    submit(on);
    await until(() => expect(on.find("dialog [role=alert]").textContent).toContain("没有空闲"));
    on.answer(REASSIGN, new Refused(503, "database_away", "数据库暂时不可用", "the database is away"));
    submit(on);
    await until(() => expect(on.find("dialog [role=alert]").textContent).toContain("数据库"));
    on.press("取消");
    shown.order = { ...order, crew_id: "C2" };
    await until(() => expect(document.querySelector("dialog")).toBeNull());
    on.press("改派");
    await until(() => on.find("dialog"));
    expect(document.querySelector("[role=alert]")).toBeNull();
    submit(on);
    await until(() => expect(on.to(REASSIGN)).toHaveLength(3));
    expect(new Set(on.to(REASSIGN).map((each) => each.key)).size).toBe(3);
  });
});

it.each([[NOW, 1], [NOW + 60_000, 2]])("an order that its first crew has since %d is sent on under as many keys as it was given to that crew", async (assigned_ms, keys) => {
  const on = await opened({ [REASSIGN]: new Refused(503, "database_away", "数据库暂时不可用", "the database is away") });
  for (const each of [order, { ...order, assigned_ms }]) {
    shown.order = each;
    await nextTick();
    on.press("改派");
    await until(() => on.find("dialog"));
    submit(on);
    await until(() => expect(on.find("dialog [role=alert]").textContent).toContain("数据库"));
    on.press("取消");
    await until(() => expect(document.querySelector("dialog")).toBeNull());
  }
  expect(on.to(REASSIGN)).toHaveLength(2);
  expect(new Set(on.to(REASSIGN).map((each) => each.key)).size).toBe(keys);
});

it("a close is another close when it is wanted again, whatever became of the one before", async () => {
  const on = await opened({ "POST /homes/H1/close-valve": new Refused(503, "database_away", "数据库暂时不可用", "the database is away") });
  for (const _ of [1, 2]) {
    on.press("切断阀门");
    await until(() => on.find("dialog"));
    submit(on);
    await until(() => expect(on.find("dialog [role=alert]").textContent).toContain("数据库"));
    on.press("取消");
    await until(() => expect(document.querySelector("dialog")).toBeNull());
  }
  expect(new Set(on.to("POST /homes/H1/close-valve").map((each) => each.key)).size).toBe(2);
});

it("the values of a test are gone when its dialog is opened again: a leak since then has made them void", async () => {
  const on = await opened({ [TEST]: { request_id: "r", answer: { passed: true, reasons: [] } } });
  on.press("代录严密性试验");
  await until(() => expect(fields()).toHaveLength(3));
  for (const field of fields()) {
    field.value = "3";
    field.dispatchEvent(new Event("input"));
  }
  submit(on);
  await until(() => expect(on.says("合格")).toBe(true));
  expect(on.to(TEST)[0]?.body).toMatchObject({ start_kpa: 3, end_kpa: 3, minutes: 3 });
  await until(() => expect(document.querySelector("dialog")).toBeNull());
  on.press("代录严密性试验");
  await until(() => expect(fields()).toHaveLength(3));
  expect(fields().map((field) => field.value)).toEqual(["", "", ""]);
});
