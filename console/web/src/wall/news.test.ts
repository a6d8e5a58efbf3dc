import { describe, expect, it } from "vitest";
import { FLASH_EVERY_MS, News, SHOWN_MS, wordsOf } from "./news";
import { incident, T0 } from "./stage";

describe("what is new", () => {
  it("flashes at once, and is gone by itself", () => {
    const news = new News();
    news.tell([incident()], 0);
    expect(news.look(0)).toMatchObject({ flash: 1 });
    expect(news.look(SHOWN_MS - 1)?.incidents).toHaveLength(1);
    expect(news.look(SHOWN_MS)).toBeNull();
  });

  it("flashes no more often than eyes can bear, and counts all that began meanwhile", () => {
    const news = new News();
    let flashes = 0;
    let last = 0;
    for (let now = 0; now < 10_000; now += 10) {
      news.tell([incident({ incident_id: String(now) })], now);
      const flash = news.look(now)?.flash ?? 0;
      if (flash !== last) flashes += 1;
      last = flash;
    }
    expect(flashes).toBe(Math.ceil(10_000 / FLASH_EVERY_MS));
    expect(news.look(9_990)?.incidents.length).toBeGreaterThan(500);
  });

  it("flashes once more for what began just after a flash, then rests", () => {
    const news = new News();
    news.tell([incident({ incident_id: "a" })], 0);
    expect(news.look(0)?.flash).toBe(1);
    news.tell([incident({ incident_id: "b" })], 100);
    expect(news.look(200)?.flash).toBe(1);
    expect(news.look(FLASH_EVERY_MS)?.flash).toBe(2);
    expect(news.look(2 * FLASH_EVERY_MS)?.flash).toBe(2);
  });

  it("flashes again for one that alarms anew, which is still one incident", () => {
    const news = new News();
    news.tell([incident()], 0);
    expect(news.look(0)?.flash).toBe(1);
    news.tell([incident({ alarmed_again_ms: T0 + 5_000 })], 5_000);
    expect(news.look(5_000)).toMatchObject({ flash: 2, incidents: [{ alarmed_again_ms: T0 + 5_000 }] });
    expect(news.look(5_000)?.incidents).toHaveLength(1);
  });

  it("has its own words where it alarms anew", () => {
    const fresh = incident();
    const anew = incident({ alarmed_again_ms: T0 + 5_000 });
    expect([[fresh], [anew], [fresh, fresh], [anew, anew], [fresh, anew, fresh]].map(wordsOf)).toEqual([
      { key: "one", fresh: 1, again: 0 }, { key: "again", fresh: 0, again: 1 }, { key: "many", fresh: 2, again: 0 }, { key: "many_again", fresh: 0, again: 2 }, { key: "both", fresh: 2, again: 1 },
    ]);
  });
});
