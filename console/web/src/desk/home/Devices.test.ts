// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import { NOW, Refused, stage, strike, until } from "../more/stage";
import Devices from "./Devices.vue";
import messages from "./messages";

afterEach(strike);

const device = (device_id: string, kind: string, state: object | null, more: object = {}) => ({
  device_id, kind, home_id: "H1", account: device_id, made_on: null, retired: false, state, ...more,
});
const said = { heard_ms: NOW - 5000, last_ts: NOW - 5000, last_boot: 1, last_seq: 1, lane: "telemetry", report_interval_s: 60, clock_offset_ms: 100, flags: [] };

describe("the devices of a home", () => {
  it("say when they were heard; silence is unknown and never normal", async () => {
    const on = await stage(Devices, {
      devices: [
        device("D1", "detector", { ...said, state: "normal", ch4_lel: 0.2 }),
        device("D2", "detector", { ...said, heard_ms: NOW - 600_000, state: "normal", ch4_lel: 0 }),
        device("M1", "meter", null),
      ],
    }, {});
    expect(on.find("#device-D1").textContent).toContain("5 秒前");
    expect(on.find("#device-D1").textContent).not.toContain("不等于正常");
    expect(on.find("#device-D2").textContent).toContain("超过上报周期：状态不明，不等于正常");
    expect(on.find("#device-M1").textContent).toContain("从未收到：状态不明，不等于正常");
  });

  it("say what the meter flags in words", async () => {
    const on = await stage(Devices, { devices: [device("M1", "meter", { ...said, flags: ["micro_leak", "low_battery", "magnet"] })] }, {});
    expect(on.find("#device-M1").textContent).toContain("微漏 · 电池电量低 · 磁干扰");
    const words = { zh: messages.zh.meter_flag, en: messages.en.meter_flag };
    const flags = ["excess_flow", "long_use", "low_battery", "low_pressure", "magnet", "micro_leak", "reverse_flow", "seismic", "tamper", "tilt"];
    expect([Object.keys(words.zh).sort(), Object.keys(words.en).sort()]).toEqual([flags, flags]);
  });

  it("tell how far their clocks are off", async () => {
    const on = await stage(Devices, { devices: [device("D1", "detector", { ...said, clock_offset_ms: 120_000 })] }, {});
    expect(on.says("慢 2 分 00 秒")).toBe(true);
  });

  it("are asked by those who may, and a refusal stands at the device that was asked", async () => {
    const refused = new Refused(409, "meter_not_heard", "燃气表最近没有通信", "the meter was not heard just now");
    const devices = [device("D1", "detector", said), device("M1", "meter", said)];
    const on = await stage(Devices, { devices }, { "POST /devices/D1/self-test": { request_id: "r", answer: {} }, "POST /devices/M1/report": refused }, { rights: ["read", "device_command"] });
    const press = (id: string, text: string) => [...on.find(`#device-${id}`).querySelectorAll("button")].find((each) => each.textContent?.includes(text))?.click();
    press("D1", "要求自检");
    await until(() => expect(on.find("#device-D1 [role=status]").textContent).toContain("已要求 D1 自检"));
    press("M1", "要求立即上报");
    await until(() => expect(on.find("#device-M1 [role=alert]").textContent).toContain("燃气表最近没有通信"));
    expect(document.querySelector("#device-D1 [role=alert]")).toBeNull();
  });

  it("are asked nothing by who may not; a home without any says what that means", async () => {
    const on = await stage(Devices, { devices: [device("D1", "detector", said)] }, {}, { rights: ["read"] });
    expect(() => on.button("要求自检")).toThrow();
    const empty = await stage(Devices, { devices: [] }, {});
    expect(empty.says("本户没有人守护")).toBe(true);
  });
});
