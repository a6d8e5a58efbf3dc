import { describe, expect, it } from "vitest";
import { buildingName, placeOf, shortPlace } from "./place";
import { incident } from "./stage";

describe("the name of a place", () => {
  it("is the estate and the building, in both languages", () => {
    expect(shortPlace(incident(), "zh")).toBe("云栖花园 3栋");
    expect(shortPlace(incident(), "en")).toBe("Building 3, 云栖花园");
    expect(shortPlace(incident(), "zh", false)).toBe("云栖花园");
  });

  it("is taken from the parts of the address where they are told", () => {
    expect(placeOf(incident({ estate: "听澜雅苑", building: "A座" }))).toEqual({ estate: "听澜雅苑", building: "A座" });
    expect(buildingName("A座", "en")).toBe("A座");
    expect(buildingName("", "zh")).toBe("");
  });

  it("is the whole address where no home is known", () => {
    const unknown = incident({ home_id: null, address_zh: "住户不明（账号 X1）", address_en: "home not known (account X1)" });
    expect(shortPlace(unknown, "zh")).toBe("住户不明（账号 X1）");
    expect(shortPlace(unknown, "en")).toBe("home not known (account X1)");
    expect(shortPlace(incident({ home_id: null, address_zh: "开福区 湘江中路 88号 门口", address_en: "x" }), "zh")).toBe("开福区 湘江中路 88号 门口");
  });
});
