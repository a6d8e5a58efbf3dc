// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { defineComponent, h, ref } from "vue";
import { gathered, type Listing, useListing } from "./listing";
import { Refused, type Stage, stage, strike, until } from "./stage";

type Item = { id: number };
const whole = [{ id: 1 }, { id: 2 }, { id: 3 }];
const pages = ({ query }: { query: Record<string, string> }) => {
  if (query.kind === "other") return { items: [{ id: 9 }], next: null };
  const at = Number(query.after ?? 0);
  return { items: whole.slice(at, at + 1), next: at + 1 < whole.length ? String(at + 1) : null };
};

let list: Listing<Item>;
const kind = ref<string | null>(null);
const Page = defineComponent({
  setup() {
    list = useListing<Item>("/things", () => ({ kind: kind.value }), { limit: 1 });
    return () => h("p", list.items.value.map((item) => item.id).join());
  },
});

let on: Stage;
beforeEach(async () => {
  kind.value = null;
  on = await stage(Page, {}, { "GET /things": pages });
  await until(() => expect(list.items.value).toEqual([{ id: 1 }]));
});
afterEach(strike);

describe("a list of the API", () => {
  it("reads on by its cursor, and once however often it is asked to", async () => {
    void list.more();
    await list.more();
    await until(() => expect(list.items.value.map((item) => item.id)).toEqual([1, 2]));
    await list.more();
    expect(list.hasMore.value).toBe(false);
    expect(on.asked.map((each) => each.query.after ?? "")).toEqual(["", "1", "2"]);
  });

  it("reads everything that is shown again when something may have been missed", async () => {
    await list.more();
    on.tell("resync", {});
    await until(() => expect(on.asked).toHaveLength(4));
    await until(() => expect(list.items.value.map((item) => item.id)).toEqual([1, 2]));
  });

  it("is another list under another query, from its beginning", async () => {
    await list.more();
    kind.value = "other";
    await until(() => expect(list.items.value).toEqual([{ id: 9 }]));
    expect(list.hasMore.value).toBe(false);
  });

  it("begins again where its cursor is no longer known, and shows any other refusal beside what it has", async () => {
    on.answer("GET /things", ({ query }: { query: Record<string, string> }) => (query.after ? new Refused(422, "bad_cursor", "翻页标记无效", "not a cursor") : pages({ query })));
    await list.more();
    await until(() => expect(on.asked.at(-1)?.query.after).toBeUndefined());
    expect(list.moreProblem.value).toBeNull();
    await until(() => expect(list.items.value).toEqual([{ id: 1 }]));
    on.answer("GET /things", ({ query }: { query: Record<string, string> }) => (query.after ? new Refused(503, "database_away", "数据库暂时无法访问", "away") : pages({ query })));
    await list.more();
    expect(list.moreProblem.value?.reason).toBe("database_away");
    expect(list.items.value).toEqual([{ id: 1 }]);
  });
});

it("many news in a moment are one reading", () => {
  vi.useFakeTimers();
  const act = vi.fn();
  const again = gathered(300, act);
  for (let news = 0; news < 50; news += 1) again();
  vi.advanceTimersByTime(299);
  expect(act).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(act).toHaveBeenCalledTimes(1);
  again();
  vi.advanceTimersByTime(300);
  expect(act).toHaveBeenCalledTimes(2);
  vi.useRealTimers();
});
