// @vitest-environment happy-dom
import { afterEach, describe, expect, it, vi } from "vitest";
import { session } from "@/shared/session";
import { NOW, Refused, stage, strike, until } from "../more/stage";
import HandoverPage from "./Handover.vue";
import Signed from "./Signed.vue";

afterEach(() => {
  strike();
  vi.restoreAllMocks();
  sessionStorage.clear();
});

const incident = { thing: "incident:a", incident_id: "a", home_id: "H1", kind_words: { zh: "燃气泄漏", en: "gas leak" }, address_zh: "松岚小区 201", address_en: "201", valve_words: { zh: "已切断", en: "closed" }, received_ms: NOW - 60_000, seen_by: null, order_no: "QX-1", order_words: { zh: "已到场", en: "on site" }, owner: null as string | null };
const task = { thing: "task:b", task_id: "b", incident_id: null, home_id: "H2", words: { zh: "住户需要帮助", en: "they need help" }, address_zh: "晴川家园 502", address_en: "502", priority: 1, created_ms: NOW - 60_000, owner: null as string | null };
const people = [{ name: "zhou.min", display: "周敏" }, { name: "li.wei", display: "李伟" }];
const draft = (more: object = {}) => ({
  desk: "*", made_ms: NOW, shift_began_ms: NOW - 8 * 3_600_000, incidents: [incident], tasks: [task], holds: [], hold_counts: [], blind_groups: [], blind_buildings: 0, promises: [], remarks: [],
  under_way: null, people, ...more,
});
const brief = { handover_id: "h1", desk: "*", state: "begun", begun_ms: NOW - 1000, left_by: "wang.fang", left_display: "王芳", ended_ms: null, ended_by: null, ended_display: null, incidents: 1, tasks: 1 };
const begun = { ...brief, remarks: "8 栋停电", note: null, owners: {}, people: [], begun_document: draft(), taken_document: null };
const past = { "GET /handovers": { items: [], next: null } };

function choose(label: string, value: string): void {
  const select = [...document.querySelectorAll("select")].find((each) => each.ariaLabel?.includes(label) || each.getAttribute("aria-label")?.includes(label) || each.closest("label")?.textContent?.includes(label));
  if (!select) throw new Error(`no select ${label}`);
  select.value = value;
  select.dispatchEvent(new Event("change"));
}

