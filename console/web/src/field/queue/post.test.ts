// @vitest-environment happy-dom
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Outcome } from "./act";
import { post } from "./post";
import { act } from "./stage";

const asked: { url: string; init: RequestInit }[] = [];

/** A console that gives one answer; null: nobody is reached. */
function console_(status: number | null, body: unknown = {}, headers: Record<string, string> = {}): void {
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    asked.push({ url, init });
    if (status === null) throw new TypeError("Failed to fetch");
    return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json", ...headers } });
  });
}
const headersOf = (at: number): Record<string, string> => asked[at]?.init.headers as Record<string, string>;

afterEach(() => {
  vi.unstubAllGlobals();
  asked.length = 0;
});

const STEP = act(1, { what: "made-safe", body: { reading_lel: 1.5 }, happenedMs: 1234 });
const REFUSED = { reason: "leak_since_then", zh: "此后又有泄漏报警：请重新检测", en: "it has leaked again since then: measure anew" };

describe("what the console's answer makes of an act", () => {
  it.each<[string, number | null, unknown, Record<string, string>, Outcome]>([
    ["done", 200, { request_id: "r", answer: {} }, {}, { kind: "sent" }],
    ["put, not answered yet", 202, { request_id: "r" }, {}, { kind: "put", requestId: "r" }],
    ["refused", 409, REFUSED, {}, { kind: "refused", refused: { status: 409, ...REFUSED, atMs: 9 } }],
    ["not allowed", 403, { reason: "not_allowed", zh: "否", en: "no" }, {}, { kind: "refused", refused: { status: 403, reason: "not_allowed", zh: "否", en: "no", atMs: 9 } }],
    ["signed out", 401, { reason: "not_signed_in", zh: "", en: "" }, {}, { kind: "signed_out" }],
    ["another's session", 403, { reason: "not_your_name", zh: "", en: "" }, {}, { kind: "signed_out" }],
    ["too often", 429, { reason: "slow_down" }, { "Retry-After": "7" }, { kind: "busy", afterS: 7 }],
    ["the same is being answered", 503, { reason: "still_being_answered" }, {}, { kind: "busy", afterS: 3 }],
    ["a fault", 500, "?", {}, { kind: "busy", afterS: 3 }],
    ["nobody there", null, {}, {}, { kind: "unreachable" }],
  ])("%s", async (_, status, body, headers, outcome) => {
    console_(status, body, headers);
    expect(await post(STEP, () => 9)).toEqual(outcome);
  });

  it("names the fields that were not understood", async () => {
    console_(422, { reason: "invalid", zh: "请求内容有误", en: "not understood", errors: [{ where: "body.minutes", en: "too small" }] });
    expect(await post(STEP, () => 9)).toMatchObject({ kind: "refused", refused: { en: "not understood (body.minutes: too small)" } });
  });
});

describe("what an older page sent with another body under its key", () => {
  const REUSED = { reason: "idempotency_key_reused", zh: "已用于另一个请求", en: "was used for another request" };
  /** The console, which knows the key of the older page. */
  const knows = (key: string, also: string | null = null): void =>
    void vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
      asked.push({ url, init });
      const its = (init.headers as Record<string, string>)["Idempotency-Key"];
      return its === key || its === also ? Response.json(REUSED, { status: 422 }) : Response.json({ request_id: "r", answer: { again: true } });
    });

  it("is told under another key, always the same, with all that the station knows it by", async () => {
    knows("key-1");
    expect([await post(STEP, () => 9), await post(STEP, () => 9)]).toEqual([{ kind: "sent" }, { kind: "sent" }]);
    expect(asked.map((_, at) => headersOf(at)["Idempotency-Key"])).toEqual(["key-1", "key-1/2", "key-1", "key-1/2"]);
    expect(new Set(asked.map((each) => `${each.url} ${String(each.init.body)}`)).size).toBe(1);
  });

  it("is refused where that key is taken too, and a picture at once", async () => {
    knows("key-1", "key-1/2");
    expect(await post(STEP, () => 9)).toMatchObject({ kind: "refused", refused: { reason: REUSED.reason } });
    asked.length = 0;
    const photo = act(1, { what: "photo", picture: { bytes: new ArrayBuffer(3), type: "image/jpeg", place: null } });
    expect(await post(photo, () => 9)).toMatchObject({ kind: "refused", refused: { reason: REUSED.reason } });
    expect(asked).toHaveLength(1);
  });
});

describe("what is sent", () => {
  it("is the step with its true time and who did it, under its key", async () => {
    console_(200, { request_id: "r", answer: {} });
    await post(STEP, () => 9);
    expect(asked[0]?.url).toBe("/api/v1/orders/QX-1/made-safe");
    expect(JSON.parse(String(asked[0]?.init.body))).toEqual({ reading_lel: 1.5, actor: "C1-A", happened_ms: 1234 });
    expect(headersOf(0)["Idempotency-Key"]).toBe("key-1");
  });

  it("is the picture itself with its time and place", async () => {
    console_(201, { attachment_id: "a" });
    const bytes = new Uint8Array([0xff, 0xd8, 0xff]).buffer;
    const photo = act(2, { what: "photo", happenedMs: 77, picture: { bytes, type: "image/jpeg", place: { lon: 112.9, lat: 28.2, datum: "WGS-84" } } });
    expect(await post(photo, () => 9)).toEqual({ kind: "sent" });
    expect(asked[0]?.url).toBe("/api/v1/orders/QX-1/attachments");
    expect(headersOf(0)).toMatchObject({ "X-Attachment-Kind": "photo", "X-Happened-Ms": "77", "X-Lon": "112.9", "X-Lat": "28.2", "X-Datum": "WGS-84" });
  });

  it("is broken off where a step wants to leave before a picture, and a step never is", async () => {
    vi.stubGlobal("fetch", (_: string, init: RequestInit) => new Promise((_resolve, reject) => init.signal?.addEventListener("abort", () => reject(init.signal?.reason as Error))));
    const photo = act(2, { what: "photo", picture: { bytes: new ArrayBuffer(3), type: "image/jpeg", place: null } });
    const broken = new AbortController();
    const sending = post(photo, () => 9, broken.signal);
    broken.abort();
    expect(await sending).toEqual({ kind: "put_off" });
    console_(409, REFUSED);
    expect((await post(photo, () => 9, broken.signal)).kind).toBe("refused");
    expect((await post(STEP, () => 9, broken.signal)).kind).toBe("refused");
  });

  it.each<[unknown, number, Outcome["kind"]]>([
    [{ state: "pending", answer: null }, 200, "put"],
    [{ state: "done", answer: {} }, 200, "sent"],
    [{ state: "refused", answer: REFUSED }, 200, "refused"],
    [{ reason: "not_found" }, 404, "lost_request"],
  ])("is a question where the station had not answered: %o", async (body, status, kind) => {
    console_(status, body);
    expect((await post({ ...STEP, requestId: "r-1" }, () => 9)).kind).toBe(kind);
    expect(asked[0]?.url).toBe("/api/v1/requests/r-1");
  });
});
