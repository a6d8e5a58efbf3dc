// @vitest-environment happy-dom
// A visit over midnight on a phone that sleeps, is closed and opened, and has no reception: the phone, its queue and its disk are the real
// ones; played are its clocks and the platform, which has the same time.
import "fake-indexeddb/auto";
import { expect, it, vi } from "vitest";
import { dayOf, order } from "./stage";

const MIN = 60_000;
vi.hoisted(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout", "clearTimeout", "performance", "Date"], now: Date.UTC(2026, 3, 2, 15, 58) }));

const told: { what: string; happenedMs: number }[] = [];
let reception = true;
let state = "assigned";

function platform(address: string, init: RequestInit = {}): Promise<Response> {
  if (!reception) return Promise.reject(new TypeError("Failed to fetch"));
  const path = address.replace("/api/v1", "");
  if (path === "/session") return Promise.resolve(Response.json({ user: { name: "he.ping", display: "何平", roles: ["technician"], technician_id: "C1-A" }, rights: [], csrf: "word", expires_ms: 0, now_ms: 0, demo: false }));
  if (path === "/field/orders") return Promise.resolve(Response.json(dayOf([order(Date.UTC(2026, 3, 2, 15, 57), { state })], Date.now())));
  const what = path.split("/").at(-1) ?? "";
  told.push({ what, happenedMs: (JSON.parse(String(init.body)) as { happened_ms: number }).happened_ms });
  state = { accept: "accepted", "on-site": "on_site", "made-safe": "made_safe", cause: "cause_recorded" }[what] ?? state;
  return Promise.resolve(Response.json({ request_id: "r", answer: {} }));
}

let listened: [EventTarget, string, EventListener][] = [];
for (const target of [globalThis, document] as EventTarget[]) {
  const own = target.addEventListener.bind(target);
  vi.spyOn(target, "addEventListener").mockImplementation((kind, take) => {
    listened.push([target, kind, take as EventListener]);
    own(kind, take);
  });
}

/** The app is opened; whatever it was before is over. */
async function life(): Promise<typeof import("./phone")> {
  const at = Date.now();
  vi.clearAllTimers();
  vi.setSystemTime(at);
  for (const [target, kind, take] of listened) target.removeEventListener(kind, take);
  listened = [];
  vi.resetModules();
  const opened = await import("./phone");
  await opened.startPhone();
  return opened;
}
const until = (look: () => void): Promise<void> => vi.waitFor(look, { timeout: 60_000, interval: 20 });
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
/** Its wall clock goes on, its monotonic one stands still. */
const sleep = (ms: number) => void vi.setSystemTime(Date.now() + ms);

it("is told in order with its true times, however long nobody could hear it", async () => {
  vi.stubGlobal("fetch", platform);
  vi.stubGlobal("BroadcastChannel", undefined);
  vi.stubGlobal("EventSource", class extends EventTarget {
    readyState = 0;
    close(): void {}
  });
  const done: { what: string; happenedMs: number }[] = [];
  const act = async (on: typeof import("./phone"), what: "accept" | "on-site" | "made-safe" | "cause") => {
    done.push({ what, happenedMs: Date.now() });
    const its = on.orderOf("QX-1");
    expect(its).not.toBeNull();
    expect(await on.act(its as never, what)).toBe(true);
  };

  let phone = await life();
  await act(phone, "accept");
  await until(() => expect([told, phone.waiting.value]).toEqual([done, 0]));

  reception = false;
  await pass(MIN);
  await act(phone, "on-site");
  sleep(20 * MIN);
  await pass(5000);
  await act(phone, "made-safe");
  expect(new Date(Date.now()).toISOString()).toContain("2026-04-02T16:1");
  expect(phone.stateOf(phone.orderOf("QX-1") as never)).toBe("made_safe");

  // Closed after midnight, opened without reception: yesterday's order is there, with all that was done.
  sleep(30 * MIN);
  phone = await life();
  expect(phone.waiting.value).toBe(2);
  expect(phone.stateOf(phone.orderOf("QX-1") as never)).toBe("made_safe");
  await pass(10 * MIN);
  await act(phone, "cause");
  sleep(60 * MIN);
  await pass(5000);
  expect(told).toHaveLength(1);

  reception = true;
  dispatchEvent(new Event("online"));
  await until(() => expect(phone.waiting.value).toBe(0));
  expect(told).toEqual(done);
  expect(phone.conflicts.value).toEqual([]);
}, 60_000);
