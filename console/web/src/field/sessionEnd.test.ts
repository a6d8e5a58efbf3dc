// @vitest-environment happy-dom
// A technician who has a desk's role too is signed out like a desk, also on his phone: it is said there as well. One who has none is not.
import { afterEach, beforeAll, expect, it, vi } from "vitest";
import { nextTick } from "vue";
import { readSession, session } from "@/shared/session";
import App from "./App.vue";
import { begin, order, show, strike } from "./stage";

vi.hoisted(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance", "Date"] }));

beforeAll(() => begin([order(Date.now())]));
afterEach(strike);

it.each([
  [["technician", "dispatcher"], true],
  [["technician"], false],
])("of %s is told: %s", async (roles, told) => {
  const now = Date.now();
  const said = { user: { name: "he.ping", display: "何平", roles }, rights: [], csrf: "word", expires_ms: now + 9 * 60_000, now_ms: now, demo: false };
  vi.stubGlobal("fetch", () => Promise.resolve(Response.json(said)));
  await readSession(true);
  await show(App);
  await vi.advanceTimersByTimeAsync(120_000);
  await nextTick();
  expect(session.value?.user.roles).toEqual(roles);
  expect(document.body.textContent).toContain("何平");
  expect(document.querySelector(".notices")?.textContent?.includes("长时间无人操作")).toBe(told);
});
