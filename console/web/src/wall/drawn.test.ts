// @vitest-environment happy-dom
// What is drawn of an incident, in the list and on the map: the pages' own markup, on a map without its ground.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createApp, nextTick, type App, type Component } from "vue";
import { createMemoryHistory, createRouter } from "vue-router";
import { clockHeard } from "@/shared/clock";
import { i18n, setLanguage } from "@/shared/i18n";
import "@/shared/messages";
import "./routes";
import { incident, T0 } from "./stage";
import WallIncident from "./WallIncident.vue";
import WallMap from "./WallMap.vue";

vi.mock("./chart", async (original) => ({
  ...(await original<typeof import("./chart")>()),
  newChart: () => ({ on: () => undefined, setOption: () => undefined, resize: () => undefined, dispose: () => undefined }),
  useBoundary: () => undefined,
}));

let app: App | null = null;

async function draw(page: Component, props: Record<string, unknown>): Promise<void> {
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: "/:rest(.*)*", component: { render: () => null } }] });
  app = createApp(page, props);
  app.use(i18n).use(router).mount(document.body.appendChild(document.createElement("div")));
  await nextTick();
}

beforeEach(() => {
  clockHeard({ now_ms: T0 + 1_000, rate: 0, live: true, since_ms: null });
  setLanguage("en");
});
afterEach(() => {
  app?.unmount();
  document.body.innerHTML = "";
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const order = (state: string, zh: string, en: string) => ({ order_no: "QX-1", state, words: { zh, en }, crew_id: null, technician_id: null });
const waiting = order("waiting", "等待派单", "waiting for a crew");

describe("an incident in the list", () => {
  const step = async (wanted: Record<string, unknown>): Promise<string> => {
    await draw(WallIncident, { incident: incident({ valve: "none", close_sent_ms: null, kind_words: { zh: "发信者不明", en: "unknown sender" }, ...wanted }), simulatedToo: false });
    return document.querySelector(".wall-step")?.textContent.trim() ?? "";
  };

  it("waits for a crew where none is given, with an order and without", async () => {
    expect(await step({ order: waiting })).toBe("Waiting for a crew");
    document.body.innerHTML = "";
    expect(await step({})).toBe("Waiting for a crew");
  });

  it("waits for a person where no crew is sent by itself, whatever its order says", async () => {
    expect(await step({ kind: "unknown_sender", order: waiting })).toBe("Unknown sender · Waits for a person to plan it");
    setLanguage("zh");
    await nextTick();
    expect(document.querySelector(".wall-step")?.textContent).toContain("等待人工安排");
  });

  it("is marked as going wrong while they need help, though its crew made it safe", async () => {
    await draw(WallIncident, { incident: incident({ valve: "reported_closed", order: order("made_safe", "已控制", "made safe"), call: { outcome: "help_needed" } }), simulatedToo: false });
    expect(document.querySelector<HTMLElement>(".wall-incident")?.dataset.heat).toBe("bad");
    expect(document.querySelector(".wall-step")?.textContent).toContain("They need help");
  });
});

describe("marks of the map", () => {
  const WRONG = { valve: "gas_still_flows", proof: "flows" };
  /** Two homes of one building. */
  const two = (at: number, wanted: Record<string, unknown>) => [1, 2].map((home) => incident({ incident_id: `${at}-${home}`, address_zh: `芙蓉区 第${at}花园 3栋 2单元 ${home}01室`, lon: 112.8 + at / 10, ...wanted }));

  async function map(...incidents: object[]): Promise<HTMLElement[]> {
    vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(900);
    vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(600);
    vi.stubGlobal("ResizeObserver", class { constructor(private readonly told: () => void) {} observe() { this.told(); } disconnect() { /* nothing is kept */ } });
    await draw(WallMap, { incidents, estates: [], city: null, stale: false, narrow: false });
    await nextTick();
    return [...document.querySelectorAll<HTMLElement>(".wall-spot")];
  }
  const shown = (mark: HTMLElement) => [mark.dataset.heat, mark.querySelector(".wall-count")?.textContent, mark.querySelector(".wall-beside")?.textContent ?? ""];

  it("keep the sign that something goes wrong beside a number", async () => {
    const marks = await map(...two(1, WRONG), ...two(2, {}));
    expect(marks.map(shown)).toEqual([["bad", "2", "!"], ["busy", "2", ""]]);
    expect(marks.map((mark) => mark.querySelector(".unseen")?.textContent)).toEqual([
      expect.stringContaining(": 2, going wrong."), expect.stringContaining(": 2, being handled."),
    ]);
  });

  it("have it inside where they are one incident", async () => {
    expect((await map(incident(WRONG))).map(shown)).toEqual([["bad", "!", ""]]);
  });

  it("are told apart in the legend by more than their colour", async () => {
    await map(...two(1, WRONG), ...two(2, {}));
    const legend = [...document.querySelectorAll(".wall-key-heat")].map((each) => each.textContent.trim());
    expect(legend).toEqual(["!going wrong", "being handled", "✓made safe"]);
  });
});
