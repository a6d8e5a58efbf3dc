// @vitest-environment happy-dom
// Where a sign-in ends, the door is told whether anybody sat at the page.
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { router } from "./router";
import { readSession, sessionEnded } from "./shared/session";

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date", "performance"] });
  const said = { user: { roles: ["operator"] }, rights: ["read"], csrf: "word", expires_ms: 1, now_ms: 0, demo: false };
  vi.stubGlobal("fetch", () => Promise.resolve(Response.json(said)));
  await readSession(true);
  await router.push("/nowhere");
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it.each([[90_000, "unattended"], [0, ""]])("after %d ms without a touch as %s", async (untouchedMs, ended) => {
  dispatchEvent(new Event("keydown"));
  vi.advanceTimersByTime(untouchedMs);
  sessionEnded();
  await vi.waitFor(() => expect(router.currentRoute.value.fullPath).toBe(`/signin?to=/nowhere&ended=${ended}`));
});
