// @vitest-environment happy-dom
// What was measured or written before gas leaked anew, or for another order, stands ready for nothing; and what was refused is read somewhere.
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { defineComponent, h, nextTick, shallowRef } from "vue";
import { setLanguage } from "@/shared/i18n";
import { timeOf } from "@/shared/format";
import { acts, day, draft, keepDraft, phone } from "../phone";
import type { Kept } from "../queue/kept";
import type { Act } from "../queue/act";
import { act } from "../queue/stage";
import { begin, button, dayOf, live, order, reception, show, silence, strike, WORKER, write } from "../stage";
import { trueNow } from "../time";
import type { FieldOrder, Live } from "../work/model";
import DayView from "./DayView.vue";
import OrderView from "./OrderView.vue";

const MIN = 60_000;
let kept: Kept;
const orderNo = shallowRef("QX-1");
const Page = defineComponent({ render: () => h(OrderView, { orderNo: orderNo.value }) });
const said = (): string => document.body.textContent ?? "";
const until = <T>(look: () => T): Promise<T> => vi.waitFor(look, { timeout: 4000, interval: 10 });
const field = (label: string): HTMLInputElement | null =>
  [...document.querySelectorAll("label")].find((each) => each.textContent?.includes(label))?.querySelector<HTMLInputElement>("input, textarea") ?? null;

/** The orders as the platform gives them now. */
async function stands(...changes: (Partial<FieldOrder> & { leakMs?: number })[]): Promise<void> {
  const now = trueNow();
  day.value = dayOf(changes.map(({ leakMs = 1000, ...more }) => order(now, { live: live(now, { last_leak_ms: leakMs }), ...more })), now);
  await nextTick();
}
async function outside(no: string): Promise<void> {
  await keepDraft(`door:${no}`, { lel: 1, atMs: trueNow(), who: "C1-A" });
}

beforeAll(async () => void (kept = await begin([order(Date.now())])));
beforeEach(async () => {
  phone.worker = WORKER;
  orderNo.value = "QX-1";
  acts.value = [];
  await stands({ state: "on_site" });
});
afterEach(async () => {
  strike();
  silence();
  await kept.dropNotes("draft:");
});

