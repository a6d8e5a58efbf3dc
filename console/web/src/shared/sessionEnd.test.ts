// @vitest-environment happy-dom
// The end of a sign-in is told by the server's clock: a browser that is hours wrong neither warns of nothing nor keeps silent.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createApp, nextTick, type App } from "vue";
import { get, post } from "./api";
import { idleMs } from "./attendance";
import { i18n, setLanguage } from "./i18n";
import "./messages";
import { readSession } from "./session";
import SessionEnd from "./SessionEnd.vue";

const SERVER_MS = 1_795_340_000_000;
const MINUTE_MS = 60_000;
let app: App | null = null;
let calls = 0;

/** The server answers with the end and its own time, ms. */
const answers = (times: () => [number, number]) =>
  vi.stubGlobal("fetch", () => {
    const [expires_ms, now_ms] = times();
    return Promise.resolve(Response.json({ user: {}, rights: [], csrf: "word", expires_ms, now_ms, demo: false }));
  });

/** What the page says `laterMs` after the server said that so much is left, in a browser whose clock is `wrongMs` off. */
async function said(leftMs: number, laterMs: number, wrongMs: number): Promise<string> {
  vi.setSystemTime(SERVER_MS + wrongMs);
  dispatchEvent(new Event("keydown"));
  const began = performance.now();
  answers(() => [SERVER_MS + leftMs, SERVER_MS + performance.now() - began]);
  await readSession(true);
  const root = document.body.appendChild(document.createElement("div"));
  app = createApp(SessionEnd, { onCall: () => (calls += 1) });
  app.use(i18n).mount(root);
  await vi.advanceTimersByTimeAsync(laterMs);
  await nextTick();
  return root.textContent ?? "";
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date", "performance", "setInterval", "clearInterval", "setTimeout", "clearTimeout"] });
  setLanguage("zh");
  calls = 0;
});
afterEach(() => {
  app?.unmount();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("the end of a sign-in", () => {
  it("is warned of in time, though the browser's clock is hours behind", async () => {
    expect(await said(9 * MINUTE_MS, MINUTE_MS, -5 * 60 * MINUTE_MS)).toContain("本次登录将在 8 分 00 秒 后结束，请退出后重新登录");
  });

  it("is not warned of because the browser's clock is hours ahead", async () => {
    expect(await said(12 * MINUTE_MS, MINUTE_MS, 5 * 60 * MINUTE_MS)).toBe("");
    app?.unmount();
    expect(await said(12 * MINUTE_MS, 3 * MINUTE_MS, 5 * 60 * MINUTE_MS)).toContain("9 分 00 秒");
  });

  it("that comes because nobody touched the page is held off by a touch, and says so", async () => {
    const asked: string[] = [];
    await said(12 * MINUTE_MS, 3 * MINUTE_MS, 0);
    expect(document.body.textContent).toContain("长时间无人操作，9 分 00 秒 后自动退出：动一下鼠标或按任意键即可继续");
    const until = SERVER_MS + 33 * MINUTE_MS;
    vi.stubGlobal("fetch", (_: string, init: RequestInit) => {
      asked.push((init.headers as Record<string, string>)["X-Idle-Seconds"] ?? "");
      return Promise.resolve(Response.json({ user: {}, rights: [], csrf: "word", expires_ms: until, now_ms: SERVER_MS + 3 * MINUTE_MS, demo: false }));
    });
    dispatchEvent(new Event("pointerdown"));
    await vi.advanceTimersByTimeAsync(0);
    await nextTick();
    expect([asked, document.body.textContent]).toEqual([["0"], ""]);
  });
});

describe("who watches a page without a touch", () => {
  const later = async (ms: number) => {
    await vi.advanceTimersByTimeAsync(ms);
    await nextTick();
  };

  it("is called while the warning stands, and not once it was heard", async () => {
    await said(12 * MINUTE_MS, 2 * MINUTE_MS, 0);
    expect([calls, document.body.textContent]).toEqual([0, ""]);
    await later(MINUTE_MS);
    expect([calls, document.body.textContent]).toEqual([2, expect.stringContaining("长时间无人操作")]);
    const began = performance.now();
    answers(() => [SERVER_MS + 30 * MINUTE_MS, SERVER_MS + performance.now() - began]);
    dispatchEvent(new Event("click"));
    await later(2 * MINUTE_MS);
    expect([calls, document.body.textContent]).toEqual([2, ""]);
  });

  it("is not called, nor told to sign in again, by an end that his own work puts off", async () => {
    let acted = performance.now();
    await said(15 * MINUTE_MS, 0, 0);
    answers(() => [acted + 15 * MINUTE_MS, performance.now()]);
    const told = new Set<string>();
    for (let second = 10; second <= 60 * 60; second += 10) {
      await later(10_000);
      told.add(document.body.textContent ?? "");
      if (second % 110 === 0) {
        acted = performance.now();
        dispatchEvent(new Event("input"));
      }
    }
    expect([calls, [...told]]).toEqual([0, [""]]);
    answers(() => [SERVER_MS + 9 * MINUTE_MS, SERVER_MS]);
    await later(5 * MINUTE_MS);
    expect(document.body.textContent).not.toBe("");
  });
});

describe("how long nobody has touched the page", () => {
  const moved = (x: number) => dispatchEvent(Object.assign(new Event("pointermove"), { screenX: x, screenY: 5 }));
  const later = (ms: number) => vi.advanceTimersByTime(ms);

  beforeEach(() => {
    vi.setSystemTime(SERVER_MS);
    moved(1);
    later(2000);
    dispatchEvent(new Event("wheel"));
  });

  it("begins anew with a pointer that moves, and not where the page moves under one at rest", () => {
    later(40_000);
    moved(1);
    expect(idleMs()).toBe(40_000);
    moved(2);
    expect(idleMs()).toBe(0);
  });

  it("goes on over a sleep in which one clock stood still, and over a clock that is set back", () => {
    later(5000);
    vi.setSystemTime(Date.now() + 20 * MINUTE_MS);
    expect(idleMs()).toBe(20 * MINUTE_MS + 5000);
    vi.setSystemTime(SERVER_MS - 60 * MINUTE_MS);
    expect(idleMs()).toBe(5000);
  });

  it("goes with every request, also with a change", async () => {
    const told: (string | undefined)[] = [];
    vi.stubGlobal("fetch", (_: string, init: RequestInit) => {
      told.push((init.headers as Record<string, string>)["X-Idle-Seconds"]);
      return Promise.resolve(Response.json({}));
    });
    await get("/orders");
    later(90_500);
    await get("/orders");
    await post("/orders/QX-1/accept");
    expect(told).toEqual(["0", "90", "90"]);
  });
});
