// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ask, carry, get, post, Refusal, refusalOf, remove } from "./api";

interface Asked {
  path: string;
  method: string;
  headers: Headers;
  body: string | null;
}

/** The console at the other end of the wire: answers in order, and remembers what it was asked. */
function console_(...answers: { status: number; body?: unknown; headers?: Record<string, string> }[]): Asked[] {
  const asked: Asked[] = [];
  vi.stubGlobal("fetch", async (path: string, init: RequestInit = {}) => {
    asked.push({ path, method: init.method ?? "GET", headers: new Headers(init.headers), body: (init.body as string | undefined) ?? null });
    const next = answers.shift();
    if (next === undefined) throw new TypeError("Failed to fetch");
    return new Response(next.body === undefined ? null : JSON.stringify(next.body), { status: next.status, headers: next.headers });
  });
  return asked;
}

const problem = (status: number, reason: string) => ({ status, body: { status, reason, zh: "阀门仍须保持切断", en: "the valve is still held closed", request_id: "r1" } });

beforeEach(() => carry("secret", () => undefined));
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("changes", () => {
  it("carry the session's value and a key of their own each", async () => {
    const asked = console_({ status: 200, body: {} }, { status: 200, body: {} });
    await post("/incidents/1/remarks", { text: "ok" });
    await post("/incidents/1/remarks", { text: "ok" });
    expect(asked.map((each) => each.headers.get("X-CSRF-Token"))).toEqual(["secret", "secret"]);
    expect(new Set(asked.map((each) => each.headers.get("Idempotency-Key"))).size).toBe(2);
  });

  it("made again carry the same key", async () => {
    const asked = console_({ status: 200, body: {} }, { status: 200, body: {} });
    await post("/orders/QX/accept", {}, { key: "k1" });
    await post("/orders/QX/accept", {}, { key: "k1" });
    expect(asked.map((each) => each.headers.get("Idempotency-Key"))).toEqual(["k1", "k1"]);
  });

  it("reading carries neither", async () => {
    const asked = console_({ status: 200, body: { items: [], next: null } });
    await get("/incidents", { state: "open", after: null, home_id: "" });
    expect(asked[0]?.path).toBe("/api/v1/incidents?state=open");
    expect(asked[0]?.headers.get("Idempotency-Key")).toBeNull();
  });
});

describe("refusals", () => {
  it("say in both languages what the station said", async () => {
    console_(problem(409, "held"));
    const refusal = refusalOf(await ask("/orders/QX/open-valve").catch((error: unknown) => error));
    expect(refusal).toMatchObject({ status: 409, reason: "held", zh: "阀门仍须保持切断", en: "the valve is still held closed", requestId: "r1" });
  });

  it("an answer that is nobody's problem details is still a sentence", async () => {
    vi.stubGlobal("fetch", async () => new Response("<html>", { status: 502 }));
    expect(await get("/incidents").catch(refusalOf)).toMatchObject({ status: 502, en: "the request failed (502)" });
  });

  it("a console out of reach has status 0", async () => {
    console_();
    await expect(get("/incidents")).rejects.toMatchObject({ status: 0, reason: "unreachable" });
  });

  it("a lock-out says for how long", async () => {
    console_({ ...problem(429, "locked_out"), headers: { "Retry-After": "90" } });
    await expect(post("/session", {})).rejects.toMatchObject({ retryAfterS: 90 });
  });

  it("only a lost session leads to the door, not a wrong password", async () => {
    const left = vi.fn();
    carry("secret", left);
    console_({ status: 401, body: { reason: "wrong_name_or_password" } }, { status: 401, body: { reason: "not_signed_in" } });
    await expect(post("/session", {})).rejects.toBeInstanceOf(Refusal);
    expect(left).not.toHaveBeenCalled();
    await expect(get("/incidents")).rejects.toBeInstanceOf(Refusal);
    expect(left).toHaveBeenCalledOnce();
  });
});

