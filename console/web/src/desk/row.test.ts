// @vitest-environment happy-dom
// One row of the incident list: a report of the meter and what was seen to hold differ in words, not in colour alone.
import { afterEach, describe, expect, it } from "vitest";
import { setLanguage } from "@/shared/i18n";
import { incident } from "@/wall/stage";
import { stage, strike, until } from "./more/stage";
import Row from "./Row.vue";

afterEach(strike);

const reported = { valve: "reported_closed", valve_words: { zh: "表端报告：已切断", en: "the meter reports the valve closed" } };
const facts = async (wanted: object): Promise<string> => (await stage(Row, { incident: incident({ ...reported, ...wanted }), selected: false }, {})).find(".facts li").textContent ?? "";

describe("the valve in a row of the list", () => {
  it("is only reported closed, and says that it is not proven", async () => {
    expect(await facts({ proof: "not_yet", proof_words: { zh: "尚不能证明关严", en: "not yet provable" } })).toBe("✓表端报告：已切断 · …尚不能证明关严");
  });

  it("was seen to hold, in both languages", async () => {
    expect(await facts({ proof: "holds", proof_words: { zh: "已证明：无燃气流过", en: "proven: no gas flows" } })).toBe("✓表端报告：已切断 · ✓已证明：无燃气流过");
    setLanguage("en");
    await until(() => expect(document.querySelector(".facts li")?.textContent).toBe("✓The meter reports the valve closed · ✓proven: no gas flows"));
  });

  it("is none that can be closed from here where the hotline was told of an address without a home", async () => {
    expect(await facts({ kind: "hotline_report", home_id: null, valve: "none", close_sent_ms: null })).toBe("!登记中没有这一户：平台无法切断阀门，燃气可能仍通");
  });

  it("says nothing of a proof before a report", async () => {
    expect(await facts({ valve: "commanded", valve_words: { zh: "切断指令已发出", en: "close command sent" } })).toBe("…切断指令已发出");
  });
});
