import { describe, expect, it } from "vitest";
import { Refusal } from "@/shared/api";
import { useAct } from "./act";

describe("an act", () => {
  it("is sent once while it is under way", async () => {
    const act = useAct();
    let sent = 0;
    let answer: (value: string) => void = () => undefined;
    const first = act.run("close", () => {
      sent += 1;
      return new Promise<string>((resolve) => (answer = resolve));
    });
    expect(await act.run("close", async () => "second")).toBeNull();
    answer("done");
    expect(await first).toBe("done");
    expect(sent).toBe(1);
  });

  it("keeps its key over a lost answer, and takes another after a no, a yes, or when it is another act", async () => {
    const act = useAct();
    const keys: string[] = [];
    const failing = (status: number) => async (key: string) => {
      keys.push(key);
      throw new Refusal(status, "reason", "不行", "no");
    };
    await act.run({ reason: "a" }, failing(0));
    await act.run({ reason: "a" }, failing(503));
    await act.run({ reason: "a" }, failing(422));
    await act.run({ reason: "a" }, async (key) => void keys.push(key));
    await act.run({ reason: "a" }, failing(0));
    await act.run({ reason: "b" }, failing(0));
    expect(keys[1]).toBe(keys[0]);
    expect(keys[2]).toBe(keys[0]);
    expect(new Set(keys.slice(2)).size).toBe(4);
  });

  it("is asked for once more where its retry meets the no that an earlier press was given, and that press alone", async () => {
    const act = useAct();
    const keys: string[] = [];
    /** The console: what a key was answered first it is answered for ever. */
    const answers = new Map<string, number>();
    let answer = 202;
    const send = async (key: string) => {
      keys.push(key);
      const status = answers.get(key) ?? answers.set(key, answer).get(key);
      if (status !== 200) throw new Refusal(status ?? 0, "no_crew", "没有空闲抢修队", "no crew is free");
      return "sent";
    };
    expect(await act.run("reassign", send)).toBeNull();
    answers.set(keys[0] ?? "", 409);
    answer = 200;
    expect(await act.run("reassign", send)).toBe("sent");
    expect([keys.length, new Set(keys).size, act.refusal.value]).toEqual([3, 2, null]);

    answer = 409;
    expect(await act.run("reassign", send)).toBeNull();
    expect([keys.length, act.refusal.value?.reason]).toEqual([4, "no_crew"]);

    // What is asked for anew and not answered is retried under its own key.
    answer = 202;
    await act.run("reassign", send);
    answers.set(keys[4] ?? "", 409);
    await act.run("reassign", send);
    expect(act.refusal.value?.status).toBe(202);
    answers.set(keys[6] ?? "", 200);
    expect(await act.run("reassign", send)).toBe("sent");
    expect(keys.slice(4)).toEqual([keys[4], keys[4], keys[6], keys[6]]);
  });

  it("keeps the refusal to be shown, until it is tried again", async () => {
    const act = useAct();
    await act.run(1, async () => {
      throw new Refusal(409, "held", "阀门仍须保持切断", "the valve is still held closed");
    });
    expect(act.refusal.value?.reason).toBe("held");
    expect(act.pending.value).toBe(false);
    await act.run(1, async () => "ok");
    expect(act.refusal.value).toBeNull();
  });
});
