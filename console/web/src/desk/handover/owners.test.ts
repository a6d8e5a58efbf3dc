import { describe, expect, it } from "vitest";
import { given, ownerOf, unowned } from "./owners";

const things = [
  { thing: "incident:a", owner: null },
  { thing: "incident:b", owner: "li" },
  { thing: "task:c", owner: null },
];

describe("owners", () => {
  it("are missing where nobody is named, on record or now", () => {
    expect(unowned(things, {}).map((thing) => thing.thing)).toEqual(["incident:a", "task:c"]);
    expect(unowned(things, { "task:c": "wang" }).map((thing) => thing.thing)).toEqual(["incident:a"]);
    expect(unowned(things, { "*": "wang" })).toEqual([]);
    expect(unowned(things, { "*": "" })).toHaveLength(2);
  });

  it("named now go before those on record, and those for a thing before the one for the rest", () => {
    expect(ownerOf(things[1]!, { "incident:b": "wang", "*": "zhao" })).toBe("wang");
    expect(ownerOf(things[1]!, { "*": "zhao" })).toBe("li");
    expect(ownerOf(things[0]!, { "*": "zhao" })).toBe("zhao");
  });

  it("are told of what is still open alone", () => {
    expect(given({ "incident:a": "li", "incident:gone": "li", "task:c": "", "*": "zhao" }, things)).toEqual({ "incident:a": "li", "*": "zhao" });
  });
});
