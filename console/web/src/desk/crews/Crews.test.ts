// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import { NOW, stage, strike, until } from "../more/stage";
import Crews from "./Crews.vue";

afterEach(strike);

const crew = (crew_id: string, state: string, more: object = {}) => ({
  crew_id, district_code: "430102", simulated: false, shift_start: "08:00", shift_end: "20:00", state, order_no: null, lon: null, lat: null, coord_datum: null, position_ms: null,
  technicians: [{ technician_id: "T1", name: "李**", phone: "+86138****1234" }], ...more,
});

describe("the crews", () => {
  it("stand free ones first, with their order and how old their position is", async () => {
    const busy = crew("C2", "busy", { order_no: "QX-1", position_ms: NOW - 10 * 60_000, lon: 112, lat: 28, coord_datum: "GCJ-02" });
    const on = await stage(Crews, {}, { "GET /crews": { items: [crew("C3", "off_duty"), busy, crew("C1", "free")], next: null } });
    await until(() => expect([...document.querySelectorAll("tbody th")].map((each) => each.textContent?.trim())).toEqual(["C1", "C2", "C3"]));
    expect(on.find("#crew-C2").textContent).toContain("QX-1");
    expect(on.find("#crew-C2").textContent).toContain("10 分钟前");
    expect(on.find("#crew-C2").textContent).toContain("位置已旧");
    expect(on.find("#crew-C1").textContent).toContain("仅当班并有单时显示位置");
    expect(document.querySelector("a[href^=tel]")).toBeNull();
  });

  it("say loudly that nobody is free, and what it means that there are none", async () => {
    const on = await stage(Crews, {}, { "GET /crews": { items: [crew("C1", "busy", { order_no: "QX-1" })], next: null } });
    await until(() => expect(on.says("没有空闲的抢修队")).toBe(true));
    const none = await stage(Crews, {}, { "GET /crews": { items: [], next: null } });
    await until(() => expect(none.says("抢修单无人可派")).toBe(true));
  });

  it("are filtered by state, and read again when one moves", async () => {
    const on = await stage(Crews, {}, { "GET /crews": { items: [crew("C1", "free"), crew("C2", "off_duty")], next: null } });
    await until(() => expect(on.says("C2")).toBe(true));
    on.press("空闲");
    await until(() => expect(on.says("C2")).toBe(false));
    on.answer("GET /crews", { items: [crew("C1", "busy", { order_no: "QX-9" })], next: null });
    on.tell("crew", { crew_id: "C1" });
    await until(() => expect(on.says("没有符合条件的抢修队")).toBe(true));
  });
});
