// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { effectScope } from "vue";
import { get } from "./api";
import { serverNow } from "./clock";
import type { Incident } from "./model";
import { since, stale, startStream, state, stopStream, useLive } from "./stream";
import { Source } from "./wireStage";

const NOW = 1_775_120_400_000;

const wire = () => Source.last;
const beat = (more: object = {}): void => wire().say("clock", { now_ms: NOW, rate: 1, live: true, since_ms: null, ...more });

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("EventSource", Source);
  // A browser that cannot share one connection between tabs; how it is shared is told in wire.test.ts.
  vi.stubGlobal("BroadcastChannel", undefined);
  vi.stubGlobal("fetch", async () => new Response("{}", { status: 200 }));
  Source.made = [];
  startStream();
});
afterEach(() => {
  stopStream();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("freshness", () => {
  it("is live while the server speaks, and its clock is the page's", async () => {
    wire().open();
    beat();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(state.value).toBe("live");
    expect(serverNow()).toBe(NOW + 1_000);
  });

  it("is stale before three seconds of silence are over, since the server's last word", async () => {
    wire().open();
    beat();
    await vi.advanceTimersByTimeAsync(2_600);
    expect(stale.value).toBe(false);
    await vi.advanceTimersByTimeAsync(399);
    expect([stale.value, since.value]).toEqual([true, NOW]);
  });

  it("is deaf at once when the platform cannot hear its database, since then", async () => {
    wire().open();
    beat({ live: false, since_ms: NOW - 4_000 });
    expect([state.value, stale.value, since.value]).toEqual(["deaf", true, NOW - 4_000]);
  });

  it("is stale where nobody ever answered, and a dead connection is opened anew", async () => {
    await vi.advanceTimersByTimeAsync(3_000);
    expect([state.value, since.value === null || since.value > 0]).toEqual(["stale", true]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(Source.made.length).toBe(2);
    wire().open();
    beat();
    expect(state.value).toBe("live");
  });
});

describe("a page that follows", () => {
  const incident = (id: string) => ({ incident_id: id }) as Incident;

  it("reads once the stream is open, and hears everything after that", async () => {
    const heard: string[] = [];
    const scope = effectScope();
    wire().open();
    beat();
    const read = vi.fn(async () => void heard.push("read"));
    scope.run(() => useLive(read, { incident: (each) => void heard.push(each.incident_id) }));
    await vi.advanceTimersByTimeAsync(20);
    wire().say("incident", incident("a"));
    expect(heard).toEqual(["read", "a"]);
    scope.stop();
    wire().say("incident", incident("b"));
    expect(heard).toEqual(["read", "a"]);
  });

  it("is told what came during a reading after it, not before", async () => {
    const heard: string[] = [];
    const scope = effectScope();
    let end: () => void = () => undefined;
    scope.run(() => useLive(() => new Promise<void>((resolve) => (end = resolve)), { incident: (each) => void heard.push(each.incident_id) }));
    wire().open();
    await vi.advanceTimersByTimeAsync(50);
    wire().say("incident", incident("during"));
    expect(heard).toEqual([]);
    end();
    await vi.advanceTimersByTimeAsync(1);
    expect(heard).toEqual(["during"]);
    scope.stop();
  });

  it("reads again when something may have been missed, but not when the browser came back by itself", async () => {
    const scope = effectScope();
    const read = vi.fn(async () => undefined);
    wire().open();
    scope.run(() => useLive(read));
    await vi.advanceTimersByTimeAsync(50);
    expect(read).toHaveBeenCalledTimes(1);
    wire().open();
    await vi.advanceTimersByTimeAsync(50);
    expect(read).toHaveBeenCalledTimes(1);
    wire().say("resync", { reason: "too_slow" });
    await vi.advanceTimersByTimeAsync(50);
    expect(read).toHaveBeenCalledTimes(2);
    scope.stop();
  });

  it("waits behind no reading that hangs: it is said, what came meanwhile is handed on, and it is tried again", async () => {
    const heard: string[] = [];
    const answers: (Promise<Response> | null)[] = [null, Promise.resolve(Response.json({}))];
    vi.stubGlobal("fetch", (_: string, init: RequestInit) =>
      answers.shift() ?? new Promise((_resolve, reject) => init.signal?.addEventListener("abort", () => reject(init.signal?.reason as Error))),
    );
    const scope = effectScope();
    wire().open();
    const live = scope.run(() => useLive(async () => void (await get("/incidents")), { incident: (each) => void heard.push(each.incident_id) }));
    await vi.advanceTimersByTimeAsync(50);
    wire().say("incident", incident("during"));
    await vi.advanceTimersByTimeAsync(19_000);
    expect([heard, live?.problem.value]).toEqual([[], null]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(heard).toEqual(["during"]);
    expect(live?.problem.value?.reason).toBe("no_answer");
    await vi.advanceTimersByTimeAsync(2_000);
    expect([live?.ready.value, live?.problem.value]).toEqual([true, null]);
    scope.stop();
  });

  it("tries a failed reading again and says meanwhile what is wrong", async () => {
    const scope = effectScope();
    let fails = true;
    wire().open();
    const live = scope.run(() => useLive(async () => {
      if (fails) throw new Error("away");
    }));
    await vi.advanceTimersByTimeAsync(50);
    expect([live?.ready.value, live?.problem.value?.en]).toEqual([false, "a fault of this page: away"]);
    fails = false;
    await vi.advanceTimersByTimeAsync(2_100);
    expect([live?.ready.value, live?.problem.value]).toEqual([true, null]);
    scope.stop();
  });
});
