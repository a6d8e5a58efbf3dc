// @vitest-environment happy-dom
// Whoever signs out where the console is not heard is out: the cookie lives on, and no page takes the session up again by it.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

let heard = true;
/** Whose the browser's cookie is. */
let cookie: string | null = null;
let asked: string[] = [];
let hold: Promise<void> | null = null;
/** A request that is lost on its way, and one that is answered late: "DELETE /session". */
let lost = "";
let slow: { what: string; until: Promise<void> } | null = null;

/** The console, as the gate and the sessions have it. */
async function console_(address: string, init: RequestInit = {}): Promise<Response> {
  const method = init.method ?? "GET";
  const { "X-CSRF-Token": word } = init.headers as Record<string, string>;
  const what = `${method} ${address.replace("/api/v1", "")}`;
  asked.push(what);
  if (slow?.what === what) await slow.until;
  if (!heard || what === lost) throw new TypeError("Failed to fetch");
  const view = (name: string): Response => Response.json({ user: { name, display: name, roles: ["technician"], technician_id: name, language: null }, rights: [], csrf: `word of ${name}`, expires_ms: 1, now_ms: 0, demo: false });
  if (method !== "GET" && cookie !== null && word !== `word of ${cookie}`) return Response.json({ reason: "foreign_page" }, { status: 403 });
  if (method === "POST") cookie = (JSON.parse(String(init.body)) as { name: string }).name;
  const who = cookie;
  if (method === "GET" && hold !== null) await hold;
  if (who === null) return Response.json({ reason: "not_signed_in" }, { status: 401 });
  if (method !== "DELETE") return view(who);
  cookie = null;
  return new Response(null, { status: 204 });
}

let unloaded: (() => void)[] = [];
const own = globalThis.addEventListener.bind(globalThis);

