// @vitest-environment happy-dom
// Where the crew is, told by the phone: the phone, its choice and its disk are the real ones; played are the browser's geolocation and the platform.
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { nextTick } from "vue";
import App from "./App.vue";
import PlaceTold from "./parts/PlaceTold.vue";
import { act, acts, day, phone } from "./phone";
import type { Kept } from "./queue/kept";
import { begin, button, dayOf, order, show, strike, WORKER } from "./stage";
import { allow, due, EVERY_MS, startWhereabouts, whereabouts } from "./whereabouts";
import type { Day } from "./work/model";

interface Asked {
  address: string;
  body: Record<string, unknown>;
}
const here = { longitude: 112.9388, latitude: 28.2282, accuracy: 12 };
let kept: Kept;
let told: Asked[] = [];
let looks: ((coords: Partial<typeof here> | number) => void)[] = [];
let answer: () => Promise<Response>;
const later = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const said = (): string => document.body.textContent ?? "";
const stands = (state: string, onShift = true): void => {
  day.value = { ...dayOf([order(Date.now(), { state })], Date.now()), on_shift: onShift } as Day;
};

/** The browser's side: every look waits until the test answers it. */
const geolocation = {
  getCurrentPosition: (found: (at: object) => void, failed: (why: object) => void) =>
    void looks.push((coords) => (typeof coords === "number" ? failed({ code: coords }) : found({ coords: { ...here, ...coords } }))),
};

async function looked(coords: Partial<typeof here> | number = {}): Promise<void> {
  expect(looks).toHaveLength(1);
  Object.assign(whereabouts, { toldMs: null, trouble: null });
  looks.shift()?.(coords);
  await vi.waitFor(() => expect([whereabouts.toldMs, whereabouts.trouble]).not.toEqual([null, null]));
  await nextTick();
}

beforeAll(async () => {
  vi.stubGlobal("isSecureContext", true);
  Object.defineProperty(navigator, "geolocation", { value: geolocation, configurable: true });
  // The phone looks for the platform by itself; here it is told when it is heard.
  const looking = vi.spyOn(globalThis, "setInterval").mockReturnValue(0 as never);
  kept = await begin([order(Date.now())]);
  looking.mockRestore();
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance", "Date"] });
  startWhereabouts();
});
beforeEach(async () => {
  await later(EVERY_MS);
  told = [];
  looks = [];
  answer = () => Promise.resolve(Response.json({ request_id: "r", answer: {} }));
  vi.stubGlobal("fetch", (address: string, init: RequestInit) => {
    if (!String(address).endsWith("/position")) return Promise.reject(new TypeError("Failed to fetch"));
    told.push({ address: decodeURIComponent(address), body: JSON.parse(String(init.body)) as Record<string, unknown> });
    return answer();
  });
  phone.worker = { ...WORKER };
  phone.reached = true;
  phone.signedOut = false;
  whereabouts.choice = null;
  stands("accepted");
  await nextTick();
});
afterEach(async () => {
  strike();
  await allow(false);
  day.value = null;
});

describe("where the crew is", () => {
  it("is asked of nobody before he has read what for and said yes, and then told in WGS-84", async () => {
    await show(PlaceTold);
    expect(said()).toContain("只在当班、接单后到归档前、本页打开时发送");
    await later(3 * EVERY_MS);
    expect(looks).toEqual([]);
    button("发送位置").click();
    await looked();
    expect(told).toEqual([{ address: "/api/v1/crews/C1/position", body: { lon: 112.9388, lat: 28.2282, coord_datum: "WGS-84" } }]);
    expect(said()).toContain("正在向调度发送位置");
    expect(said()).toMatch(/最近一次 \d\d:\d\d:\d\d/);
  });

  it("is not asked where he said no, now and after the app was closed, and may still be sent later", async () => {
    await show(PlaceTold);
    button("不发送").click();
    await later(3 * EVERY_MS);
    expect([looks, said()]).toEqual([[], expect.stringContaining("没有发送位置")]);
    await vi.waitFor(async () => expect(await kept.note("place:C1-A")).toBe(false));
    button("发送位置").click();
    await looked();
    expect(told).toHaveLength(1);
  });

  it("is told about once a minute, and said on every page while it is", async () => {
    await show(App);
    await allow(true);
    await looked();
    expect(document.querySelector("header")?.textContent).toContain("发送位置中");
    await later(EVERY_MS / 4);
    phone.reached = false;
    await nextTick();
    phone.reached = true;
    await nextTick();
    expect(looks).toEqual([]);
    await later(EVERY_MS);
    await looked({ longitude: 112.94 });
    expect(told.map((each) => each.body.lon)).toEqual([112.9388, 112.94]);
    await allow(false);
    await nextTick();
    expect(document.querySelector("header")?.textContent).not.toContain("发送位置中");
  });

  it.each([
    ["before he has accepted", () => stands("assigned")],
    ["after the archive", () => stands("archived")],
    ["off shift", () => stands("on_site", false)],
    ["in a demonstration, whose crew is elsewhere", () => void (phone.worker = { ...WORKER, demo: true })],
    ["when he is signed out", () => void (phone.signedOut = true)],
  ])("is not asked of the phone %s", async (_, becomes) => {
    becomes();
    await nextTick();
    expect(due.value).toBe(false);
    await allow(true);
    await later(2 * EVERY_MS);
    expect(looks).toEqual([]);
    phone.worker = { ...WORKER };
    phone.signedOut = false;
    whereabouts.choice = true;
    stands("on_site");
    await nextTick();
    await looked();
    expect(told).toHaveLength(1);
  });

  it("is asked as soon as he accepts, also before the platform has heard of it", async () => {
    stands("assigned");
    await allow(true);
    expect(looks).toEqual([]);
    await act((day.value as Day).orders[0] as never, "accept");
    await nextTick();
    await looked();
    expect(told).toHaveLength(1);
    for (const each of await kept.acts()) await kept.end(each, { orderNo: "QX-1", what: "accept", happenedMs: null, end: "dropped", atMs: 0, refused: null });
    acts.value = [];
  });

  it("is not told when he stopped it while the phone looked for itself", async () => {
    await allow(true);
    await allow(false);
    looks.shift()?.({ longitude: 112.1 });
    await later(0);
    await allow(true);
    await looked();
    expect(told.map((each) => each.body.lon)).toEqual([112.9388]);
  });

  it("waits for no reception: what was not told is forgotten, and a new one is taken", async () => {
    await show(PlaceTold);
    await allow(true);
    answer = () => Promise.reject(new TypeError("Failed to fetch"));
    await looked({ longitude: 112.1 });
    expect(said()).toContain("位置没有送达");
    phone.reached = false;
    await nextTick();
    await later(5 * EVERY_MS);
    expect(looks).toEqual([]);
    answer = () => Promise.resolve(Response.json({ request_id: "r", answer: {} }));
    phone.reached = true;
    await nextTick();
    await looked({ longitude: 112.9 });
    expect(told.map((each) => each.body.lon)).toEqual([112.1, 112.9]);
    expect(said()).not.toContain("位置没有送达");
  });

  it.each([
    [1, "浏览器不允许取位置"],
    [3, "手机没有找到自己的位置"],
    [{ accuracy: 1001 }, "位置误差超过 1 公里"],
  ])("says why it is not told: %o", async (found, words) => {
    await show(PlaceTold);
    await allow(true);
    await looked(found);
    expect(told).toEqual([]);
    expect(said()).toContain(words);
    expect(said()).toContain("将向调度发送位置，尚未发出");
  });
});