describe("a request that hangs", () => {
  /** As a browser: a request that nobody answers ends when it is told to. */
  const hangs = (init: RequestInit): Promise<never> =>
    new Promise((_resolve, reject) => init.signal?.addEventListener("abort", () => reject(init.signal?.reason as Error)));

  beforeEach(() => vi.useFakeTimers());

  it("ends after twenty seconds, with a reason that may be shown", async () => {
    vi.stubGlobal("fetch", (_: string, init: RequestInit) => hangs(init));
    const refusal = vi.fn();
    void get("/incidents").catch(refusal);
    await vi.advanceTimersByTimeAsync(19_999);
    expect(refusal).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(refusal.mock.calls[0]?.[0]).toMatchObject({ status: 0, reason: "no_answer", en: "the platform has not answered for 20 s" });
  });

  it("ends also where the answer breaks off in the middle", async () => {
    vi.stubGlobal("fetch", async (_: string, init: RequestInit) => ({ ok: true, status: 200, json: () => hangs(init) }));
    const refusal = get("/incidents").catch(refusalOf);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await refusal).toMatchObject({ status: 0, reason: "no_answer" });
  });

  it("that never got through says so, and of a change that it may have been done all the same", async () => {
    vi.stubGlobal("fetch", async () => Promise.reject(new TypeError("network down")));
    const [read, changed] = await Promise.all([get("/incidents").catch(refusalOf), post("/incidents").catch(refusalOf)]);
    expect(read).toMatchObject({ reason: "unreachable", en: "the platform cannot be reached, check the network" });
    expect(changed).toMatchObject({ status: 0, reason: "unreachable", en: expect.stringContaining("whether it was done is not known") as string });
  });

  it("ends too where it is a change, which may have been done all the same", async () => {
    vi.stubGlobal("fetch", (_: string, init: RequestInit) => hangs(init));
    const refusals = Promise.all([post("/incidents"), ask("/homes/home-0001/close-valve"), remove("/tokens/t1")].map((sent) => sent.catch(refusalOf)));
    await vi.advanceTimersByTimeAsync(20_000);
    const en = "the platform has not answered for 20 s: whether it was done is not known, look before you try again";
    expect(await refusals).toMatchObject(Array(3).fill({ status: 0, reason: "no_answer", en }));
  });

  it("is ended sooner by whoever asked", async () => {
    vi.stubGlobal("fetch", (_: string, init: RequestInit) => hangs(init));
    const mine = new AbortController();
    const ended = get("/search", {}, { signal: mine.signal }).catch((error: unknown) => error);
    mine.abort();
    expect(await ended).toMatchObject({ name: "AbortError" });
  });
});

describe("a station that has not answered yet", () => {
  it("is waited for", async () => {
    vi.useFakeTimers();
    console_({ status: 202, body: { request_id: "r2" } }, { status: 200, body: { state: "pending", answer: null } }, { status: 200, body: { state: "done", answer: { state: "accepted" } } });
    const answer = ask("/orders/QX/accept");
    await vi.advanceTimersByTimeAsync(1_500);
    expect(await answer).toEqual({ state: "accepted" });
  });

  it("and its later refusal is a refusal", async () => {
    vi.useFakeTimers();
    console_({ status: 202, body: { request_id: "r3" } }, { status: 200, body: { state: "refused", answer: { reason: "not_on_site", zh: "尚未到场", en: "not on site" } } });
    const answer = ask("/orders/QX/open-valve").catch(refusalOf);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await answer).toMatchObject({ status: 409, reason: "not_on_site", zh: "尚未到场" });
  });

  it("for ever is said", async () => {
    vi.useFakeTimers();
    const waiting = Array.from({ length: 40 }, () => ({ status: 200, body: { state: "pending", answer: null } }));
    console_({ status: 202, body: { request_id: "r4" } }, ...waiting);
    const answer = ask("/orders/QX/accept").catch(refusalOf);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(await answer).toMatchObject({ reason: "no_answer_yet" });
  });
});
