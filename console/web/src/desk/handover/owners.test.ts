import { describe, expect, it } from "vitest";
import { given, leftTo, ownerOf, PROMISES, thingsOf, unowned } from "./owners";
import type { HandoverDocument } from "./shapes";

const things = [{ thing: "incident:a" }, { thing: "incident:b" }, { thing: "task:c" }];
const document = {
  incidents: [{ thing: "incident:a" }], tasks: [{ thing: "task:c" }], promises: [{ thing: "revisit:QX-1" }], hold_counts: [{ thing: "holds:arrears" }], holds: [{ thing: "hold:1", hold: "arrears" }],
  blind_groups: [{ thing: "blind:1" }], blind_buildings: 1,
} as unknown as HandoverDocument;

describe("owners", () => {
  it("are missing where nobody is named", () => {
    expect(unowned(things, {}).map((thing) => thing.thing)).toEqual(["incident:a", "incident:b", "task:c"]);
    expect(unowned(things, { "task:c": "wang", "incident:b": "wang" }).map((thing) => thing.thing)).toEqual(["incident:a"]);
    expect(unowned(things, { "*": "wang" })).toEqual([]);
    expect(unowned(things, { "*": "" })).toHaveLength(3);
  });

  it("named for a thing go before those for its kind, and those before the one for the rest", () => {
    const hold = { thing: "hold:1", wider: "holds:arrears" };
    expect(ownerOf(hold, { "hold:1": "wang", "holds:arrears": "li", "*": "zhao" })).toBe("wang");
    expect(ownerOf(hold, { "holds:arrears": "li", "*": "zhao" })).toBe("li");
    expect(ownerOf(hold, { "holds:works": "li", "*": "zhao" })).toBe("zhao");
  });

  it("are needed for promises, holds and buildings too, and go to who takes over where nobody else has them", () => {
    expect(unowned(thingsOf(document), {}).map((thing) => thing.thing)).toEqual(["incident:a", "task:c", "revisit:QX-1", "holds:arrears", "blind"]);
    expect(leftTo("li", document, {})).toEqual({ "revisit:QX-1": "li", "holds:arrears": "li", blind: "li" });
    expect(leftTo("li", document, { [PROMISES]: "wang", blind: "wang" })).toEqual({ "holds:arrears": "li" });
    expect(leftTo("li", document, { "*": "wang" })).toEqual({});
  });

  it("are told of what is still open alone", () => {
    expect(given({ "incident:a": "li", "incident:gone": "li", "task:c": "", "*": "zhao" }, things)).toEqual({ "incident:a": "li", "*": "zhao" });
  });
});
