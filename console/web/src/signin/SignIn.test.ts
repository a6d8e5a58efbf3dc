// @vitest-environment happy-dom
// A page that was signed out because nobody touched it has nobody who reads it either: it says loudly that nobody watches, and sounds.
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createApp, type App } from "vue";
import { createMemoryHistory, createRouter } from "vue-router";
import * as sound from "@/desk/sound";
import { i18n, setLanguage } from "@/shared/i18n";
import "./routes";
import SignIn from "./SignIn.vue";

let app: App | null = null;
let told: string[];

async function door(address: string): Promise<string> {
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: "/:rest(.*)*", component: { render: () => null } }] });
  await router.push(address);
  const root = document.body.appendChild(document.createElement("div"));
  app = createApp(SignIn);
  app.use(i18n).use(router).mount(root);
  return root.querySelector("[role=alert]")?.textContent ?? "";
}

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  vi.spyOn(sound, "alarmTone").mockImplementation(() => void told.push("alarm"));
  vi.spyOn(sound, "reminderTone").mockImplementation(() => void told.push("again"));
});
afterEach(() => {
  app?.unmount();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it.each(["zh", "en"] as const)("says in %s that nobody watches, and sounds until it is left", async (language) => {
  setLanguage(language);
  expect(await door("/signin?ended=unattended")).toContain(language === "zh" ? "没有人在看报警" : "nobody is watching for alarms");
  expect(told).toEqual(["alarm"]);
  vi.advanceTimersByTime(60_000);
  expect(told).toEqual(["alarm", "again", "again"]);
  app?.unmount();
  app = null;
  vi.advanceTimersByTime(60_000);
  expect(told).toEqual(["alarm", "again", "again"]);
});

it("is silent where somebody sits at it", async () => {
  setLanguage("zh");
  expect(await door("/signin?ended=")).toContain("登录已结束");
  vi.advanceTimersByTime(60_000);
  expect(told).toEqual([]);
});
