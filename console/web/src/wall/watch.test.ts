// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { effectScope, type EffectScope } from "vue";
import { serverNow } from "@/shared/clock";
import { startStream, stopStream } from "@/shared/stream";
import { Source } from "@/shared/wireStage";
import { estate, incident, overview } from "./stage";
import type { Incident } from "./things";
import { useWatch } from "./watch";

/** The console, as far as the wall asks it: pages of incidents in their order, and what a test wants to fail. */
class Console {
  open: Incident[] = [];
  failing = new Set<string>();
  asked: string[] = [];
  /** Held answers: a page of incidents comes when the test lets it. */
  gate: Promise<void> | null = null;

  readonly answer = async (address: string): Promise<Response> => {
    const url = new URL(address, "http://console");
    const path = url.pathname.replace("/api/v1", "");
    this.asked.push(path);
    if (path === "/incidents" && url.searchParams.has("after") && this.gate) await this.gate;
    if (this.failing.has(path)) return Response.json({ reason: "away" }, { status: 503 });
    return Response.json(this.body(path, url.searchParams));
  };

  private body(path: string, query: URLSearchParams): unknown {
    if (path === "/overview") return overview({ incidents_open: this.open.length });
    if (path === "/promise") return { day: "2026-04-02", leaks: 0 };
    if (path === "/map") return { districts: [], boundary: null };
    if (path === "/map/estates") return { items: [estate()] };
    const from = Number(query.get("after") ?? 0);
    const to = from + Number(query.get("limit"));
    return { items: this.open.slice(from, to), next: to < this.open.length ? String(to) : null };
  }
}

let scope: EffectScope;
let platform: Console;

beforeEach(() => {
  vi.useFakeTimers();
  platform = new Console();
  vi.stubGlobal("fetch", platform.answer);
  vi.stubGlobal("EventSource", Source);
  // A browser whose tabs cannot share one connection: every tab has its own.
  vi.stubGlobal("BroadcastChannel", undefined);
  scope = effectScope();
  startStream();
  queueMicrotask(() => Source.last.open());
});
afterEach(() => {
  scope.stop();
  stopStream();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const many = (number: number) => Array.from({ length: number }, (_, index) => incident({ incident_id: `i${index}` }));

async function begin() {
  const watched = scope.run(useWatch);
  if (!watched) throw new Error("no scope");
  await vi.advanceTimersByTimeAsync(600);
  return watched;
}

describe("what the wall watches", () => {
  it("is all there after the first reading", async () => {
    platform.open = many(2);
    const { incidents, complete, overview: figures, estates, promises, notice } = await begin();
    expect(incidents.value).toHaveLength(2);
    expect([complete.value, figures.value?.incidents_open, estates.value.length, promises.value?.leaks]).toEqual([true, 2, 1, 0]);
    expect(notice.value).toBeNull();
  });

  it("shows the first page before the others have come, and is not complete until they have", async () => {
    platform.open = many(600);
    let letGo = (): void => undefined;
    platform.gate = new Promise((resolve) => (letGo = resolve));
    const { incidents, complete } = await begin();
    expect(incidents.value).toHaveLength(50);
    expect(complete.value).toBe(false);
    letGo();
    await vi.advanceTimersByTimeAsync(1000);
    expect(incidents.value).toHaveLength(600);
    expect(complete.value).toBe(true);
  });

  it("takes a new incident while the rest is still being read, and says that it is new", async () => {
    platform.open = many(600);
    platform.gate = new Promise(() => undefined);
    const { incidents, notice } = await begin();
    Source.last.say("incident", incident({ incident_id: "i599" }));
    Source.last.say("incident", incident({ incident_id: "new", received_ms: serverNow() + 1 }));
    await vi.advanceTimersByTimeAsync(200);
    expect(incidents.value.map((one) => one.incident_id)).toContain("new");
    expect(notice.value?.incidents.map((one) => one.incident_id)).toEqual(["new"]);
  });

  it("says that one which it knows alarms anew, also one of a page that is still being read", async () => {
    platform.open = many(600);
    platform.gate = new Promise(() => undefined);
    const { notice } = await begin();
    const anew = { alarmed_again_ms: serverNow() + 1 };
    Source.last.say("incident", incident({ incident_id: "i0", ...anew }));
    Source.last.say("incident", incident({ incident_id: "i599", ...anew }));
    await vi.advanceTimersByTimeAsync(200);
    expect(notice.value?.incidents.map((one) => one.incident_id)).toEqual(["i0", "i599"]);
  });

  it("drops an incident that closes, and says nothing of a change of one that it knows", async () => {
    platform.open = many(2);
    const { incidents, notice } = await begin();
    Source.last.say("incident", incident({ incident_id: "i0", state: "closed" }));
    Source.last.say("incident", incident({ incident_id: "i1", valve: "reported_closed" }));
    await vi.advanceTimersByTimeAsync(200);
    expect(incidents.value.map((one) => [one.incident_id, one.valve])).toEqual([["i1", "reported_closed"]]);
    expect(notice.value).toBeNull();
  });

  it("reads everything again when something may have been missed, and says what is new in it", async () => {
    platform.open = many(1);
    const { incidents, notice } = await begin();
    platform.open = [incident({ incident_id: "missed" })];
    Source.last.say("resync", {});
    await vi.advanceTimersByTimeAsync(600);
    expect(incidents.value.map((one) => one.incident_id)).toEqual(["missed"]);
    expect(notice.value?.incidents.map((one) => one.incident_id)).toEqual(["missed"]);
  });

  it("does without map and promises, and asks for the map again", async () => {
    platform.open = many(1);
    platform.failing = new Set(["/map/estates", "/promise"]);
    const { incidents, complete, estates, promises, live } = await begin();
    expect([incidents.value.length, complete.value, live.problem.value]).toEqual([1, true, null]);
    expect([estates.value.length, promises.value]).toEqual([0, null]);
    platform.failing.clear();
    await vi.advanceTimersByTimeAsync(2_500);
    expect(estates.value).toHaveLength(1);
  });

  it("is not complete while incidents cannot be read, and says so", async () => {
    platform.failing = new Set(["/incidents"]);
    const { complete, live } = await begin();
    expect([complete.value, live.ready.value, live.problem.value?.status]).toEqual([false, false, 503]);
    platform.failing.clear();
    await vi.advanceTimersByTimeAsync(3_000);
    expect([complete.value, live.problem.value]).toEqual([true, null]);
  });

  it("asks nothing more once it is left", async () => {
    await begin();
    scope.stop();
    stopStream();
    platform.asked = [];
    await vi.advanceTimersByTimeAsync(70_000);
    expect(platform.asked).toEqual([]);
  });
});