describe("the shift handover", () => {
  it("is signed by who leaves, with the owners that were named; who leaves owns nothing of it", async () => {
    const on = await stage(HandoverPage, {}, { ...past, "GET /handover": draft(), "POST /handovers": begun }, { rights: ["read", "handover"] });
    await until(() => expect(on.says("还有 2 项没有负责人")).toBe(true));
    expect([...on.find("select").querySelectorAll("option")].map((option) => option.textContent)).not.toContain("周敏");
    choose("燃气泄漏", "li.wei");
    await until(() => expect(on.says("还有 1 项没有负责人")).toBe(true));
    on.write("交班备注", "8 栋停电");
    on.press("以 周敏 签字");
    await until(() => expect(on.to("POST /handovers")).toHaveLength(1));
    expect(on.to("POST /handovers")[0]?.body).toEqual({ remarks: "8 栋停电", owners: { "incident:a": "li.wei" } });
  });

  it("is not taken over while a thing has no owner", async () => {
    const answers = { ...past, "GET /handover": draft({ under_way: brief }), "GET /handovers/h1": begun, "POST /handovers/h1/take": { ...begun, state: "taken" } };
    const on = await stage(HandoverPage, {}, answers, { rights: ["read", "handover"] });
    await until(() => expect(on.button("以 周敏 签字接班").disabled).toBe(true));
    expect(on.says("8 栋停电")).toBe(true);
    choose("其余全部交给", "li.wei");
    await until(() => expect(on.says("每一项都有负责人")).toBe(true));
    expect(on.button("以 周敏 签字接班").disabled).toBe(false);
    on.press("以 周敏 签字接班");
    await until(() => expect(on.to("POST /handovers/h1/take")[0]?.body).toEqual({ note: "", owners: { "*": "li.wei" } }));
  });

  it("shows what the console still refuses: something opened meanwhile", async () => {
    const refused = new Refused(409, "unowned", "还有 1 项无人接手：燃气泄漏", "1 thing has no owner");
    const owned = draft({ under_way: brief, incidents: [{ ...incident, owner: "li.wei" }], tasks: [] });
    const on = await stage(HandoverPage, {}, { ...past, "GET /handover": owned, "GET /handovers/h1": { ...begun, owners: { "incident:a": "li.wei" } }, "POST /handovers/h1/take": refused }, { rights: ["read", "handover"] });
    await until(() => expect(on.button("以 周敏 签字接班").disabled).toBe(false));
    on.press("以 周敏 签字接班");
    await until(() => expect(on.find(".sign [role=alert]").textContent).toContain("还有 1 项无人接手"));
  });

  it("is taken by its own writer in the demonstration alone, by nobody who signed in there with a password", async () => {
    const own = draft({ under_way: { ...brief, left_by: "zhou.min", left_display: "周敏" } });
    const answers = { ...past, "GET /handover": own, "GET /handovers/h1": { ...begun, left_by: "zhou.min" } };
    const demonstration = await stage(HandoverPage, {}, answers, { rights: ["read", "handover", "demo"], demo: true });
    await until(() => expect(demonstration.button("以 周敏 签字接班")).toBeDefined());
    strike();
    const signedIn = await stage(HandoverPage, {}, answers, { rights: ["read", "handover"], demo: true });
    await until(() => expect(signedIn.says("等待接班")).toBe(true));
    expect(signedIn.says("以 周敏 签字接班")).toBe(false);
  });

  it("draws a storm's many things when they are wanted, and counts all of them", async () => {
    const incidents = Array.from({ length: 130 }, (_, index) => ({ ...incident, thing: `incident:${index}`, incident_id: String(index) }));
    const on = await stage(HandoverPage, {}, { ...past, "GET /handover": draft({ incidents, tasks: [] }) }, { rights: ["read", "handover"] });
    await until(() => expect(on.says("还有 130 项没有负责人")).toBe(true));
    expect(document.querySelectorAll("select.owner")).toHaveLength(100);
    on.press("另有 30 项，全部显示");
    await until(() => expect(document.querySelectorAll("select.owner")).toHaveLength(130));
  });

  it("gives holds, buildings and promises to who takes over, and to another where one is chosen", async () => {
    const where = { address_zh: "松岚小区 201", address_en: "201" };
    const rest = {
      incidents: [], tasks: [], blind_buildings: 1,
      hold_counts: [{ thing: "holds:safety", hold: "safety", words: { zh: "安全", en: "safety" }, homes: 1, owner: null }],
      holds: [{ thing: "hold:1", hold: "safety", home_id: "H1", words: { zh: "安全", en: "safety" }, cause_words: null, set_ms: NOW, owner: null, ...where }],
      blind_groups: [{ thing: "blind:b", district_code: "430102", district: "芙蓉区", community: "c", estate: "松岚小区", building: "3", blind: 1, silent: 0, powerless: 0, since_ms: NOW, owner: null }],
      promises: [{ thing: "revisit:QX-1", kind: "revisit", words: { zh: "再次上门", en: "again" }, incident_id: "a", order_no: "QX-1", home_id: "H1", due_ms: NOW, owner: null, ...where }],
    };
    const answers = { ...past, "GET /handover": draft(rest), "POST /handovers": begun, "GET /handovers/h1": begun, "POST /handovers/h1/take": { ...begun, state: "taken" } };
    const on = await stage(HandoverPage, {}, answers, { rights: ["read", "handover"] });
    // Who leaves does not know who takes over: nothing has an owner yet.
    await until(() => expect(on.says("还有 3 项没有负责人")).toBe(true));
    on.answer("GET /handover", draft({ ...rest, under_way: brief }));
    on.press("以 周敏 签字");
    await until(() => expect(on.says("每一项都有负责人")).toBe(true));
    choose("安全 松岚小区 201", "li.wei");
    choose("再次上门", "li.wei");
    await until(() => expect(on.button("以 周敏 签字接班").disabled).toBe(false));
    on.press("以 周敏 签字接班");
    await until(() =>
      expect(on.to("POST /handovers/h1/take")[0]?.body).toEqual({ note: "", owners: { "revisit:QX-1": "li.wei", "holds:safety": "zhou.min", blind: "zhou.min", "hold:1": "li.wei" } }),
    );
  });

  it("is never taken over by who began it", async () => {
    const mine = { ...brief, left_by: "zhou.min", left_display: "周敏" };
    const on = await stage(HandoverPage, {}, { ...past, "GET /handover": draft({ under_way: mine }), "GET /handovers/h1": { ...begun, ...mine } }, { rights: ["read", "handover"] });
    await until(() => expect(on.says("交班人不能接自己的班")).toBe(true));
    expect(() => on.button("签字接班")).toThrow();
    on.button("撤回交班");
  });
});

