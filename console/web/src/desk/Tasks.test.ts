// @vitest-environment happy-dom
import { afterEach, expect, it } from "vitest";
import Tasks from "./Tasks.vue";
import { NOW, stage, strike, until, type Answer } from "./more/stage";

afterEach(strike);

const MANY = 70;
const task = (at: number) => ({ task_id: `t${at}`, incident_id: null, home_id: null, words: { zh: `任务 ${at}。`, en: `Task ${at}.` }, priority: 2, created_ms: NOW - 3_600_000 + at, done_ms: null as number | null });
const all = Array.from({ length: MANY }, (_, at) => task(at));
const pages: Answer = ({ query }) => {
  const from = Number(query.after ?? 0);
  const behind = from + Number(query.limit);
  return { items: all.slice(from, behind), next: behind < MANY ? String(behind) : null };
};
const answers = { "GET /tasks": pages, "GET /overview": { tasks_open: MANY }, "GET /handover/owners": { items: [] } };
const lines = () => document.querySelectorAll(".tasks li").length;

it("every task can be reached and done, and all of them are counted, those of further pages too", async () => {
  const on = await stage(Tasks, {}, { ...answers, "POST /tasks/t65/done": { request_id: "r" } }, { rights: ["read", "task"] });
  await until(() => expect(lines()).toBe(12));
  expect(on.says("共 70 项")).toBe(true);
  for (let shown = 24; shown < MANY; shown += 12) {
    on.press("再显示");
    await until(() => expect(lines()).toBe(shown));
  }
  on.press("再显示 10 项");
  await until(() => expect(on.says("任务 69。")).toBe(true));
  expect(on.says("再显示")).toBe(false);
  const line = [...document.querySelectorAll(".tasks li")].find((each) => each.textContent?.includes("任务 65。"));
  line?.querySelector("button")?.click();
  await until(() => on.find("dialog"));
  on.find("dialog form").dispatchEvent(new Event("submit", { cancelable: true }));
  await until(() => expect(lines()).toBe(MANY - 1));
  expect(on.to("POST /tasks/t65/done")).toHaveLength(1);
  expect(on.says("共 69 项")).toBe(true);
});

it("one that is told meanwhile is counted as well", async () => {
  const on = await stage(Tasks, {}, answers, { rights: ["read", "task"] });
  await until(() => expect(on.says("共 70 项")).toBe(true));
  on.answer("GET /overview", { tasks_open: MANY + 1 });
  on.tell("task", task(99));
  await until(() => expect(on.says("共 71 项")).toBe(true));
});

it("a few are shown whole, without a count and without asking for one", async () => {
  const on = await stage(Tasks, {}, { ...answers, "GET /tasks": { items: all.slice(0, 12), next: null } });
  await until(() => expect(lines()).toBe(12));
  expect(on.says("共")).toBe(false);
  expect(on.says("再显示")).toBe(false);
  expect(on.to("GET /overview")).toHaveLength(0);
});

it("says where it is, and that its incident is over", async () => {
  const where = { address_zh: "芙蓉区 云栖花园 501室", address_en: "Room 501, 云栖花园" };
  const items = [{ ...task(1), home_id: "H1", ...where, incident_closed_ms: null }, { ...task(2), ...where, incident_closed_ms: NOW }];
  const on = await stage(Tasks, {}, { ...answers, "GET /tasks": { items, next: null } }, { rights: ["read"] });
  await until(() => expect(lines()).toBe(2));
  const [home, street] = [...document.querySelectorAll(".tasks li")].map((each) => each.textContent ?? "");
  expect(on.find(".tasks a").textContent).toBe("芙蓉区 云栖花园 501室");
  expect([home?.includes("事件已结束"), street?.includes("芙蓉区 云栖花园 501室 · 事件已结束")]).toEqual([false, true]);
});
