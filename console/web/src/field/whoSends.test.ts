// @vitest-environment happy-dom
// What one technician did leaves under his own session alone, and a phone that was signed out in a dead spot stays so. The phone, its queue
// and its disk are the real ones; played is the platform.
import "fake-indexeddb/auto";
import { beforeAll, beforeEach, expect, it, vi } from "vitest";
import { hasLeft, session, signIn } from "@/shared/session";
import App from "./App.vue";
import { act, acts, day, orderOf, phone, refresh, waiting } from "./phone";
import { openKept } from "./queue/kept";
import { begin, button, dayOf, order, show } from "./stage";
import type { FieldOrder } from "./work/model";

const ORDER = () => order(Date.now());
const PICTURE = { bytes: new ArrayBuffer(3), type: "image/jpeg", place: null };
/** Whose the phone's cookie is; null: nobody's. */
let cookie: string | null = null;
let reception = true;
let told: { under: string; what: string; actor: unknown; word: unknown }[] = [];
/** What happens while today's orders are read. */
let meanwhile: () => void = () => undefined;
const until = <T>(look: () => T): Promise<T> => vi.waitFor(look, { timeout: 4000, interval: 10 });
const sessionOf = (who: string) => ({
  user: { name: who, display: who, roles: ["technician"], technician_id: who, language: null }, rights: [], csrf: `word of ${who}`, expires_ms: Date.now() + 1e7, now_ms: Date.now(), demo: false,
});

async function platform(address: string, init: RequestInit = {}): Promise<Response> {
  if (!reception) throw new TypeError("Failed to fetch");
  const path = address.replace("/api/v1", "");
  const method = init.method ?? "GET";
  const word = (init.headers as Record<string, string>)["X-CSRF-Token"];
  if (method !== "GET" && cookie !== null && word !== `word of ${cookie}`) return Response.json({ reason: "foreign_page", zh: "", en: "" }, { status: 403 });
  if (path === "/session" && method === "POST") cookie = (JSON.parse(String(init.body)) as { name: string }).name;
  if (cookie === null) return Response.json({ reason: "not_signed_in", zh: "", en: "" }, { status: 401 });
  const who = cookie;
  if (path === "/session" && method === "DELETE") {
    cookie = null;
    return new Response(null, { status: 204 });
  }
  if (path === "/session") return Response.json(sessionOf(who));
  if (path === "/field/orders") {
    meanwhile();
    return Response.json({ ...dayOf([ORDER()], Date.now()), technician_id: who, name: who, crew_id: "C1" });
  }
  const picture = path.endsWith("/attachments");
  told.push({ under: who, what: picture ? "photo" : (path.split("/").at(-1) ?? ""), actor: picture ? undefined : (JSON.parse(String(init.body)) as { actor: unknown }).actor, word });
  return Response.json(picture ? { attachment_id: "a" } : { request_id: "r", answer: {} }, { status: picture ? 201 : 200 });
}
const mine = (): FieldOrder => orderOf("QX-1") as FieldOrder;
const leaves = async (): Promise<void> => {
  reception = false;
  expect(await act(mine(), "accept")).toBe(true);
  expect(await act(mine(), "photo", {}, PICTURE)).toBe(true);
  await until(() => expect(waiting.value).toBe(2));
};

beforeAll(async () => {
  localStorage.clear();
  await begin([ORDER()]);
  vi.stubGlobal("BroadcastChannel", undefined);
  vi.stubGlobal("EventSource", class extends EventTarget {
    readyState = 0;
    close(): void {}
  });
});
beforeEach(async () => {
  vi.stubGlobal("fetch", platform);
  [reception, told, meanwhile] = [true, [], () => undefined];
  await signIn("C1-A", "secret");
  phone.signedOut = false;
  await refresh();
  await until(() => expect([phone.worker?.technicianId, acts.value.length]).toEqual(["C1-A", 0]));
  told = [];
});

it("sends nothing of his under a session that another began, and all of it once he is back", async () => {
  await leaves();
  // In another window of this phone: here nobody knows of it yet.
  cookie = "C1-B";
  reception = true;
  expect(session.value?.user.technician_id).toBe("C1-A");
  await refresh();
  await until(() => expect([phone.worker?.technicianId, session.value?.user.technician_id]).toEqual(["C1-B", "C1-B"]));
  await refresh();
  expect([told, acts.value.map((each) => [each.who, each.refused])]).toEqual([[], [["C1-A", null], ["C1-A", null]]]);
  await signIn("C1-A", "secret");
  await refresh();
  await until(() => expect(acts.value).toEqual([]));
  expect(told.map((each) => [each.under, each.what, each.actor, each.word])).toEqual([
    ["C1-A", "accept", "C1-A", "word of C1-A"],
    ["C1-A", "photo", undefined, "word of C1-A"],
  ]);
});

it("sends nothing of his where another signed in while the platform's time was asked for", async () => {
  await leaves();
  reception = true;
  meanwhile = () => (cookie = "C1-B");
  await refresh();
  await until(() => expect(session.value?.user.technician_id).toBe("C1-B"));
  await refresh();
  expect([told, acts.value.length]).toEqual([[], 2]);
  meanwhile = () => undefined;
  cookie = "C1-A";
  await until(() => refresh().then(() => expect(acts.value).toEqual([])));
  expect(told.every((each) => each.under === "C1-A")).toBe(true);
});

it("stays signed out where nobody heard of it, and keeps nothing of the day", async () => {
  await show(App);
  reception = false;
  document.querySelector<HTMLButtonElement>(".who")?.click();
  await until(() => button("退出").click());
  await until(() => expect([phone.worker, day.value, phone.signedOut, hasLeft()]).toEqual([null, null, true, true]));
  expect(cookie).toBe("C1-A");
  reception = true;
  // The first may still hear that nobody was reached.
  await until(() => refresh().then(() => expect([cookie, hasLeft()]).toEqual([null, false])));
  await refresh();
  expect([phone.worker, day.value, phone.signedOut]).toEqual([null, null, true]);
  expect(await (await openKept()).note("day")).toBeUndefined();
});

it("does not show orders that were asked for before he signed out", async () => {
  await show(App);
  let signedOut: Promise<unknown> | null = null;
  meanwhile = () => {
    document.querySelector<HTMLButtonElement>(".who")?.click();
    signedOut = until(() => button("退出").click());
  };
  const answer = platform;
  vi.stubGlobal("fetch", async (address: string, init: RequestInit = {}) => {
    const found = await answer(address, init);
    if (address.endsWith("/field/orders")) await signedOut;
    return found;
  });
  await refresh();
  await until(() => expect([phone.worker, day.value]).toEqual([null, null]));
  expect(await (await openKept()).note("day")).toBeUndefined();
});
