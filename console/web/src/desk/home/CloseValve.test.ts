// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import { Refused, stage, strike, until } from "../more/stage";
import CloseValve from "./CloseValve.vue";

afterEach(strike);

const home = { home_id: "H1", address_zh: "芙蓉区 松岚小区 1栋 1单元 201室", address_en: "Room 201" };
const ready = (on: { find: (selector: string) => HTMLElement }) => (on.find(".el-dialog [type=submit]") as HTMLButtonElement).disabled === false;

describe("closing a valve from the desk", () => {
  it("says first that nothing here opens it again, wants a reason, and shows what the line refuses", async () => {
    const refused = new Refused(409, "no_meter", "没有可切断的燃气表", "there is no meter with a valve");
    const on = await stage(CloseValve, { home, modelValue: true }, { "POST /homes/H1/close-valve": refused });
    await until(() => expect(on.says("平台和值班室都不能开阀")).toBe(true));
    expect(ready(on)).toBe(false);
    on.write("切断的理由", "住户要求");
    await until(() => expect(ready(on)).toBe(true));
    on.find(".el-dialog [type=submit]").click();
    await until(() => expect(on.find("[role=alert]").textContent).toContain("没有可切断的燃气表"));
    expect(on.to("POST /homes/H1/close-valve")[0]?.body).toEqual({ reason: "住户要求" });
  });

  it("sends the same act again when its answer was lost, so that it is done once", async () => {
    let answers = 0;
    const on = await stage(CloseValve, { home, modelValue: true }, {
      "POST /homes/H1/close-valve": () => {
        answers += 1;
        if (answers === 1) throw new TypeError("the network is gone");
        return { request_id: "r1", answer: {} };
      },
    });
    await until(() => on.write("切断的理由", "住户要求"));
    await until(() => expect(ready(on)).toBe(true));
    on.find(".el-dialog [type=submit]").click();
    await until(() => expect(on.find("[role=alert]").textContent).toContain("无法连接平台"));
    on.find(".el-dialog [type=submit]").click();
    await until(() => expect(on.to("POST /homes/H1/close-valve")).toHaveLength(2));
    const [first, second] = on.to("POST /homes/H1/close-valve");
    expect(second?.key).toBe(first?.key);
    expect(first?.key).toBeTruthy();
  });
});
