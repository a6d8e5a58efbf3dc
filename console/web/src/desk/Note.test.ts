// @vitest-environment happy-dom
import { afterEach, expect, it } from "vitest";
import { h, shallowRef } from "vue";
import Note from "./Note.vue";
import { NOW, stage, strike, until } from "./more/stage";

afterEach(strike);

it("acknowledges the alarm that stood there when it was begun, not one that came while he wrote", async () => {
  const incident = shallowRef({ incident_id: "i1", address_zh: "松岚小区 201", address_en: "Songlan 201", alarmed_again_ms: null as number | null });
  const page = { render: () => h(Note, { incident: incident.value as never, act: "acknowledge" }) };
  const on = await stage(page, {}, { "POST /incidents/i1/acknowledge": {} });
  on.write("备注", "已致电");
  incident.value = { ...incident.value, alarmed_again_ms: NOW };
  await until(() => on.find("form"));
  on.find<HTMLFormElement>("form").dispatchEvent(new Event("submit", { cancelable: true }));
  await until(() => expect(on.to("POST /incidents/i1/acknowledge")).toHaveLength(1));
  expect(on.to("POST /incidents/i1/acknowledge")[0]?.body).toEqual({ note: "已致电", alarm_ms: 0 });
});
