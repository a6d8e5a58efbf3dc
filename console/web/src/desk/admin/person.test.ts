import { describe, expect, it } from "vitest";
import { blank, changeOf, complete, newUser, personOf } from "./person";
import type { User } from "./shapes";

const user: User = {
  user_id: "u1", name: "zhou.min", display: "周敏", roles: ["operator"], districts: ["430103", "430102"], technician_id: null, crew_id: null, language: "zh", made_ms: 1,
  made_by: "li", changed_ms: 1, disabled_ms: null, has_password: true, seen_ms: null,
};

describe("a user in the form", () => {
  it("needs a name, how he is called and a role; a technician also who he is", () => {
    expect(complete(blank())).toBe(false);
    expect(complete({ ...blank(), name: "li", display: "李" })).toBe(false);
    expect(complete({ ...blank(), name: "li", display: "李", roles: ["viewer"] })).toBe(true);
    expect(complete({ ...blank(), name: "li", display: "李", roles: ["technician"] })).toBe(false);
    expect(complete({ ...blank(), name: "li", display: "李", roles: ["technician"], technician_id: "T1" })).toBe(true);
  });

  it("sees every district where none is chosen", () => {
    expect(newUser({ ...blank(), name: " li ", display: "李", roles: ["viewer"] })).toMatchObject({ name: "li", districts: null, technician_id: null });
  });

  it("is changed in nothing but what was changed", () => {
    expect(changeOf(user, personOf(user))).toEqual({});
    expect(changeOf(user, { ...personOf(user), districts: ["430102", "430103"] })).toEqual({});
    expect(changeOf(user, { ...personOf(user), districts: [], roles: ["operator", "supervisor"] })).toEqual({ districts: null, roles: ["operator", "supervisor"] });
  });
});
