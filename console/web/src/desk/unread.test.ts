// @vitest-environment happy-dom
// What could not be read is never shown as none: the page says that it is not known, why, and from when its figures are.
import { afterEach, describe, expect, it, vi } from "vitest";
import { setLanguage } from "@/shared/i18n";
import { h } from "vue";
import Figures from "./Figures.vue";
import Incident from "./Incident.vue";
import Incidents from "./Incidents.vue";
import Tasks from "./Tasks.vue";
import Watch from "./Watch.vue";
import { NOW, Refused, stage, strike, until } from "./more/stage";

afterEach(strike);
// There is nothing to draw on here.
vi.mock("./chart", () => ({ chartOn: () => ({ setOption: () => undefined, resize: () => undefined, dispose: () => undefined }), options: () => ({}) }));

const away = new Refused(503, "database_away", "数据库暂时不可用", "the database is away");
const both = (zh: string, en = zh) => ({ zh, en });

const incident = {
  incident_id: "i1", kind: "leak", kind_words: both("燃气泄漏", "gas leak"), state: "open", home_id: "H1", address_zh: "松岚小区 201", address_en: "Songlan 201", simulated: true,
  device_id: null, meter_id: null, received_ms: NOW - 60_000, closed_ms: null, ch4_lel: 12, alarm_lel: 10, clocks: { T0: NOW - 61_000 }, aliases: [], acknowledged: null,
  close_sent_ms: null, valve: "none", valve_words: both(""), valve_cause_words: null, valve_closed_locally_ms: null, proof: "none", proof_words: both(""), clearing: "unknown",
  clearing_words: both(""), reported_closed_ms: null, answer_due_ms: null, proof_due_ms: null, holds_ms: null, clearing_ms: null, before_meter_ms: null, before_meter_first_ms: null,
  lon: 113, lat: 28.2, coord_datum: "WGS-84", calls: [], call: null, commands: [], tasks: [],
  order: { order_no: "QX-1", state: "assigned", words: both(""), crew_id: "C1", technician_id: null },
};
const order = {
  order_id: "o1", order_no: "QX-1", incident_id: "i1", kind: "emergency", state: "assigned", state_words: both("已派单", "assigned"), crew_id: "C1", distance_m: null, safe_reading_lel: null,
  cause_note: "", test_start_kpa: null, test_end_kpa: null, test_minutes: null, test_passed: null, revisit_due_ms: null, archived_ms: null, steps: [],
};
const hold = { hold_id: 1, hold: "leak", words: both("泄漏切断", "a leak"), cause: "", cause_words: null, in_force: true, set_ms: NOW - 60_000, set_by: "line", lifted_ms: null, lifted_by: null };
const answers = {
  "GET /incidents/i1": { ...incident, orders: [order] },
  "GET /incidents/i1/timeline": { items: [] },
  "GET /incidents/i1/remarks": { items: [] },
  "GET /homes/H1/holds": { items: [hold] },
  "GET /homes/H1/readings": { detector: [], meter: [] },
  "GET /crews": { items: [{ crew_id: "C1", technicians: [{ technician_id: "T1", name: "李强", phone: "+8613800000001" }], lon: null, lat: null, post_lon: null, post_lat: null }], next: null },
  "GET /orders/QX-1": order,
  "GET /map": { boundary: null },
};
const text = (id: string): string => document.getElementById(id)?.closest("section")?.textContent ?? "";

describe("what waits for a person in an incident", () => {
  it("is said at its head until it is done", async () => {
    const task = { task_id: "t1", incident_id: "i1", kind: "nobody_confirmed", words: both("无人确认：请人工致电或上门", "nobody confirmed"), priority: 2, created_ms: NOW - 1000, done_ms: null };
    const on = await stage(Incident, { id: "i1" }, { ...answers, "GET /incidents/i1": { ...incident, orders: [order], tasks: [task] } });
    await until(() => expect(on.find(".incident-head [data-task]").textContent).toContain("人工任务: 无人确认：请人工致电或上门"));
    on.tell("task", { ...task, done_ms: NOW });
    await until(() => expect(document.querySelector("[data-task]")).toBeNull());
    on.tell("task", { ...task, task_id: "t2", words: both("住户需要帮助", "they need help"), priority: 1 });
    await until(() => expect(on.find(".incident-head [data-task].bad").textContent).toContain("住户需要帮助"));
  });
});

