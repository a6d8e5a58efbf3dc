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

it("sounds while it warns that it signs out because nobody touches it", async () => {
  vi.useFakeTimers({ toFake: ["Date", "performance", "setInterval", "clearInterval"] });
  vi.stubGlobal("EventSource", Source);
  vi.stubGlobal("BroadcastChannel", undefined);
  const now = Date.now();
  const said = { user: { name: "li", display: "李伟", roles: ["operator"] }, rights: ["read"], csrf: "word", expires_ms: now + 9 * 60_000, now_ms: now, demo: false };
  vi.stubGlobal("fetch", () => Promise.resolve(Response.json(said)));
  const told = vi.spyOn(sound, "reminderTone").mockImplementation(() => undefined);
  await readSession(true);
  await router.push("/nowhere");
  const app = createApp(App);
  app.use(i18n).use(router).mount(document.body.appendChild(document.createElement("div")));
  await vi.advanceTimersByTimeAsync(50_000);
  expect(told).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(80_000);
  expect(told.mock.calls.length).toBe(3);
  app.unmount();
});
