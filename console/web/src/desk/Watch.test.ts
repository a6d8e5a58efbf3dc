// @vitest-environment happy-dom
import { afterEach, expect, it } from "vitest";
import { setLanguage } from "@/shared/i18n";
import { Refused, stage, strike, until } from "./more/stage";
import Watch from "./Watch.vue";

afterEach(strike);

it("says on every page that the open incidents could not be read, until they can", async () => {
  const on = await stage(Watch, {}, { "GET /incidents": new Refused(503, "database_away", "数据库暂时不可用", "the database is away") });
  await until(() => expect(on.find("[role=alert]").textContent).toContain("数据库暂时不可用"));
  expect(on.says("列表可能不全")).toBe(true);
  setLanguage("en");
  await until(() => expect(on.says("the list may not be whole")).toBe(true));
  on.answer("GET /incidents", { items: [], next: null });
  on.tell("resync", {});
  await until(() => expect(document.querySelector("[role=alert]")).toBeNull());
  expect(on.says("the list may not be whole")).toBe(false);
});
