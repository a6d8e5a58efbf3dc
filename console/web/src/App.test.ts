// @vitest-environment happy-dom
// A quiet desk that nobody touches is called, aloud, before it is signed out.
import { afterEach, expect, it, vi } from "vitest";
import { createApp } from "vue";
import * as sound from "./desk/sound";
import { i18n } from "./shared/i18n";
import "./shared/messages";
import { readSession } from "./shared/session";
import { stopStream } from "./shared/stream";
import { Source } from "./shared/wireStage";
import { router } from "./router";
import App from "./App.vue";

afterEach(() => {
  stopStream();
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/** A signed-in person at no page; his sign-in ends in `leftMs`. */
async function signedIn(leftMs: number): Promise<void> {
  vi.stubGlobal("EventSource", Source);
  vi.stubGlobal("BroadcastChannel", undefined);
  const now = Date.now();
  const said = { user: { name: "li", display: "李伟", roles: ["operator"] }, rights: ["read"], csrf: "word", expires_ms: now + leftMs, now_ms: now, demo: false };
  vi.stubGlobal("fetch", () => Promise.resolve(Response.json(said)));
  await readSession(true);
  await router.push("/nowhere");
}

it("sounds while it warns that it signs out because nobody touches it", async () => {
  vi.useFakeTimers({ toFake: ["Date", "performance", "setInterval", "clearInterval"] });
  const told = vi.spyOn(sound, "reminderTone").mockImplementation(() => undefined);
  await signedIn(9 * 60_000);
  const app = createApp(App);
  app.use(i18n).use(router).mount(document.body.appendChild(document.createElement("div")));
  await vi.advanceTimersByTimeAsync(50_000);
  expect(told).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(80_000);
  expect(told.mock.calls.length).toBe(3);
  app.unmount();
});

it("says that a page could not be loaded, and offers it anew, until another page came", async () => {
  await signedIn(3_600_000);
  const page = document.body.appendChild(document.createElement("div"));
  const app = createApp(App);
  app.use(i18n).use(router).mount(page);
  // As Vite does where a part is not there any more.
  const gone = () => {
    dispatchEvent(new Event("vite:preloadError"));
    return Promise.reject(new Error("no such part"));
  };
  router.addRoute({ path: "/gone", component: gone });
  await expect(router.push("/gone?home=1")).rejects.toThrow("no such part");
  await vi.waitFor(() => expect(page.querySelector('[role="alert"] a')?.getAttribute("href")).toBe("/gone?home=1"));
  await router.push("/nowhere/else");
  await vi.waitFor(() => expect(page.querySelector('[role="alert"]')).toBeNull());
  app.unmount();
});
