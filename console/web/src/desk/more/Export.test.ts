// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import Incidents from "../Incidents.vue";
import Board from "../orders/Board.vue";
import { dayOf, periodOf } from "./download";
import Export from "./Export.vue";
import { NOW, Refused, stage, strike, until, type Stage } from "./stage";

const taken: { name: string; file: Blob }[] = [];
let last: Blob | null = null;

beforeEach(() => {
  taken.length = 0;
  vi.stubGlobal("URL", Object.assign(URL, { createObjectURL: (file: Blob) => ((last = file), "blob:1"), revokeObjectURL: () => undefined }));
  vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
    if (this.download && last) taken.push({ name: this.download, file: last });
  });
});
afterEach(() => {
  strike();
  vi.restoreAllMocks();
});

const send = (on: Stage): HTMLButtonElement => on.find<HTMLButtonElement>(".el-dialog [type=submit]");
const board = { waiting: [], assigned: [], accepted: [], on_site: [], made_safe: [], tested: [], no_access: [] };

/** The console's answer to an export, or what keeps it from being one. */
function answering(answer: () => Response): void {
  const others = globalThis.fetch;
  vi.stubGlobal("fetch", async (address: string, init: RequestInit = {}) => {
    const told = await others(address, init);
    return address.includes("/exports/") ? answer() : told;
  });
}

describe("an export", () => {
  it("needs a reason and a period, and is saved under the name that the console gives it", async () => {
    const on = await stage(Export, { about: "orders" }, { "POST /exports/orders": {} });
    answering(() => new Response("\ufeff单号\r\n", { headers: { "Content-Disposition": 'attachment; filename="orders-1.csv"' } }));
    on.press("导出");
    await until(() => expect(send(on).disabled).toBe(true));
    on.write("导出的理由", "季度报表");
    await until(() => expect(send(on).disabled).toBe(false));
    on.write("起始日", "2026-03-31");
    on.write("截止日", "2026-03-30");
    await until(() => expect(send(on).disabled).toBe(true));
    expect(on.says("截止日不能早于起始日")).toBe(true);
    on.write("截止日", "2026-04-01");
    await until(() => expect(send(on).disabled).toBe(false));
    send(on).click();
    await until(() => expect(on.says("已导出 orders-1.csv")).toBe(true));
    const asked = { reason: "季度报表", from_ms: Date.parse("2026-03-30T16:00:00Z"), to_ms: Date.parse("2026-04-01T16:00:00Z"), language: "zh" };
    expect(on.to("POST /exports/orders").map((call) => call.body)).toEqual([asked]);
    expect(taken.map((each) => each.name)).toEqual(["orders-1.csv"]);
    expect(await taken[0]?.file.text()).toContain("单号");
  });

  it("begins with this month until today, by the server's clock", async () => {
    const on = await stage(Export, { about: "incidents" }, {});
    on.press("导出");
    await until(() => expect(on.find(".el-dialog")).not.toBeNull());
    const days = [...document.querySelectorAll<HTMLInputElement>("input[type=date]")].map((each) => each.value);
    expect(days).toEqual([`${dayOf(NOW).slice(0, 7)}-01`, dayOf(NOW)]);
  });

  it("that is refused or breaks off saves nothing and says why", async () => {
    const on = await stage(Export, { about: "incidents" }, { "POST /exports/incidents": new Refused(503, "database_away", "数据库暂时不可用", "the database is away") });
    on.press("导出");
    await until(() => on.write("导出的理由", "季度报表"));
    await until(() => expect(send(on).disabled).toBe(false));
    send(on).click();
    await until(() => expect(on.find("[role=alert]").textContent).toContain("数据库暂时不可用"));
    answering(() => new Response(new ReadableStream({ start: (controller) => controller.error(new TypeError("cut")) })));
    send(on).click();
    await until(() => expect(on.find("[role=alert]").textContent).toContain("下载中断"));
    expect(taken).toEqual([]);
    expect(on.says("已导出")).toBe(false);
  });

  it("says so where what it asks could not be fetched, and asks for it anew when it is pressed again", async () => {
    vi.doMock("./ExportAsk.vue", () => {
      throw new TypeError("Failed to fetch dynamically imported module");
    });
    const on = await stage(Export, { about: "orders" }, {});
    on.press("导出");
    await until(() => expect(on.find("[role=alert]").textContent).toContain("导出窗口未能加载"));
    vi.doUnmock("./ExportAsk.vue");
    on.press("导出");
    await until(() => expect(on.find(".el-dialog").textContent).toContain("导出抢修单"));
    expect(document.querySelector("[role=alert]")).toBeNull();
  });

  it("is offered where the lists are, to those who may", async () => {
    for (const [page, title, answers] of [
      [Incidents, "导出事件", {}],
      [Board, "导出抢修单", { "GET /board": { ...board, counts: Object.fromEntries(Object.keys(board).map((column) => [column, { count: 0, oldest_ms: null }])) } }],
    ] as const) {
      const on = await stage(page, {}, answers, { rights: ["read", "export"] });
      await until(() => on.press("导出"));
      await until(() => expect(on.find(".el-dialog").textContent).toContain(title));
      const other = await stage(page, {}, answers, { rights: ["read"] });
      await until(() => expect(other.root.querySelector("h1")).not.toBeNull());
      expect(() => other.button("导出")).toThrow();
    }
  });
});

describe("a period", () => {
  it.each([
    ["2026-04-02", "2026-04-02", { from_ms: Date.parse("2026-04-01T16:00:00Z"), to_ms: Date.parse("2026-04-02T16:00:00Z") }],
    ["2026-04-02", "2026-04-01", null],
    ["2026-01-01", "2027-01-02", null],
    ["", "2026-04-01", null],
  ])("from %s to %s is days of Beijing", (first, last, period) => expect(periodOf(first, last)).toEqual(period));

  it("names its days by Beijing's midnight", () => expect([dayOf(Date.parse("2026-04-01T15:59:59Z")), dayOf(Date.parse("2026-04-01T16:00:00Z"))]).toEqual(["2026-04-01", "2026-04-02"]));
});
