// @vitest-environment happy-dom
import { afterEach, expect, it } from "vitest";
import { NOW, stage, strike, until } from "./more/stage";
import Where from "./Where.vue";

afterEach(strike);

const incident = { lon: 112.94, lat: 28.23, coord_datum: "WGS-84" };
const crew = (told_ms: number) => ({ crew_id: "C1", lon: 112.95, lat: 28.23, coord_datum: "WGS-84", position_ms: told_ms, post_lon: 113, post_lat: 28.2, post_datum: "WGS-84" });

it.each([
  [29, "位置时间"],
  [31, "的驻点"],
])("a crew that told %d minutes ago where it is is told by %s", async (minutes, words) => {
  const on = await stage(Where, { incident, crew: crew(NOW - minutes * 60_000) }, { "GET /map": { boundary: null } });
  await until(() => expect(on.root.textContent).toContain(words));
});
