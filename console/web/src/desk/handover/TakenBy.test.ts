// @vitest-environment happy-dom
import { afterEach, expect, it } from "vitest";
import { NOW, Refused, stage, strike, until } from "../more/stage";
import TakenBy from "./TakenBy.vue";

afterEach(strike);

const taken = (thing: string, name: string, taken_ms = NOW, more: object = {}) => ({ thing, name, display: name, desk: "*", handover_id: "h1", taken_ms, ...more });
const rights = ["read", "handover"] as ("read" | "handover")[];

it("says who has a thing: named for it before its kind, and only what was there when it was handed over", async () => {
  const answer = { items: [taken("holds:safety", "王芳"), taken("hold:1", "李伟")] };
  const on = await stage(TakenBy, { things: ["hold:1", "holds:safety"], since: NOW - 1 }, { "GET /handover/owners": answer }, { rights });
  await until(() => expect(on.find("a").textContent).toBe("交接班负责人：李伟"));
  on.answer("GET /handover/owners", { items: [taken("holds:safety", "王芳"), taken("hold:1", "李伟", NOW - 2)] });
  on.tell("handover", { handover_id: "h1" });
  await until(() => expect(on.find("a").textContent).toBe("交接班负责人：王芳"));
});

it("of a kind says who took it for a desk of the thing's district, the last of them", async () => {
  const kind = (name: string, desk: string, taken_ms: number) => taken("holds:safety", name, taken_ms, { desk });
  const answer = { items: [kind("全市", "*", NOW), kind("本区", "430102,430103", NOW + 1), kind("别区", "430104", NOW + 2)] };
  const asked = { things: ["hold:1", "holds:safety"], since: NOW - 1 };
  const here = await stage(TakenBy, { ...asked, district: "430103" }, { "GET /handover/owners": answer }, { rights });
  await until(() => expect(here.root.textContent).toBe("交接班负责人：本区"));
  const there = await stage(TakenBy, { ...asked, district: "430105" }, { "GET /handover/owners": answer }, { rights });
  await until(() => expect(there.root.textContent).toBe("交接班负责人：全市"));
  there.answer("GET /handover/owners", { items: answer.items.slice(1) });
  there.tell("handover", { handover_id: "h1" });
  await until(() => expect(there.root.textContent).toBe(""));
});

it("tells whoever is named himself by a desk whose handover he may not read, and leads him nowhere", async () => {
  const answer = { items: [taken("hold:1", "李伟", NOW, { handover_id: null })] };
  const on = await stage(TakenBy, { things: ["hold:1"], since: NOW - 1 }, { "GET /handover/owners": answer }, { rights });
  await until(() => expect(on.root.textContent).toBe("交接班负责人：李伟"));
  expect(document.querySelector("a")).toBeNull();
});

it("says that it was not read, and asks nothing for who may not know", async () => {
  const refused = new Refused(503, "database_away", "数据库不可用", "the database is away");
  const on = await stage(TakenBy, { things: ["blind"], since: NOW }, { "GET /handover/owners": refused }, { rights });
  await until(() => expect(on.says("没有读到")).toBe(true));
  const viewer = await stage(TakenBy, { things: ["blind"], since: NOW }, { "GET /handover/owners": { items: [taken("blind", "李伟")] } }, { rights: ["read"] });
  await until(() => expect(viewer.root.textContent).toBe(""));
  expect(viewer.asked).toEqual([]);
});
