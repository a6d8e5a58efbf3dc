// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import type { Clocks, Entry } from "@/shared/model";
import { byTime, told } from "./story";

const T = 1_775_120_400_000;
let count = 0;
const NTH = ["opened", "close_sent", "order_sent", "created", "call_placed"];
const entry = (kind: string, at = 0): Entry => ({ entry_id: `event:${String((count += 1)).padStart(3, "0")}`, at_ms: T + at, nth: NTH.indexOf(kind), kind, actor: "line", detail: {}, zh: kind, en: kind });
const clocks = (known: Partial<Record<keyof Clocks, number>>): Clocks =>
  Object.fromEntries(Object.entries(known).map(([name, at]) => [name, T + (at ?? 0)])) as unknown as Clocks;

describe("the story", () => {
  it("puts each clock beside its own sentence, also where all carry one millisecond", () => {
    const entries = [entry("close_sent"), entry("opened"), entry("created"), entry("call_placed", 20)].sort(byTime);
    const found = told(entries, clocks({ T0: -4000, T2: 0, T3: 0, T8: 0, T6a: 20 }));
    expect(found.map((each) => [each.entry.kind, ...each.clocks])).toEqual([["opened", "T2"], ["close_sent", "T3"], ["created", "T8"], ["call_placed", "T6a"]]);
  });

  it("stands in one order, whether it was read or heard live, in whichever order it came", () => {
    const all = [entry("opened"), entry("close_sent"), entry("order_sent"), entry("created"), entry("call_placed"), entry("call_placed")];
    const orders = [all, [...all].reverse(), [3, 0, 5, 2, 4, 1].map((at) => all[at] as Entry)];
    for (const order of orders) {
      let heard: Entry[] = [];
      for (const each of order) heard = [...heard, each].sort(byTime);
      expect(heard).toEqual(all);
    }
  });

  it("gives a clock to one sentence alone, and to none where nobody speaks of it", () => {
    const found = told([entry("call_placed", 20), entry("call_placed", 20), entry("accept", 90)], clocks({ T6a: 20, T9: 55 }));
    expect(found.map((each) => each.clocks)).toEqual([["T6a"], [], []]);
  });

  it("tells of many re-sends in a row the first and the last", () => {
    const entries = [entry("close_sent"), ...[1, 2, 4, 8].map((s) => entry("close_resent", s * 1000)), entry("no_answer", 9000), entry("close_resent", 16_000)];
    const found = told(entries, clocks({}));
    expect(found.map((each) => (each.entry.at_ms - T) / 1000)).toEqual([0, 1, 8, 9, 16]);
    expect(found.map((each) => each.folded)).toEqual([0, 0, 2, 0, 0]);
  });

  it("tells of a leak that lasts the first and the last note in a row, and each that says something else", () => {
    const note = (s: number, zh: string) => ({ ...entry("leak_again", s * 1000), entry_id: `step:${s}`, zh });
    const entries = [note(1, "已派单"), note(2, "已派单"), note(3, "已派单"), note(4, "退回到场"), note(5, "已到场"), note(6, "已到场")];
    expect(told(entries, clocks({})).map((each) => (each.entry.at_ms - T) / 1000)).toEqual([1, 3, 4, 5, 6]);
  });
});
