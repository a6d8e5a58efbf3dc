import { describe, expect, it } from "vitest";
import { after, again, next, pauseAfter, type Act, type Outcome, type Refused } from "./act";
import { act } from "./stage";

const REFUSED: Refused = { status: 409, reason: "not_on_site", zh: "请先登记到场", en: "report on site first", atMs: 5 };

describe("which act is sent next", () => {
  it("is the oldest, however they are listed", () => {
    expect(next([act(3), act(1), act(2)], "C1-A")?.no).toBe(1);
  });

  it("is none of somebody else's", () => {
    expect(next([act(1, { who: "C2-A" })], "C1-A")).toBeNull();
  });

  it("is none behind a refused step of its order; other orders go on", () => {
    const acts = [act(1, { refused: REFUSED }), act(2), act(3, { orderNo: "QX-2" })];
    expect(next(acts, "C1-A")?.no).toBe(3);
    expect(next(acts.slice(0, 2), "C1-A")).toBeNull();
  });

  it("is a step before any picture, and a picture also where a step was refused", () => {
    const photo = act(1, { what: "photo" });
    expect(next([photo, act(2)], "C1-A")?.no).toBe(2);
    expect(next([photo, act(2, { refused: REFUSED })], "C1-A")?.no).toBe(1);
  });

  it("is no refused picture, which holds nothing back", () => {
    const acts = [act(1, { what: "photo", refused: REFUSED }), act(2, { what: "signature" }), act(3)];
    expect(next(acts, "C1-A")?.no).toBe(3);
    expect(next(acts.slice(0, 2), "C1-A")?.no).toBe(2);
  });
});

describe("what becomes of an act", () => {
  it.each<[Outcome, number | null]>([
    [{ kind: "sent" }, 0],
    [{ kind: "refused", refused: REFUSED }, 0],
    [{ kind: "put", requestId: "r" }, 1000],
    [{ kind: "busy", afterS: 7 }, 7000],
    [{ kind: "signed_out" }, null],
  ])("%o pauses %s", (outcome, pause) => expect(pauseAfter(outcome, 0)).toBe(pause));

  it("is gone once sent, and only then", () => {
    expect(after(act(1), { kind: "sent" })).toBeNull();
    for (const kind of ["unreachable", "signed_out"] as const) expect(after(act(1), { kind })).toEqual(act(1));
    expect(after(act(1), { kind: "put", requestId: "r" })?.requestId).toBe("r");
    expect(after(act(1, { requestId: "r" }), { kind: "lost_request" })?.requestId).toBeNull();
  });

  it("keeps the station's words with a refusal, and gets a new key when it is sent again", () => {
    const refused = after(act(1), { kind: "refused", refused: REFUSED });
    expect(refused?.refused?.zh).toBe("请先登记到场");
    expect(again(refused as Act, "key-new")).toEqual(act(1, { key: "key-new" }));
  });

  it("waits longer each time nobody can be reached, and never more than half a minute", () => {
    const pauses = [0, 1, 2, 3, 4, 5, 50].map((failures) => pauseAfter({ kind: "unreachable" }, failures));
    expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });
});
