// Every word that a page of this folder asks for is there in both languages, and none is there for nothing.
import { describe, expect, it } from "vitest";
import admin from "../admin/messages";
import conditions from "../conditions/messages";
import crews from "../crews/messages";
import handover from "../handover/messages";
import home from "../home/messages";
import orders from "../orders/messages";
import search from "../search/messages";
import more from "./messages";

const FOLDERS = { admin, conditions, crews, handover, home, more, orders, search };
const SOURCES = import.meta.glob<string>(["../*/*.vue", "../*/*.ts", "../more.ts", "!../*/*.test.ts", "!../*/messages.ts"], { query: "?raw", import: "default", eager: true });

type Tree = { [key: string]: string | Tree };
function paths(tree: Tree, before = ""): string[] {
  return Object.entries(tree).flatMap(([key, value]) => (typeof value === "string" ? [before + key] : paths(value, `${before}${key}.`)));
}
function holes(tree: Tree): string[] {
  return Object.values(tree).flatMap((value) => (typeof value === "string" ? [(value.match(/\{\w+\}/g) ?? []).sort().join()] : holes(value)));
}

describe.each(Object.entries(FOLDERS))("%s", (name, words) => {
  it("says the same things in both languages, with the same blanks to fill", () => {
    expect(paths(words.en)).toEqual(paths(words.zh));
    expect(holes(words.en)).toEqual(holes(words.zh));
  });

  it("has every word that is asked for, and none that nobody asks for", () => {
    const asked = new Set<string>();
    const built: RegExp[] = [];
    for (const source of Object.values(SOURCES)) {
      for (const found of source.matchAll(new RegExp(`(?<!(?<!age)=)["'\`](${name}\\.[\\w.]*(?:\\$\\{[^}]*\\}[\\w.]*)*)["'\`]`, "g"))) {
        const key = (found[1] as string).slice(name.length + 1);
        if (key.includes("${")) built.push(new RegExp(`^${key.replaceAll(".", "\\.").replace(/\$\{[^}]*\}/g, "\\w+")}$`));
        else asked.add(key);
      }
    }
    const known = paths(words.zh);
    const missing = [...asked].filter((key) => !known.includes(key) && !key.endsWith(".mjs"));
    const unused = known.filter((key) => !asked.has(key) && !built.some((pattern) => pattern.test(key)));
    expect({ missing, unused }).toEqual({ missing: [], unused: [] });
  });
});
