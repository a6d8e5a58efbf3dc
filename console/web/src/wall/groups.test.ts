// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { CITY, lookAt, lookAtPlace, NEAR_M, type Frame } from "./camera";
import { wgs84ToGcj02 } from "./datum";
import { heatOf, MARKS_MAX, marksOf, SIGNS, signsOf, type Heat } from "./groups";
import { incident, T0 } from "./stage";
import type { Incident } from "./things";

const FRAME: Frame = { box: CITY, width: 900, height: 600 };
const WHOLE = lookAt(FRAME, CITY);
const REACH = 40;
const NOW = T0 + 1_000;

/** `number` incidents, each in an estate of its own, spread over the city. */
function spread(number: number): Incident[] {
  return Array.from({ length: number }, (_, index) =>
    incident({
      incident_id: `one-${index}`, address_zh: `芙蓉区 第${index}花园 ${(index % 9) + 1}栋 1单元 101室`,
      lon: 112.7 + ((index * 37) % 400) / 1000, lat: 28.0 + ((index * 61) % 450) / 1000,
    }),
  );
}

describe("open incidents as marks", () => {
  it("gives a single incident a mark where it is", () => {
    const { marks, outside, unplaced } = marksOf([incident({ lon: WHOLE.center[0], lat: WHOLE.center[1] })], FRAME, WHOLE, REACH, NOW);
    expect(marks).toHaveLength(1);
    expect(marks[0]).toMatchObject({ covers: "incident", heat: "busy" });
    expect(marks[0]?.x).toBeCloseTo(450);
    expect(marks[0]?.y).toBeCloseTo(300);
    expect([outside, unplaced]).toEqual([0, 0]);
  });

  it("brings both datums to one place", () => {
    const [lon, lat] = wgs84ToGcj02(113, 28.2);
    const near = lookAtPlace(FRAME, [113, 28.2], NEAR_M.building);
    const { marks } = marksOf([incident({ incident_id: "a" }), incident({ incident_id: "b", lon, lat, coord_datum: "GCJ-02" })], FRAME, near, REACH, NOW);
    expect(marks).toHaveLength(1);
    expect(marks[0]?.covers).toBe("building");
  });

  it("counts what is outside of the view and what nobody can place", () => {
    const near = lookAtPlace(FRAME, [113, 28.2], NEAR_M.estate);
    const found = marksOf([incident(), incident({ incident_id: "far", lon: 112.7 }), incident({ incident_id: "nowhere", lon: null })], FRAME, near, REACH, NOW);
    expect(found.marks).toHaveLength(1);
    expect([found.outside, found.unplaced]).toEqual([1, 1]);
  });

  it("joins the homes of a building, then the buildings of an estate, then what stands too near", () => {
    const two = [incident({ incident_id: "a" }), incident({ incident_id: "b", address_zh: "芙蓉区 云栖花园 3栋 1单元 102室" })];
    expect(marksOf(two, FRAME, WHOLE, REACH, NOW).marks.map((mark) => mark.covers)).toEqual(["building"]);
    const neighbours = [...two, incident({ incident_id: "c", address_zh: "芙蓉区 云栖花园 4栋 1单元 101室", lon: 113.0006 })];
    expect(marksOf(neighbours, FRAME, WHOLE, REACH, NOW).marks.map((mark) => mark.covers)).toEqual(["estate"]);
    const near = lookAtPlace(FRAME, [113.0003, 28.2], NEAR_M.building);
    expect(marksOf(neighbours, FRAME, near, REACH, NOW).marks.map((mark) => mark.covers).sort()).toEqual(["building", "incident"]);
    const others = [...neighbours, incident({ incident_id: "d", address_zh: "芙蓉区 汀兰雅苑 1栋 1单元 101室", lon: 113.002 })];
    expect(marksOf(others, FRAME, WHOLE, REACH, NOW).marks.map((mark) => mark.covers)).toEqual(["area"]);
  });

  it("does not take two estates of one name for one", () => {
    const twins = [incident({ incident_id: "a" }), incident({ incident_id: "b", lon: 113.1 })];
    expect(marksOf(twins, FRAME, lookAt(FRAME, CITY), REACH, NOW).marks).toHaveLength(2);
  });

  it("draws few marks however many incidents there are, and loses none", () => {
    for (const number of [41, 200, 1000]) {
      const { marks, outside } = marksOf(spread(number), FRAME, WHOLE, REACH, NOW);
      expect(marks.length).toBeLessThanOrEqual(MARKS_MAX);
      expect(outside).toBe(0);
      const ids = marks.flatMap((mark) => mark.incidents.map((one) => one.incident_id));
      expect(new Set(ids).size).toBe(number);
      expect(marks.every((mark) => mark.places.length === mark.incidents.length)).toBe(true);
    }
  });

  it("keeps marks apart", () => {
    const { marks } = marksOf(spread(300), FRAME, WHOLE, REACH, NOW);
    for (const [index, one] of marks.entries()) {
      for (const other of marks.slice(index + 1)) expect(Math.hypot(one.x - other.x, one.y - other.y)).toBeGreaterThanOrEqual(REACH);
    }
  });

  it("names its marks the same the next time, so that none of them blinks", () => {
    const keys = () => marksOf(spread(30), FRAME, WHOLE, REACH, NOW).marks.map((mark) => mark.key);
    expect(keys()).toEqual(keys());
  });

  it("shows the hottest of what it joins", () => {
    const safe = { order: { order_no: "QX-1", state: "made_safe", words: { zh: "已控制", en: "made safe" }, crew_id: "C1", technician_id: null } };
    expect(heatOf(incident(), NOW)).toBe("busy");
    expect(heatOf(incident({ valve: "gas_still_flows" }), NOW)).toBe("bad");
    expect(heatOf(incident(safe), NOW)).toBe("safe");
    // Nobody has said anything: a close that is not confirmed in its time goes wrong by itself.
    expect(heatOf(incident(), T0 + 60_000)).toBe("bad");
    const { marks } = marksOf([incident({ ...safe, incident_id: "a" }), incident({ incident_id: "b", before_meter_ms: T0 })], FRAME, WHOLE, REACH, NOW);
    expect(marks.map((mark) => mark.heat)).toEqual(["bad"]);
  });

  it("is never safe while it alarms at the desk, however far its crew is", () => {
    const order = (state: string) => ({ order_no: "QX-1", state, words: { zh: "", en: "" }, crew_id: "C1", technician_id: null });
    const call = { outcome: "help_needed", words: { zh: "", en: "" }, attempt: 1, name: "" };
    for (const state of ["made_safe", "cause_recorded", "tightness_passed", "restored"]) {
      const safe = { order: order(state), valve: "reported_closed", proof: "holds" };
      expect(heatOf(incident(safe), NOW)).toBe("safe");
      for (const alarm of [{ before_meter_ms: T0 }, { call }, { clearing: "not_clearing" }, { proof: "flows" }]) expect(heatOf(incident({ ...safe, ...alarm }), NOW)).toBe("bad");
    }
  });

  it("tells the three heats apart without their colours, with a number and without", () => {
    const heats: Heat[] = ["bad", "busy", "safe"];
    const drawn = (heat: Heat, many: number) => {
      const { inside, beside } = signsOf({ heat, incidents: Array.from({ length: many }, () => incident()) });
      return `${heat === "safe" ? "circle" : "diamond"} ${inside} ${beside}`;
    };
    for (const many of [1, 2, 120]) expect(new Set(heats.map((heat) => drawn(heat, many))).size).toBe(3);
    expect([drawn("bad", 2), drawn("busy", 2), drawn("bad", 1)]).toEqual(["diamond 2 !", "diamond 2 ", "diamond ! "]);
    expect(new Set(heats.map((heat) => SIGNS[heat])).size).toBe(3);
  });
});
