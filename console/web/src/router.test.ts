// @vitest-environment happy-dom
// Where a sign-in ends, the door is told whether anybody sat at the page; who signs out himself leaves no draft of a handover behind.
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { router } from "./router";
import { keepUnsigned } from "./desk/handover/draft";
import { hasLeft, readSession, sessionEnded, signOut } from "./shared/session";

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

it.each([
  ["himself", false, () => (signOut(), router.push("/signin"))],
  ["in another tab", false, () => dispatchEvent(new StorageEvent("storage", { key: "signed out", newValue: "1" }))],
  ["by the end of his session", true, sessionEnded],
])("a handover that is not signed, of who was signed out %s, is still there: %s, also where its page was not opened", async (_, there, leave) => {
  keepUnsigned("li.wei", { remarks: "8 栋停电", chosen: {} });
  leave();
  await vi.waitFor(() => expect(router.currentRoute.value.path).toBe("/signin"));
  expect(sessionStorage.getItem("handover:li.wei") !== null).toBe(there);
  await vi.waitFor(() => expect(hasLeft()).toBe(false));
});