/** A page is opened, or read again: it knows nothing but what the browser keeps. */
async function page(): Promise<typeof import("./session")> {
  vi.resetModules();
  return import("./session");
}
/** Its page before is no more. */
async function reload(): Promise<typeof import("./session")> {
  vi.clearAllTimers();
  for (const gone of unloaded) gone();
  unloaded = [];
  return page();
}
const later = (ms: number) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  vi.stubGlobal("fetch", console_);
  vi.spyOn(globalThis, "addEventListener").mockImplementation((kind: string, take: unknown) => {
    own(kind, take as EventListener);
    unloaded.push(() => globalThis.removeEventListener(kind, take as EventListener));
  });
  localStorage.clear();
  [heard, cookie, asked, hold, lost, slow] = [true, null, [], null, "", null];
});
afterEach(async () => {
  await reload();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

it("ends the session at the console, where it can be reached", async () => {
  const its = await page();
  await its.signIn("he.ping", "secret");
  its.signOut();
  expect(its.session.value).toBeNull();
  await later(0);
  expect([cookie, its.hasLeft()]).toEqual([null, false]);
  expect(await its.readSession()).toBeNull();
});

describe("signed out where the console cannot be reached", () => {
  let its: typeof import("./session");
  beforeEach(async () => {
    its = await page();
    await its.signIn("he.ping", "secret");
    heard = false;
    its.signOut();
    await later(0);
    asked = [];
  });

  it("is out at once, and takes nothing up while the console is away, nor once it is heard", async () => {
    expect([its.session.value, its.hasLeft(), cookie]).toEqual([null, true, "he.ping"]);
    await expect(its.readSession(true)).rejects.toMatchObject({ status: 0 });
    heard = true;
    expect(await its.readSession(true)).toBeNull();
    expect([its.session.value, its.hasLeft(), cookie]).toEqual([null, false, null]);
    expect(await its.readSession(true)).toBeNull();
  });

  it("says it to the console by itself, once that is heard", async () => {
    await later(12_000);
    expect(cookie).toBe("he.ping");
    heard = true;
    await later(5000);
    expect([cookie, its.hasLeft()]).toEqual([null, false]);
    asked = [];
    await later(60_000);
    expect(asked).toEqual([]);
  });

  it("is out after a reload too, and asks for nothing but the end", async () => {
    its = await reload();
    await expect(its.readSession()).rejects.toMatchObject({ status: 0 });
    expect([its.session.value, cookie]).toEqual([null, "he.ping"]);
    heard = true;
    its = await reload();
    asked = [];
    expect(await its.readSession()).toBeNull();
    expect(asked).toEqual(["GET /session", "DELETE /session"]);
    expect([its.session.value, cookie, its.hasLeft()]).toEqual([null, null, false]);
    expect(await (await reload()).readSession()).toBeNull();
  });

  it("is out for good where the session has ended meanwhile", async () => {
    cookie = null;
    heard = true;
    its = await reload();
    expect([await its.readSession(), its.hasLeft()]).toEqual([null, false]);
  });

  it.each(["in the same page", "after a reload"])("lets the next come in, %s", async (when) => {
    if (when === "after a reload") its = await reload();
    heard = true;
    await its.signIn("luo.min", "secret");
    expect(asked.slice(-2)).toEqual(["DELETE /session", "POST /session"]);
    expect([its.session.value?.user.name, cookie, its.hasLeft()]).toEqual(["luo.min", "luo.min", false]);
    await later(60_000);
    expect((await (await reload()).readSession())?.user.name).toBe("luo.min");
  });
});

it.each(["in the same page", "after a reload"])("lets the next come in where only the end was lost, %s", async (when) => {
  let its = await page();
  await its.signIn("he.ping", "secret");
  lost = "DELETE /session";
  its.signOut();
  await later(0);
  if (when === "after a reload") its = await reload();
  await its.signIn("luo.min", "secret");
  expect([its.session.value?.user.name, cookie, its.hasLeft()]).toEqual(["luo.min", "luo.min", false]);
});

describe("while the next comes in slowly", () => {
  let its: typeof import("./session");
  let answered = (): void => undefined;
  let signing: Promise<unknown>;
  beforeEach(async () => {
    its = await page();
    await its.signIn("he.ping", "secret");
    lost = "DELETE /session";
    its.signOut();
    await later(0);
    slow = { what: "POST /session", until: new Promise((resolve) => (answered = resolve)) };
    signing = its.signIn("luo.min", "secret").catch(() => undefined);
    await vi.waitUntil(() => asked.at(-1) === "POST /session");
    lost = "";
    asked = [];
  });

  it("nothing ends what was before beside him, and his word is carried", async () => {
    await later(12_000);
    expect([asked, await its.readSession(true)]).toEqual([[], null]);
    answered();
    await signing;
    await later(60_000);
    expect([its.session.value?.user.name, cookie, its.hasLeft(), asked]).toEqual(["luo.min", "luo.min", false, []]);
    const { changeHeaders } = await import("./api");
    expect(changeHeaders()["X-CSRF-Token"]).toBe("word of luo.min");
  });

  it("who has left is out at the console all the same where he does not come in", async () => {
    await later(12_000);
    heard = false;
    answered();
    await signing;
    heard = true;
    await later(6000);
    expect([its.session.value, cookie, its.hasLeft()]).toEqual([null, null, false]);
  });
});

it("takes no answer for one that was asked for before he signed out", async () => {
  const its = await page();
  await its.signIn("he.ping", "secret");
  let answered = (): void => undefined;
  hold = new Promise((resolve) => (answered = resolve));
  const reading = its.readSession(true);
  its.signOut();
  answered();
  expect(await reading).toBeNull();
  expect(its.session.value).toBeNull();
});

it("is out in every tab of this browser", async () => {
  const first = await page();
  await first.signIn("he.ping", "secret");
  const second = await page();
  const left: boolean[] = [];
  second.signedOutTo((out) => left.push(out));
  expect((await second.readSession())?.user.name).toBe("he.ping");
  heard = false;
  first.signOut();
  // A browser tells the other tabs so; nothing does here.
  dispatchEvent(Object.assign(new Event("storage"), { key: "signed out", newValue: "1" }));
  expect([second.session.value, left]).toEqual([null, [true]]);
  await expect(second.readSession(true)).rejects.toMatchObject({ status: 0 });
  heard = true;
  expect(await second.readSession(true)).toBeNull();
  expect(cookie).toBeNull();
});

it("is out for as long as the page lives where the browser keeps nothing", async () => {
  const its = await page();
  await its.signIn("he.ping", "secret");
  const nothing = (): never => {
    throw new DOMException("denied", "SecurityError");
  };
  for (const name of ["getItem", "setItem", "removeItem"] as const) vi.spyOn(Storage.prototype, name).mockImplementation(nothing);
  heard = false;
  its.signOut();
  await later(0);
  expect(cookie).toBe("he.ping");
  heard = true;
  expect(await its.readSession(true)).toBeNull();
  expect(cookie).toBeNull();
});
