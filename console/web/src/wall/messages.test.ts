import { describe, expect, it } from "vitest";
import messages from "./messages";

type Tree = { [key: string]: string | Tree };

function leaves(tree: Tree, path = ""): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]) => (typeof value === "string" ? [[`${path}${key}`, value] as [string, string]] : leaves(value, `${path}${key}.`)));
}
const named = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1] ?? "").sort();

describe("the wall's words", () => {
  const zh = new Map(leaves(messages.zh));
  const en = new Map(leaves(messages.en));

  it("are there in both languages, with the same gaps to fill", () => {
    expect([...zh.keys()].sort()).toEqual([...en.keys()].sort());
    for (const [key, text] of zh) expect(named(text), key).toEqual(named(en.get(key) ?? ""));
  });

  it("hold no sign that the translation would take for its own", () => {
    for (const text of [...zh.values(), ...en.values()]) expect(text).not.toMatch(/[@|]/);
  });

  it("use the trade's words", () => {
    expect(messages.zh.figures).toMatchObject({ blind: "其中失效", silent: "其中失联", powerless: "其中掉电" });
    expect(messages.zh.steps).toMatchObject({ on_site: "到场", made_safe: "已控制", restored: "复气" });
  });
});