describe("when gas leaks anew", () => {
  it("the reading of before is gone, also where the order was made safe by it", async () => {
    await outside("QX-1");
    await show(Page);
    await until(() => expect(field("室内读数")).not.toBeNull());
    write("室内读数", "0.5");
    await nextTick();
    expect(button("已控制").disabled).toBe(false);
    await stands({ state: "made_safe" });
    await stands({ state: "on_site", leakMs: trueNow() });
    expect([field("室内读数"), said().includes("请退出并重新测量")]).toEqual([null, true]);
    await vi.waitUntil(() => trueNow() > (day.value?.orders[0]?.live.last_leak_ms ?? 0));
    write("门外读数", "1");
    await nextTick();
    button("确认读数").click();
    await until(() => expect(field("室内读数")?.value).toBe(""));
    expect(button("已控制").disabled).toBe(true);
  });

  it("what he has typed at the door and not yet entered is gone", async () => {
    await show(Page);
    write("门外读数", "1");
    await nextTick();
    await stands({ state: "on_site", leakMs: trueNow() });
    expect([field("门外读数")?.value, button("确认读数").disabled]).toEqual(["", true]);
  });

  it("it is said that it was cleared and by which alarm, at each alarm, until a reading is confirmed", async () => {
    const line = (): string | undefined => document.querySelector("form [role=status]")?.textContent ?? undefined;
    await stands({ state: "on_site", leakMs: trueNow() - 3 * MIN });
    await show(Page);
    await draft("door:QX-1");
    // Nothing was typed: nothing was taken from him.
    await stands({ state: "on_site", leakMs: trueNow() - 2 * MIN });
    expect(line()).toBe("");
    for (const [text, leakMs] of [["12", trueNow() - MIN], [".5", trueNow() - 1000]] as const) {
      write("门外读数", text);
      await stands({ state: "on_site", leakMs });
      expect(line()).toBe(`! ${timeOf(leakMs)} 又有泄漏报警，读数已清除，请重新测量`);
    }
    write("门外读数", "1");
    await nextTick();
    expect(line()).toContain("读数已清除");
    setLanguage("en");
    await nextTick();
    expect(line()).toMatch(/^! Leak alarm again at [0-9:]{8}: the reading was cleared, measure anew$/);
    setLanguage("zh");
    await nextTick();
    button("确认读数").click();
    await until(() => expect(said()).toContain("可以进入"));
    button("重新测量").click();
    await until(() => expect(line()).toBe(""));
  });

  it("an older word that is read late clears nothing, nor does the leak that was known when it is read again", async () => {
    const leakMs = trueNow() - MIN;
    await stands({ state: "on_site", leakMs });
    await outside("QX-1");
    await show(Page);
    await until(() => expect(field("室内读数")).not.toBeNull());
    write("室内读数", "0.5");
    for (const each of [leakMs - MIN, leakMs]) await stands({ state: "on_site", leakMs: each });
    expect(field("室内读数")?.value).toBe("0.5");
    await stands({ state: "on_site", leakMs: leakMs + 1 });
    expect(field("室内读数")?.value).toBe("");
  });

  it("the reading in its field is gone, while the page stays", async () => {
    await outside("QX-1");
    await show(Page);
    await until(() => expect(field("室内读数")).not.toBeNull());
    write("室内读数", "0.5");
    write("说明", "阀门已关");
    await stands({ state: "on_site", leakMs: trueNow() - MIN });
    expect([field("室内读数")?.value, field("说明")?.value, button("已控制").disabled]).toEqual(["", "", true]);
  });

  it("neither reading nor cause stands there when the step comes round again", async () => {
    await outside("QX-1");
    await show(Page);
    await until(() => expect(field("室内读数")).not.toBeNull());
    write("室内读数", "0.5");
    await stands({ state: "made_safe" });
    document.querySelector<HTMLButtonElement>("[role=radio]")?.click();
    await nextTick();
    expect(document.querySelectorAll("[aria-checked=true]")).toHaveLength(1);
    await stands({ state: "on_site" });
    expect(field("室内读数")?.value).toBe("");
    await stands({ state: "made_safe" });
    expect(document.querySelectorAll("[aria-checked=true]")).toHaveLength(0);
  });

  it("what he writes of a door that nobody opens stays: a leak that goes on is heard again and again", async () => {
    await show(Page);
    button("到访不遇").click();
    await nextTick();
    write("说明", "楼道 8 %LEL");
    await stands({ state: "on_site", leakMs: trueNow() });
    expect(field("说明")?.value).toBe("楼道 8 %LEL");
  });

  it("a tightness test that was begun before is void, and says so, while the page is open and when it is opened", async () => {
    const test = { start: "2.5", startedMs: trueNow() - 5 * MIN, readMs: null, readAt: null, end: "", writtenMs: trueNow() - 5 * MIN };
    await keepDraft("test:QX-1", test);
    await stands({ state: "cause_recorded" });
    await show(Page);
    await until(() => expect(document.querySelector(".timer")?.textContent).toMatch(/^5:/));
    await stands({ state: "cause_recorded", leakMs: trueNow() - 4 * MIN });
    expect([document.querySelector(".timer"), field("起始压力")?.value]).toEqual([null, ""]);
    expect(said()).toContain("试验开始之后又有泄漏报警");
    await until(async () => expect(await draft("test:QX-1")).toBeUndefined());
    await keepDraft("test:QX-1", test);
    strike();
    await show(Page);
    await until(() => expect(said()).toContain("试验开始之后又有泄漏报警"));
    expect(document.querySelector(".timer")).toBeNull();
    await stands({ state: "cause_recorded", leakMs: trueNow() - 6 * MIN });
    await keepDraft("test:QX-1", test);
    strike();
    await show(Page);
    await until(() => expect(document.querySelector(".timer")).not.toBeNull());
    expect(said()).not.toContain("试验开始之后");
  });
});

