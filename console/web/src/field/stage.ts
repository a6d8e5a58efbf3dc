// The stage of the tests of the technician's pages: a phone that begins without reception, with an order of today on its disk. The
// phone, its queue and its disk are the real ones; only what lies outside of it is played.

import "fake-indexeddb/auto";
import { vi } from "vitest";
import { createApp, type App, type Component } from "vue";
import { createMemoryHistory, createRouter } from "vue-router";
import { clockHeard } from "@/shared/clock";
import { i18n, setLanguage } from "@/shared/i18n";
import { startStream, stopStream } from "@/shared/stream";
import { Source } from "@/shared/wireStage";
import "@/shared/messages";
import "./messages";
import { startPhone, type Worker } from "./phone";
import { openKept, type Kept } from "./queue/kept";
import type { Day, FieldOrder, Live } from "./work/model";

export const WORKER: Worker = { name: "he.ping", display: "何平", technicianId: "C1-A", crewId: "C1" };
const words = (zh: string, en: string) => ({ zh, en });

export function live(heardMs: number, changes: Partial<Live> = {}): Live {
  return {
    order_no: "QX-1", now_ms: heardMs, state: "assigned", incident_open: true, alarm_lel: 10, last_leak_ms: 1000, valve: "reported_closed", valve_words: words("表已报关阀", "reported closed"),
    detectors: [{ device_id: "D1", ch4_lel: 9, state: "normal", heard_ms: heardMs }], meter: { device_id: "M1", valve: "closed", cause: "command", heard_ms: heardMs, flow_m3h: null },
    close_sent_ms: heardMs - 60_000, answer_due_ms: null, proof: "holds", proof_words: words("已关严", "it holds"), proof_due_ms: null, holds_ms: heardMs - 50_000, clearing: "clearing", clearing_words: words("浓度在下降", "it clears"),
    before_meter: false, opened_ms: null, opening: null, against_opening: [], ...changes,
  } as Live;
}

export function order(heardMs: number, changes: Partial<FieldOrder> = {}): FieldOrder {
  return {
    order_no: "QX-1", kind: "emergency", state: "assigned", simulated: false, created_ms: heardMs - 60_000, assigned_ms: heardMs - 50_000, archived_ms: null, ch4_lel: 14,
    place: { address_zh: "松岚小区 201", address_en: "201" }, home: null, contacts: [], attachments: [], steps: [], valve: "reported_closed", revisit_due_ms: null,
    live: live(heardMs), ...changes,
  } as unknown as FieldOrder;
}

export function dayOf(orders: FieldOrder[], nowMs: number): Day {
  const rules = { safe_reading_lel: 10, tightness_minutes: 3, tightness_start_kpa: 2, tightness_drop_kpa: 0, gauge_resolution_kpa: 0.05 };
  return { technician_id: "C1-A", crew_id: "C1", name: "何平", now_ms: nowMs, desk_phone: "95158", rules, orders } as unknown as Day;
}

/** The app is started in a stairwell without reception. Once a test file. */
export async function begin(orders: FieldOrder[], worker: Worker = WORKER): Promise<Kept> {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
  setLanguage("zh");
  const kept = await openKept();
  await kept.setNote("day", dayOf(orders, Date.now()));
  await kept.setNote("worker", worker);
  await startPhone();
  return kept;
}

/** The stream is heard, until `silence`; `counted`: by a clock that the test moves. */
export function reception(nowMs: number, counted = false): void {
  vi.stubGlobal("EventSource", Source);
  vi.stubGlobal("BroadcastChannel", undefined);
  // Nobody counts how long ago that was: on a busy machine it would be silence at any moment.
  const counting = counted ? null : vi.spyOn(globalThis, "setInterval").mockReturnValue(0 as never);
  startStream("word");
  counting?.mockRestore();
  Source.last.open();
  const word = { now_ms: nowMs, rate: 1, live: true, since_ms: null };
  clockHeard(word);
  Source.last.say("clock", word);
}
export const silence = (): void => stopStream();

let app: App | null = null;

export async function show(page: Component, props: Record<string, unknown> = {}): Promise<HTMLElement> {
  strike();
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: "/:rest(.*)*", component: { render: () => null } }] });
  await router.push("/");
  const root = document.body.appendChild(document.createElement("div"));
  app = createApp(page, props);
  app.use(i18n).use(router).mount(root);
  return root;
}

export function strike(): void {
  app?.unmount();
  app = null;
  document.body.innerHTML = "";
}

export function button(text: string): HTMLButtonElement {
  const found = [...document.querySelectorAll("button")].find((each) => each.textContent?.trim() === text);
  if (!found) throw new Error(`no button ${text}: ${document.body.textContent}`);
  return found;
}

export function write(label: string, value: string): void {
  const field = [...document.querySelectorAll("label")].find((each) => each.textContent?.includes(label))?.querySelector<HTMLInputElement>("input, textarea");
  if (!field) throw new Error(`no field ${label}`);
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
