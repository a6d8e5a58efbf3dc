// @vitest-environment happy-dom
// A leak that comes anew in an incident that everybody has seen is told and sounded as loudly as a new one; one that lasts is not.
import { afterEach, expect, it, vi } from "vitest";
import { wanting } from "@/router";
import { setLanguage } from "@/shared/i18n";
import { NOW, stage, strike, until, type Stage } from "./more/stage";
import { find, loaded, sorted, unacknowledged } from "./open";
import Row from "./Row.vue";
import Watch from "./Watch.vue";

const tones = vi.hoisted(() => ({ alarm: vi.fn(), reminder: vi.fn() }));
vi.mock("./sound", async () => {
  const { shallowRef } = await import("vue");
  return { sound: shallowRef("on"), alarmTone: tones.alarm, reminderTone: tones.reminder, toggleSound: () => undefined };
});

const both = (zh: string, en = zh) => ({ zh, en });
const SEEN = { by: "李值班", at_ms: NOW - 50_000 };
const ANEW = { alarmed_again_ms: NOW - 1_000 };
const incident = (id: string, told: object = {}) => ({
  incident_id: id, kind: "leak", kind_words: both("燃气泄漏", "gas leak"), state: "open", home_id: "H1", address_zh: `松岚小区 ${id}`, address_en: `Songlan ${id}`, simulated: false,
  received_ms: NOW - 60_000, closed_ms: null, ch4_lel: 12, clocks: { T0: NOW - 60_000 }, aliases: [], acknowledged: null, alarmed_again_ms: null, close_sent_ms: NOW - 59_000,
  valve: "reported_closed", valve_words: both("表已报关阀"), proof: "holds", clearing: "clearing", before_meter_ms: null, answer_due_ms: null, call: null, order: null, ...told,
});
const page = (...items: object[]) => ({ items, next: null });

let clock = 0;
async function desk(...items: object[]): Promise<Stage> {
  tones.alarm.mockClear();
  // Between two tests more passes than keeps a storm to one tone.
  clock += 10_000;
  vi.spyOn(performance, "now").mockImplementation(() => clock);
  const on = await stage(Watch, {}, { "GET /incidents": page(...items) });
  await until(() => expect(loaded.value).toBe(true));
  return on;
}
const announced = (): string => document.querySelector("[role=log]")?.textContent ?? "";

afterEach(() => {
  strike();
  vi.restoreAllMocks();
});

it("sounds, says and counts a seen incident that alarms anew, first in the list; its repeats are silent", async () => {
  const on = await desk(incident("a", { acknowledged: SEEN }), incident("b", { acknowledged: SEEN, valve: "gas_still_flows" }));
  await until(() => expect(sorted.value.map((each) => each.incident_id)).toEqual(["b", "a"]));
  expect([unacknowledged.value, wanting.value]).toEqual([0, 0]);
  on.tell("incident", incident("a", { acknowledged: SEEN, last_leak_ms: NOW }));
  await until(() => expect(find("a")).toMatchObject({ last_leak_ms: NOW }));
  expect([tones.alarm.mock.calls.length, announced()]).toEqual([0, ""]);

  on.tell("incident", incident("a", ANEW));
  await until(() => expect(announced()).toContain("再次报警：松岚小区 a，燃气泄漏"));
  expect(tones.alarm).toHaveBeenCalledTimes(1);
  await until(() => expect([unacknowledged.value, wanting.value]).toEqual([1, 1]));
  expect(sorted.value.map((each) => each.incident_id)).toEqual(["a", "b"]);
  clock += 10_000;
  on.tell("incident", incident("a", { ...ANEW, last_leak_ms: NOW + 10_000 }));
  on.tell("incident", incident("a", { ...ANEW, acknowledged: SEEN }));
  await until(() => expect(unacknowledged.value).toBe(0));
  expect(tones.alarm).toHaveBeenCalledTimes(1);
});

it("is missed over no break of the stream, and is told once", async () => {
  const on = await desk(incident("a", { acknowledged: SEEN }));
  on.answer("GET /incidents", page(incident("a", ANEW)));
  on.tell("resync", {});
  await until(() => expect(tones.alarm).toHaveBeenCalledTimes(1));
  clock += 10_000;
  on.tell("resync", {});
  await until(() => expect(on.to("GET /incidents")).toHaveLength(3));
  // What somebody read before it came, and is heard late, makes no new one of it.
  on.tell("incident", incident("a", { acknowledged: SEEN }));
  on.tell("incident", incident("a", ANEW));
  on.tell("incident", incident("end", { acknowledged: SEEN }));
  await until(() => expect(find("end")).toBeDefined());
  expect(tones.alarm).toHaveBeenCalledTimes(1);
});

it("is no new one to a page that is opened after it", async () => {
  await desk(incident("a", ANEW));
  await until(() => expect(unacknowledged.value).toBe(1));
  expect([tones.alarm.mock.calls.length, announced()]).toEqual([0, ""]);
});

it("is one tone, however many come anew at once", async () => {
  const ids = Array.from({ length: 200 }, (_, index) => `i${index}`);
  const on = await desk(...ids.map((id) => incident(id, { acknowledged: SEEN })));
  for (const id of ids) on.tell("incident", incident(id, ANEW));
  await until(() => expect(unacknowledged.value).toBe(200));
  expect(tones.alarm).toHaveBeenCalledTimes(1);
});

it("stands in its row with the time, in both languages", async () => {
  const on = await stage(Row, { incident: incident("a", ANEW), selected: false }, {}, { rights: ["read", "remark"] });
  expect(on.says("再次报警")).toBe(true);
  expect(on.button("知悉")).toBeDefined();
  setLanguage("en");
  await until(() => expect(on.says("alarm again at")).toBe(true));
});
