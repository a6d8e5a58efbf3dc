// @vitest-environment happy-dom
import { afterEach, expect, it } from "vitest";
import { setLanguage } from "@/shared/i18n";
import { NOW, stage, strike, until } from "../more/stage";
import Holds from "./Holds.vue";

afterEach(strike);

const hold = (why: string) => ({
  hold_id: why, hold: "safety", words: { zh: "安全", en: "safety" }, cause: "", cause_words: null, incident_id: null, set_ms: NOW - 60_000, set_by: "line", lifted_ms: NOW, lifted_by: "T1",
  lifted_why: why, in_force: false,
});

it("says since when one is in force, with a space between its name and the time", async () => {
  await stage(Holds, { homeId: "H1", district: "430102", holds: [{ ...hold(""), lifted_ms: null, lifted_by: null, lifted_why: null, in_force: true }] }, {}, { rights: ["read"] });
  await until(() => expect(document.querySelector("li")?.textContent).toMatch(/^■ 安全 \d\d:\d\d:\d\d/));
});

it("says why a hold was lifted in words, and what a person wrote as it stands", async () => {
  const whys = ["closed_without_gas", "order archived", "credit 20.00", "passed on to 0b7d7bb4-8a43-4c5e-9c29-6f1a2b3c4d5e", "立管已修好 / riser repaired", "W-7"];
  await stage(Holds, { homeId: "H1", district: "430102", holds: whys.map(hold) }, {}, { rights: ["read"] });
  const said = () => [...document.querySelectorAll("li")].map((each) => each.textContent?.split("T1 ")[1]?.trim());
  await until(() => expect(said()).toEqual(["未复气，阀门保持切断", "抢修单已归档", "余额 20.00 元", "转由新的事件保持", "立管已修好", "W-7"]));
  setLanguage("en");
  await until(() =>
    expect(said()).toEqual(["gas not restored, the valve stays closed", "order archived", "credit 20.00 CNY", "held by a new incident from now on", "riser repaired", "W-7"]),
  );
});
