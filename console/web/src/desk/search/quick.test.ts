// @vitest-environment happy-dom
import { afterEach, expect, it } from "vitest";
import { nextTick } from "vue";
import { session } from "@/shared/session";
import { stage, strike, until } from "../more/stage";
import { openSearch } from "./quick";

afterEach(strike);

const hit = { kind: "home", id: "H1", title_zh: "松岚小区 201", title_en: "201", detail_zh: "", detail_en: "", home_id: null, open_incident_id: null };
const box = (): HTMLInputElement | null => document.querySelector("[role=search] input");

it("the search goes with the session that opened it, and so does what it found", async () => {
  const on = await stage({ render: () => null }, {}, { "GET /search": { items: [hit], telephones: true } });
  const signedIn = session.value;
  openSearch();
  await until(() => expect(box()).not.toBeNull());
  const field = box() as HTMLInputElement;
  field.value = "松岚 201";
  field.dispatchEvent(new Event("input"));
  await until(() => expect(on.says("松岚小区 201")).toBe(true));

  session.value = null;
  await nextTick();
  expect(box()).toBeNull();
  expect(on.says("松岚小区 201")).toBe(false);
  await until(() => expect(document.body.className).not.toContain("el-popup-parent--hidden"));
  openSearch();
  await nextTick();
  expect(box()).toBeNull();

  session.value = signedIn;
  await nextTick();
  openSearch();
  await until(() => expect(box()).not.toBeNull());
  expect(box()?.value).toBe("");
  expect(on.says("松岚小区 201")).toBe(false);
});