describe("a handover that was signed", () => {
  it("calls its owners as their users are called, and one that is no user any more as he was recorded", async () => {
    const taken = draft({ incidents: [{ ...incident, owner: "li.wei" }], tasks: [{ ...task, owner: "gone" }] });
    const on = await stage(Signed, { id: "h1" }, { "GET /handovers/h1": { ...begun, state: "taken", people, taken_document: taken } });
    await until(() => expect([...document.querySelectorAll("td[data-name='负责人']")].map((cell) => cell.textContent?.trim())).toEqual(["李伟", "gone"]));
    expect(on.says("li.wei")).toBe(false);
  });
});

describe("a handover that is not signed yet", () => {
  const answers = { ...past, "GET /handover": draft(), "POST /handovers": begun };
  const options = { rights: ["read", "handover"] as ("read" | "handover")[] };
  const text = (): string => (document.querySelector("textarea") as HTMLTextAreaElement).value;
  const owner = (): string => (document.querySelector("select.owner") as HTMLSelectElement).value;

  const kept = (): number => Object.keys(sessionStorage).filter((key) => key.startsWith("handover:")).length;

  async function written() {
    const on = await stage(HandoverPage, {}, answers, options);
    await until(() => expect(on.says("还有 2 项没有负责人")).toBe(true));
    on.write("交班备注", "8 栋停电");
    choose("燃气泄漏", "li.wei");
    await until(() => expect(on.says("还有 1 项没有负责人")).toBe(true));
    return on;
  }
  async function again(name?: string) {
    const on = await stage(HandoverPage, {}, answers, { ...options, name });
    await until(() => on.find("textarea"));
    return on;
  }

  it("is there again for its writer after a session that ended by itself, and for nobody else", async () => {
    const on = await written();
    session.value = null;
    await on.router.push("/signin?to=/desk/handover&ended=");
    await again("li.wei");
    expect(text()).toBe("");
    const back = await again();
    expect([text(), owner()]).toEqual(["8 栋停电", "li.wei"]);
    back.press("以 周敏 签字");
    await until(() => expect(back.to("POST /handovers")[0]?.body).toEqual({ remarks: "8 栋停电", owners: { "incident:a": "li.wei" } }));
  });

  it("is gone with its signature", async () => {
    const on = await written();
    on.press("以 周敏 签字");
    await until(() => expect(text()).toBe(""));
    expect(kept()).toBe(0);
  });

  it.each([[13, "8 栋停电"], [15, ""]])("after %d hours is: %s", async (hours, remarks) => {
    await written();
    const then = Date.now();
    vi.spyOn(Date, "now").mockImplementation(() => then + hours * 3_600_000);
    await again();
    expect([text(), kept()]).toEqual([remarks, remarks === "" ? 0 : 1]);
  });
});
