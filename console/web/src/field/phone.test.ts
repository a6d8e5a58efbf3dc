// @vitest-environment happy-dom
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { nextTick } from "vue";
import { setLanguage } from "@/shared/i18n";
import App from "./App.vue";
import StepCard from "./parts/StepCard.vue";
import DayView from "./views/DayView.vue";
import { act, acts, day, draft, forgetDay, keepDraft, orderOf, phone, stateOf } from "./phone";
import type { Kept } from "./queue/kept";
import { act as anAct } from "./queue/stage";
import { begin, button, dayOf, order, show, strike, WORKER, write } from "./stage";
import type { FieldOrder } from "./work/model";

let kept: Kept;
const said = (): string => document.body.textContent ?? "";
const until = <T>(look: () => T): Promise<T> => vi.waitFor(look, { timeout: 4000, interval: 10 });
const mine = (): FieldOrder => orderOf("QX-1") as FieldOrder;
const lost = (): never => {
  throw new DOMException("Connection to Indexed Database server lost. Refresh the page to try again", "UnknownError");
};

beforeAll(async () => {
  kept = await begin([order(Date.now())], { ...WORKER, demo: true });
});
beforeEach(async () => {
  phone.worker = { ...WORKER, demo: true };
  day.value = dayOf([order(Date.now())], Date.now());
});
afterEach(async () => {
  strike();
  vi.restoreAllMocks();
  phone.notKept = null;
  const past = { orderNo: "QX-1", what: "accept", happenedMs: null, end: "dropped", atMs: 0, refused: null } as const;
  for (const each of await kept.acts()) await kept.end(each, past);
  acts.value = [];
});

describe("a step that cannot be kept on the phone", () => {
  it("is said plainly, and is no step", async () => {
    await show(App);
    const spy = vi.spyOn(IDBDatabase.prototype, "transaction").mockImplementation(lost);
    expect(await act(mine(), "accept")).toBe(false);
    await until(() => expect(said()).toContain("“接单”没有保存在本机，也不会上报"));
    expect(stateOf(mine())).toBe("assigned");
    spy.mockRestore();
    button("知道了").click();
    await until(() => expect(phone.notKept).toBeNull());
    expect(await act(mine(), "accept")).toBe(true);
    expect(stateOf(mine())).toBe("accepted");
  });

  it("leaves in its field what was written", async () => {
    await show(StepCard, { order: mine(), state: "on_site", inside: true, door: null });
    write("室内读数", "1.5");
    write("说明", "阀门已关");
    await nextTick();
    const spy = vi.spyOn(IDBDatabase.prototype, "transaction").mockImplementation(lost);
    button("已控制").click();
    await until(() => expect(phone.notKept).toBe("made-safe"));
    spy.mockRestore();
    expect(document.querySelector("textarea")?.value).toBe("阀门已关");
  });

  it("shows that notes cannot be kept either, until they can", async () => {
    await show(App);
    const spy = vi.spyOn(IDBDatabase.prototype, "transaction").mockImplementation(lost);
    await keepDraft("test:QX-1", {});
    await until(() => expect(said()).toContain("本机存储出错"));
    spy.mockRestore();
    await keepDraft("test:QX-1", {});
    await until(() => expect(said()).not.toContain("本机存储出错"));
  });
});

it("accepts once, however often it is tapped", async () => {
  await show(DayView);
  const tapped = button("接单");
  tapped.click();
  tapped.click();
  void act(mine(), "accept");
  await until(() => expect(stateOf(mine())).toBe("accepted"));
  // What is taken after it stands behind whatever the taps have left.
  await act(mine(), "on-site");
  expect((await kept.acts()).map((each) => each.what)).toEqual(["accept", "on-site"]);
});

describe("the reading taken outside", () => {
  const door = { lel: 1.23, atMs: Date.UTC(2026, 3, 2, 9, 3), who: "C1-A" };

  it.each([
    ["", "门外 1.2 %LEL 17:03 / outside 1.2 %LEL 17:03"],
    ["阀门已关 / aired", "门外/outside 1.2 %LEL 17:03；阀门已关/aired"],
  ])("goes with made safe beside the note %o", async (own, note) => {
    await show(StepCard, { order: mine(), state: "on_site", inside: true, door });
    write("室内读数", "2");
    write("说明", own);
    await nextTick();
    button("已控制").click();
    await until(() => expect(acts.value.map((each) => each.body)).toEqual([{ reading_lel: 2, note }]));
  });

  it("does not outlive the technician's session on this phone", async () => {
    await keepDraft("door:QX-1", door);
    await keepDraft("test:QX-1", { start: "2.5" });
    expect(await draft("door:QX-1")).toEqual(door);
    await forgetDay();
    expect(await draft("door:QX-1")).toBeUndefined();
    expect(await draft("test:QX-1")).toEqual({ start: "2.5" });
  });
});

it("says on every page that it is a demonstration, also without reception", async () => {
  await show(App);
  expect(document.querySelector("header .demo")?.textContent).toContain("演示：住户、电话和抢修队均为模拟");
  phone.worker = WORKER;
  await nextTick();
  expect(document.querySelector("header .demo")).toBeNull();
});

it("says at the top how much was refused, in words", async () => {
  acts.value = [anAct(1, { refused: { status: 409, reason: "not_so", zh: "不行", en: "no", atMs: 5 } }), anAct(2, { what: "on-site" })];
  await show(App);
  const top = (): string => document.querySelector(".net")?.textContent?.replace(/\s+/g, " ") ?? "";
  expect(top()).toContain("· 1 项待上报 · ! 1 项被拒");
  setLanguage("en");
  await nextTick();
  expect(top()).toContain("· ! 1 refused");
  setLanguage("zh");
});
