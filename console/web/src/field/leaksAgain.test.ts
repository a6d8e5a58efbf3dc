// @vitest-environment happy-dom
// The technician who works an order is rung when gas leaks there anew: once for each new leak, also when it came while he heard nothing.
import { afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { setLanguage } from "@/shared/i18n";
import { Source } from "@/shared/wireStage";
import { ring } from "./alarm";
import App from "./App.vue";
import { day, forgetDay, hush, phone, refresh } from "./phone";
import { begin, button, dayOf, order, show, silence, strike, WORKER } from "./stage";
import type { FieldOrder } from "./work/model";

const NOW = Date.now();
const ANEW = { alarmed_again_ms: NOW - 2_000 };
const starts = vi.spyOn(ring, "start").mockImplementation(() => undefined);
let today: FieldOrder[] = [];
let technician = "C1-A";
const until = <T>(look: () => T): Promise<T> => vi.waitFor(look, { timeout: 4000, interval: 10 });
const said = (): string => document.querySelector('[role="alertdialog"]')?.textContent ?? "";

async function heard(changes: Partial<FieldOrder>): Promise<number> {
  starts.mockClear();
  today = [order(NOW, changes)];
  // One that reads already may have asked before.
  await until(() => refresh().then(() => expect([day.value?.orders, day.value?.technician_id]).toEqual([today, technician])));
  return starts.mock.calls.length;
}

beforeAll(() => begin([order(NOW)]));
beforeEach(async () => {
  const who = { user: { name: "he.ping", display: "何平", roles: ["technician"] }, rights: [], csrf: "word", expires_ms: 0, now_ms: 0, demo: false };
  vi.stubGlobal("fetch", (address: string) => Promise.resolve(Response.json(String(address).endsWith("/session") ? who : { ...dayOf(today, NOW), technician_id: technician })));
  // Nothing is told by the stream: what is read is told.
  vi.stubGlobal("EventSource", Source);
  vi.stubGlobal("BroadcastChannel", undefined);
  phone.worker = WORKER;
  technician = "C1-A";
  setLanguage("zh");
  await heard({ state: "accepted", alarmed_again_ms: null });
  hush();
});
afterEach(() => {
  strike();
  silence();
});

it.each(["accepted", "on_site", "made_safe", "cause_recorded", "tightness_passed", "restored"])("rings for one who has come to %s, and says what it is", async (state) => {
  await show(App);
  expect(await heard({ state, ...ANEW })).toBe(1);
  await until(() => expect(said()).toContain("现场再次泄漏报警"));
  expect(said()).toContain("室内人员立即撤出");
  setLanguage("en");
  await until(() => expect(said()).toContain("everybody out at once"));
  button("Look").click();
  await until(() => expect([phone.ringing, phone.leaksAgain]).toEqual([[], []]));
  expect(await heard({ state, ...ANEW })).toBe(0);
  expect(await heard({ state, alarmed_again_ms: NOW - 1_000 })).toBe(1);
});

it("rings once, however often he signs in again, and for the next who holds the phone too", async () => {
  const stands = [{ state: "assigned" }, { state: "on_site", ...ANEW }];
  for (const each of stands) {
    expect(await heard(each)).toBe(each.state === "assigned" ? 0 : 1);
    hush();
    await forgetDay();
    expect([await heard(each), phone.ringing]).toEqual([0, []]);
  }
  technician = "C1-B";
  expect(await heard({ state: "on_site", ...ANEW })).toBe(1);
});

it("does not ring for a leak of before the place was made safe, and does for one after it", async () => {
  expect(await heard({ state: "cause_recorded", made_safe_ms: NOW - 1_000, ...ANEW })).toBe(0);
  expect(await heard({ state: "cause_recorded", made_safe_ms: NOW - 3_000, ...ANEW })).toBe(1);
});

it("does not ring for what he was told with the order, nor for one that is archived", async () => {
  expect(await heard({ state: "accepted", assigned_ms: NOW - 1_000, ...ANEW })).toBe(0);
  expect(await heard({ state: "archived", archived_ms: NOW - 1_000, ...ANEW })).toBe(0);
});

it("rings for a new order as before, and calls it one", async () => {
  await show(App);
  expect(await heard({ state: "assigned", order_no: "QX-2", assigned_ms: NOW })).toBe(1);
  await until(() => expect(said()).toContain("新抢修单"));
  expect(said()).not.toContain("再次");
});
