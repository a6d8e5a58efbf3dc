// @vitest-environment happy-dom
// The phone never lets anybody take old for new: as at the desk, three seconds of silence are said, with the time since when.
import { afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { nextTick } from "vue";
import { timeOf } from "@/shared/format";
import App from "./App.vue";
import { day, phone, refresh } from "./phone";
import { begin, dayOf, order, reception, show, silence, strike, WORKER } from "./stage";

// The pages' own ticks are moved by the test, from their first on.
vi.hoisted(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance", "Date"] }));

const later = async (ms: number) => {
  await vi.advanceTimersByTimeAsync(ms);
  await nextTick();
};
const notices = (): string => document.querySelector(".notices")?.textContent ?? "";
const OLD = "数据可能已过时";
let answers = true;
let hung: ((why: Error) => void)[] = [];

beforeAll(() => begin([order(Date.now())]));
beforeEach(async () => {
  answers = true;
  const said = { user: { name: "he.ping", display: "何平", roles: ["technician"] }, rights: [], csrf: "word", expires_ms: 0, now_ms: 0, demo: false };
  vi.stubGlobal("fetch", (address: string) => {
    if (!answers) return new Promise((_, failed) => void hung.push(failed));
    return Promise.resolve(Response.json(String(address).endsWith("/session") ? said : dayOf([order(Date.now())], Date.now())));
  });
  phone.worker = WORKER;
  reception(Date.now(), true);
  await refresh();
  await later(0);
  expect(phone.trouble).toBeNull();
  await show(App);
});
afterEach(async () => {
  strike();
  silence();
  answers = true;
  for (const failed of hung) failed(new TypeError("Failed to fetch"));
  hung = [];
  await later(0);
});

it("says so within three seconds of silence, and since when", async () => {
  const lastMs = Date.now();
  answers = false;
  await later(2500);
  expect(document.body.textContent).toContain("何平");
  expect(notices()).not.toContain(OLD);
  await later(500);
  expect(notices()).toContain(OLD);
  expect(notices()).toContain(`最后更新 ${timeOf(lastMs)}（3 秒前）`);
  await later(7000);
  expect(notices()).toContain(`最后更新 ${timeOf(lastMs)}（10 秒前）`);
});

it("goes on saying so where the phone reads but hears no stream, with the time of the last reading", async () => {
  await later(3000);
  expect(notices()).toContain(OLD);
  await refresh();
  expect(phone.trouble).toBeNull();
  const readMs = day.value?.now_ms ?? 0;
  await later(1000);
  expect(notices()).toContain(OLD);
  expect(notices()).toContain(`最后更新 ${timeOf(readMs)}`);
});

it("says so of orders that could not be read though the stream speaks", async () => {
  const readMs = day.value?.now_ms ?? 0;
  vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ reason: "database_away", zh: "数据库不可用", en: "the database is away" }, { status: 503 })));
  void refresh();
  await vi.waitFor(() => expect(phone.trouble?.zh).toBe("数据库不可用"));
  await nextTick();
  expect(notices()).toContain(OLD);
  expect(notices()).toContain(`最后更新 ${timeOf(readMs)}`);
});

it("moves nothing in what is read out: the words are said once, the time stands beside them", async () => {
  answers = false;
  await later(3000);
  const said = document.querySelector(".notices [role=status]")?.textContent;
  expect(said).toContain(OLD);
  await later(5000);
  expect(document.querySelector(".notices [role=status]")?.textContent).toBe(said);
});