it("tells a test as of when the gauge was read, whenever it is entered", async () => {
  const now = trueNow();
  const readAt = { wallMs: now - 20 * MIN, monoMs: 0, life: "before", anchor: null };
  await keepDraft("test:QX-1", { start: "2.5", startedMs: now - 25 * MIN, readMs: now - 20 * MIN, readAt, end: "2.5", writtenMs: now });
  await stands({ state: "cause_recorded" });
  await show(Page);
  await until(() => button("提交试验结果").click());
  await until(() => expect(acts.value.map((each) => [each.what, each.body, each.stamp])).toEqual([["tightness-test", { start_kpa: 2.5, end_kpa: 2.5, minutes: 5 }, readAt]]));
  for (const each of await kept.acts()) await kept.end(each, { orderNo: "QX-1", what: each.what, happenedMs: null, end: "dropped", atMs: 0, refused: null });
});

it("carries nothing that was written for one order to the next", async () => {
  await stands({ state: "on_site" }, { order_no: "QX-2", state: "on_site" }, { order_no: "QX-3", state: "on_site" });
  await outside("QX-1");
  await outside("QX-2");
  await show(Page);
  await until(() => expect(field("室内读数")).not.toBeNull());
  write("室内读数", "0.5");
  orderNo.value = "QX-2";
  await until(() => expect([said().includes("QX-2"), field("室内读数")?.value]).toEqual([true, ""]));
  // At a door where nothing was measured, not even for a moment.
  orderNo.value = "QX-3";
  await nextTick();
  expect(said()).toContain("QX-3");
  expect(field("室内读数")).toBeNull();
  write("门外读数", "0.5");
  orderNo.value = "QX-1";
  await nextTick();
  orderNo.value = "QX-3";
  await nextTick();
  expect(field("门外读数")?.value).toBe("");
});

describe("what is to be closed by hand", () => {
  const BEFORE_METER = "疑似表前泄漏：请关闭户外立管阀，并通知邻居";
  const sticks = (state: string): Partial<FieldOrder> => ({ state, live: live(trueNow(), { valve: "accepted", proof: "none", before_meter: true }) });
  const notes = (): Element[] => [...document.querySelectorAll(".stack > .note.alarm")];
  const above = (one: Element | undefined, other: Element | null): boolean => !!one && !!other && (one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING) > 0;

  it("stands above the door and every step of the order, also after a low reading outside", async () => {
    await stands(sticks("accepted"));
    await show(Page);
    expect(notes().map((note) => note.textContent?.trim())).toEqual([`✕ ${BEFORE_METER}`, "✕ 阀门未确认切断：到场后请手动关阀 门外读数安全才进门；不能进入时，请关闭户外或立管阀门。"]);
    expect(above(notes()[1], document.querySelector("#door"))).toBe(true);
    strike();
    await outside("QX-1");
    await stands(sticks("on_site"));
    await show(Page);
    await until(() => expect(said()).toContain("可以进入"));
    for (const note of notes()) expect([note.getAttribute("role"), above(note, document.querySelector(".note.fine")), above(note, document.querySelector("#door"))]).toEqual(["alert", true, true]);
    expect([notes().length, said().split(BEFORE_METER).length]).toEqual([2, 2]);
  });

  it("is a red line of the order in the list of today, in both languages", async () => {
    const lines = (): (string | null)[] => [...document.querySelectorAll("a.open .bad.small")].map((line) => line.textContent);
    await stands(sticks("assigned"), { order_no: "QX-2", state: "assigned" });
    await show(DayView);
    expect(lines()).toEqual(["✕ 疑似表前泄漏：请关闭户外立管阀", "✕ 阀门未确认切断：到场后请手动关阀"]);
    setLanguage("en");
    await nextTick();
    expect(lines()).toEqual(["✕ Leak before the meter suspected: close the riser valve outside", "✕ The valve is not confirmed closed: close it by hand on site"]);
    setLanguage("zh");
  });
});

