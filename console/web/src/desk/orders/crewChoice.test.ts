import { describe, expect, it } from "vitest";
import { byUse, type Choice, farFrom } from "./crewChoice";

const crew = (crew_id: string, more: Partial<Choice> = {}): Choice => ({
  crew_id, simulated: true, state: "free", order_no: null, lon: 112.98, lat: 28.2, coord_datum: "GCJ-02", ...more,
});
const order = { crew_id: "crew-1", simulated: true, place: { lon: 112.98, lat: 28.21, coord_datum: "GCJ-02" } };

describe("the crews that are offered", () => {
  it("are the free ones, the nearest first; never the crew that has it, nor one of another world", () => {
    const crews = [
      crew("crew-1"), crew("far", { lat: 28.4 }), crew("near"), crew("busy", { state: "busy", order_no: "QX-1" }), crew("real", { simulated: false }),
      crew("home", { state: "off_duty" }),
    ];
    expect(byUse(crews, order).map((each) => each.crew_id)).toEqual(["near", "far", "busy", "home"]);
  });

  it("tells metres, from its post where its position is not told", () => {
    expect(farFrom(crew("a"), order)).toBeCloseTo(1112, -1);
    const posted = crew("a", { lon: null, lat: null, coord_datum: null, post_lon: 112.98, post_lat: 28.2, post_datum: "GCJ-02" });
    expect(farFrom(posted, order)).toBeCloseTo(1112, -1);
  });

  it("never measures between two datums, nor from nowhere", () => {
    expect(farFrom(crew("a", { coord_datum: "WGS-84" }), order)).toBeNull();
    expect(farFrom(crew("a", { lon: null, lat: null }), order)).toBeNull();
    expect(farFrom(crew("a"), { ...order, place: {} })).toBeNull();
  });
});