describe("an incident of which a part cannot be read", () => {
  it("does not say of a held home that nothing holds it, and says what is wrong", async () => {
    const on = await stage(Incident, { id: "i1" }, { ...answers, "GET /homes/H1/holds": away, "GET /incidents/i1/remarks": away, "GET /crews": away });
    await until(() => expect(on.find("[role=alert]").textContent).toContain("数据库暂时不可用"));
    expect(text("holds-title")).toContain("尚未读到：不等于没有");
    expect(text("holds-title")).not.toContain("没有保持项");
    expect(text("remarks-title")).toContain("尚未读到：不等于没有");
    expect(text("remarks-title")).not.toContain("还没有备注");
    expect(on.says("抢修队尚未读到：人员、电话与位置不明")).toBe(true);
    expect(on.says("只在执行抢修单时上报")).toBe(false);
    setLanguage("en");
    await until(() => expect(text("holds-title")).toContain("that does not mean there is none"));
  });

  it("shows it as soon as it can be read", async () => {
    const on = await stage(Incident, { id: "i1" }, { ...answers, "GET /homes/H1/holds": away });
    await until(() => expect(text("holds-title")).toContain("尚未读到"));
    on.answer("GET /homes/H1/holds", { items: [hold] });
    on.tell("resync", {});
    await until(() => expect(text("holds-title")).toContain("泄漏切断"));
    await until(() => expect(document.querySelector("[role=alert]")).toBeNull());
    expect(text("remarks-title")).toContain("还没有备注");
    expect(on.says("李强")).toBe(true);
  });

  it("forgets what it knew when a change can no longer be read", async () => {
    const on = await stage(Incident, { id: "i1" }, { ...answers, "GET /homes/H1/holds": { items: [] } });
    await until(() => expect(text("holds-title")).toContain("没有保持项"));
    on.answer("GET /homes/H1/holds", away);
    on.tell("incident", incident);
    await until(() => expect(text("holds-title")).toContain("尚未读到"));
    await until(() => expect(on.find("[role=alert]").textContent).toContain("数据库暂时不可用"));
  });
});

const overview = { incidents_open: 3, orders_waiting: 0, crews_free: 2, crews: 4, tasks_open: 1, blind: 0, silent: 0, powerless: 0, canary_age_s: 5, canary_passed: true };

describe("figures and tasks that cannot be read", () => {
  it("are said not to be read, with the reason", async () => {
    const figures = await stage(Figures, {}, { "GET /overview": away });
    await until(() => expect(figures.find("[role=alert]").textContent).toContain("数据库暂时不可用"));
    expect(figures.says("尚未读到")).toBe(true);
    const tasks = await stage(Tasks, {}, { "GET /tasks": away });
    await until(() => expect(tasks.find("[role=alert]").textContent).toContain("数据库暂时不可用"));
    expect(tasks.says("尚未读到：不等于没有")).toBe(true);
    expect(tasks.says("没有待办任务")).toBe(false);
  });

  it("keep the last figures that were read, with their age", async () => {
    const figures = await stage(Figures, {}, { "GET /overview": overview });
    await until(() => expect(figures.find(".desk-figures").textContent).toContain("3"));
    expect(document.querySelector("[role=alert]")).toBeNull();
    figures.answer("GET /overview", away);
    figures.tell("resync", {});
    await until(() => expect(figures.find("[role=alert]").textContent).toContain("数据库暂时不可用"));
    expect(figures.says("之后未能更新")).toBe(true);
    expect(figures.find(".desk-figures").textContent).toContain("3");
  });

  it("do not say that there is nothing to do where the tasks cannot be read anew", async () => {
    const tasks = await stage(Tasks, {}, { "GET /tasks": { items: [], next: null } });
    await until(() => expect(tasks.says("没有待办任务")).toBe(true));
    tasks.answer("GET /tasks", away);
    tasks.tell("resync", {});
    await until(() => expect(tasks.find("[role=alert]").textContent).toContain("数据库暂时不可用"));
    expect(tasks.says("之后未能更新")).toBe(true);
    expect(tasks.says("没有待办任务")).toBe(false);
  });
});

describe("an empty list that could not be read anew", () => {
  it("does not say that nothing leaks", async () => {
    const page = { render: () => [h(Watch), h(Incidents)] };
    const desk = await stage(page, {}, { "GET /incidents": { items: [], next: null }, "GET /tasks": { items: [], next: null }, "GET /overview": overview });
    await until(() => expect(desk.says("目前没有泄漏")).toBe(true));
    desk.answer("GET /incidents", away);
    desk.tell("resync", {});
    await until(() => expect(desk.says("目前没有泄漏")).toBe(false));
    desk.answer("GET /incidents", { items: [], next: null });
    desk.tell("resync", {});
    await until(() => expect(desk.says("目前没有泄漏")).toBe(true));
  });
});