describe("what was refused of an order that is no longer his crew's", () => {
  const refused: Act = act(7, { orderNo: "QX-9", refused: { status: 404, reason: "not_found", zh: "没有这张抢修单", en: "there is no such order", atMs: 5 } });
  beforeEach(() => {
    acts.value = [refused, act(8, { orderNo: "QX-9", what: "on-site" }), act(9, { orderNo: "QX-9", what: "photo", refused: refused.refused })];
  });

  it("is read in the list of today, and may be told again or given up there", async () => {
    await show(DayView);
    const cards = [...document.querySelectorAll("[role=alert]")].map((card) => card.textContent ?? "");
    expect(cards).toHaveLength(2);
    expect(cards[0]).toContain("站点没有接受：接单");
    expect(cards[0]).toContain("没有这张抢修单");
    expect(cards[0]).toContain("本单后面还有 1 项");
    expect(cards[1]).toContain("站点没有接受：照片");
    expect(said()).toContain("抢修单 QX-9");
    expect(button("再报一次").disabled).toBe(false);
    button("放弃这一项").click();
    await nextTick();
    expect(button("放弃").disabled).toBe(false);
  });

  it("is read where he opens the order, and of an order that is his only there", async () => {
    orderNo.value = "QX-9";
    await show(Page);
    expect(said()).toContain("已不在本队今日名单中");
    expect(document.querySelectorAll("[role=alert]")).toHaveLength(2);
    acts.value = [{ ...refused, orderNo: "QX-1" }];
    strike();
    await show(DayView);
    expect(document.querySelectorAll("[role=alert]")).toHaveLength(0);
  });

  it("is named in its order's line of the list, each step once", async () => {
    const photo = act(8, { orderNo: "QX-1", what: "photo", refused: refused.refused });
    acts.value = [{ ...refused, orderNo: "QX-1" }, photo, { ...photo, no: 9, key: "key-9" }];
    await show(DayView);
    expect(document.querySelector("a.open .bad.small")?.textContent).toBe("! 站点没有接受：接单、照片");
    setLanguage("en");
    await nextTick();
    expect(document.querySelector("a.open .bad.small")?.textContent).toBe("! The station did not take: accept, photo");
    setLanguage("zh");
  });

  it("is told in sentences that end, in both languages", async () => {
    const when = (): string => [...document.querySelectorAll("[role=alert] p.small")].map((each) => each.textContent?.replace(/\s+/g, " ").trim())[0] ?? "";
    await show(DayView);
    expect(when()).toMatch(/^做于 08:00，08:00 被拒。 ?本单后面还有 1 项在等您处理。$/);
    setLanguage("en");
    await nextTick();
    expect(when()).toBe("Done 08:00, refused 08:00. Acts of this order that wait behind it for you: 1.");
    setLanguage("zh");
  });
});

describe("the methane in the list, where a home has more than one detector", () => {
  const detector = (device_id: string, ch4_lel: number | null, state = "normal") => ({ device_id, ch4_lel, state, heard_ms: trueNow() });
  const reads = async (...detectors: Live["detectors"]): Promise<string[]> => {
    reception(trueNow());
    await stands({ live: live(trueNow(), { detectors }) });
    await show(DayView);
    return [...document.querySelectorAll("a.open .small.gas, a.open .small.bad")].map((line) => line.textContent ?? "");
  };

  it("is the worst of them", async () => {
    expect((await reads(detector("kitchen", 0), detector("bath", 30)))[0]).toMatch(/^30 %LEL/);
  });

  it("is none of a blind one, which is named", async () => {
    const [gas, blind] = await reads(detector("kitchen", 0, "fault"), detector("bath", 3));
    expect(gas).toMatch(/^3 %LEL/);
    expect(blind).toContain("1 台探测器失效");
  });
});
