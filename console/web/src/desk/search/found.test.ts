import { describe, expect, it } from "vitest";
import { exactly, type Found, grouped, moved, pageOf } from "./found";

const found = (kind: Found["kind"], id: string, home_id: string | null = null): Found => ({
  kind, id, home_id, open_incident_id: null, title_zh: id, title_en: id, detail_zh: "", detail_en: "",
});

describe("what is found", () => {
  it("is grouped by kind, the kind of the best first, and counted through", () => {
    const groups = grouped([found("order", "QX-1"), found("home", "h1"), found("order", "QX-2")]);
    expect(groups.map((group) => group.kind)).toEqual(["order", "home"]);
    expect(groups.flatMap((group) => group.items.map((item) => [item.found.id, item.at]))).toEqual([["QX-1", 0], ["QX-2", 1], ["h1", 2]]);
  });

  it("leads to its page; a device to its home", () => {
    expect(pageOf(found("home", "H 1"))).toBe("/desk/homes/H%201");
    expect(pageOf(found("order", "QX-260402-0017"))).toBe("/desk/orders/QX-260402-0017");
    expect(pageOf(found("incident", "abc"))).toBe("/desk/incidents/abc");
    expect(pageOf(found("device", "M1", "h1"))).toBe("/desk/homes/h1#M1");
  });
});

describe("a home that was typed", () => {
  const home = { ...found("home", "home-0002"), title_zh: "芙蓉区 云栖花园 3栋 2单元 502室", detail_zh: "户号 4301000002 · 云栖社区" };

  it("is named by its room or its household number, whole", () => {
    for (const typed of ["云栖花园3栋2单元502", "云栖 502", "３－２－５０２", "4301000002", "户号4301000002"]) expect(exactly(home, typed), typed).toBe(true);
  });

  it("is not named by a part, a building, a name or another number", () => {
    for (const typed of ["云栖花园", "云栖花园3栋", "云栖 50", "430100000", "4栋502", "13800001234", ""]) expect(exactly(home, typed), typed).toBe(false);
  });
});

describe("the arrow keys", () => {
  it("go round, from the box to the first or the last", () => {
    expect(moved(-1, 1, 3)).toBe(0);
    expect(moved(2, 1, 3)).toBe(0);
    expect(moved(0, -1, 3)).toBe(2);
    expect(moved(-1, -1, 3)).toBe(2);
    expect(moved(-1, 1, 0)).toBe(-1);
  });
});
