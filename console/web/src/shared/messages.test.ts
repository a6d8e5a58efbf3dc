// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import "./messages";
import { i18n } from "./i18n";

type Tree = { [key: string]: string | Tree };
type Both = { zh: Tree; en: Tree };

/** A language is named in itself. */
const OWN_NAME = "中文";

/** Path of every sentence -> the sentence. */
function sentences(tree: Tree, path = ""): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]): [string, string][] => {
    const here = path ? `${path}.${key}` : key;
    return typeof value === "string" ? [[here, value]] : sentences(value, here);
  });
}

/** Path of every sentence -> the figures and names that it wants filled in. */
const wants = (tree: Tree) => Object.fromEntries(sentences(tree).map(([path, words]) => [path, (words.match(/\{\w+\}/g) ?? []).sort().join(" ")]));

const files = import.meta.glob<{ default?: Both }>(["../**/messages.ts", "!./messages.ts"], { eager: true });
const told: [string, Both][] = [
  ["shared", { zh: i18n.global.getLocaleMessage("zh") as Tree, en: i18n.global.getLocaleMessage("en") as Tree }],
  ...Object.entries(files).flatMap(([file, { default: both }]): [string, Both][] => (both ? [[file, both]] : [])),
];

describe.each(told)("the words of %s", (_, both) => {
  it("say everything in both languages, with the same figures and names in them", () => {
    expect(wants(both.zh)).toEqual(wants(both.en));
  });

  it("leave nothing empty, and no Chinese among the English", () => {
    expect([...sentences(both.zh), ...sentences(both.en)].filter(([, words]) => words === "")).toEqual([]);
    expect(sentences(both.en).filter(([, words]) => words !== OWN_NAME && /\p{Script=Han}/u.test(words))).toEqual([]);
  });
});
