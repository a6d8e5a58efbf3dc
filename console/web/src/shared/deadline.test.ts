// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { get, refusalOf } from "./api";
import { deadline } from "./deadline";

const own = AbortSignal.timeout;

beforeEach(() => {
  vi.useFakeTimers();
  // As in a browser of the age that the pages are built for.
  Object.assign(AbortSignal, { timeout: undefined });
});
afterEach(() => {
  AbortSignal.timeout = own;
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("the end of a request's time", () => {
  it("comes when it is due, also where the browser has no such thing itself", () => {
    expect(AbortSignal.timeout).toBeUndefined();
    const signal = deadline(8000);
    vi.advanceTimersByTime(7999);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(signal.aborted).toBe(true);
  });

  it("makes of a console that does not answer one that is not reached", async () => {
    vi.stubGlobal("fetch", (_: string, init: RequestInit) => new Promise((_resolve, reject) => init.signal?.addEventListener("abort", () => reject(init.signal?.reason as Error))));
    const asking = get("/field/orders", {}, { signal: deadline(15_000) }).catch(refusalOf);
    vi.advanceTimersByTime(15_000);
    expect(await asking).toMatchObject({ status: 0, reason: "unreachable" });
  });
});
