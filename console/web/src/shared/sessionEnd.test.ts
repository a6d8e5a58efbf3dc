// @vitest-environment happy-dom
// The end of a sign-in is told by the server's clock: a browser that is hours wrong neither warns of nothing nor keeps silent.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createApp, nextTick, type App } from "vue";
import { i18n, setLanguage } from "./i18n";
import "./messages";
import { readSession } from "./session";
import SessionEnd from "./SessionEnd.vue";

const SERVER_MS = 1_795_340_000_000;
const MINUTE_MS = 60_000;
let app: App | null = null;

/** What the page says `laterMs` after the server said that so much is left, in a browser whose clock is `wrongMs` off. */
async function said(leftMs: number, laterMs: number, wrongMs: number): Promise<string> {
  vi.setSystemTime(SERVER_MS + wrongMs);
  vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ user: {}, rights: [], csrf: "word", expires_ms: SERVER_MS + leftMs, now_ms: SERVER_MS, demo: false })));
  await readSession(true);
  const root = document.body.appendChild(document.createElement("div"));
  app = createApp(SessionEnd);
  app.use(i18n).mount(root);
  await vi.advanceTimersByTimeAsync(laterMs);
  await nextTick();
  return root.textContent ?? "";
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date", "performance", "setInterval", "clearInterval", "setTimeout", "clearTimeout"] });
  setLanguage("zh");
});
afterEach(() => {
  app?.unmount();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("the end of a sign-in", () => {
  it("is warned of in time, though the browser's clock is hours behind", async () => {
    expect(await said(9 * MINUTE_MS, MINUTE_MS, -5 * 60 * MINUTE_MS)).toContain("本次登录将在 8 分 00 秒 后结束");
  });

  it("is not warned of because the browser's clock is hours ahead", async () => {
    expect(await said(12 * MINUTE_MS, MINUTE_MS, 5 * 60 * MINUTE_MS)).toBe("");
    app?.unmount();
    expect(await said(12 * MINUTE_MS, 3 * MINUTE_MS, 5 * 60 * MINUTE_MS)).toContain("本次登录将在 9 分 00 秒 后结束");
  });
});
