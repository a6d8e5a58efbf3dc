// @vitest-environment happy-dom
// The service worker as it is served, in a browser of the age that the pages are built for.
import { afterEach, beforeEach, expect, it } from "vitest";
import SOURCE from "../../public/field/sw.js?raw";

const HTML = '<script type="module" src="/assets/field-1.js"></script>';
const own = AbortSignal.timeout;

beforeEach(() => void Object.assign(AbortSignal, { timeout: undefined }));
afterEach(() => void (AbortSignal.timeout = own));

it("keeps the page and every file that it names", async () => {
  const kept = new Map<string, string>();
  const path = (asked: string | Request) => new URL(typeof asked === "string" ? asked : asked.url, "http://console.test").pathname;
  const shell = {
    keys: async () => [...kept.keys()].map((each) => ({ url: `http://console.test${each}` })),
    add: async (asked: string | Request) => void kept.set(path(asked), "file"),
    put: async (asked: string | Request, response: Response) => void kept.set(path(asked), await response.text()),
    match: async () => undefined,
    delete: async () => true,
  };
  const listeners = new Map<string, (event: object) => void>();
  const fetched: RequestInit[] = [];
  const fetching = async (_: string, init: RequestInit) => {
    fetched.push(init);
    return new Response(HTML);
  };
  class Asked {
    readonly url: string;
    constructor(asked: string) {
      this.url = new URL(asked, "http://console.test").href;
    }
  }
  const worker = new Function("addEventListener", "caches", "fetch", "skipWaiting", "clients", "location", "Request", SOURCE);
  worker((kind: string, take: (event: object) => void) => listeners.set(kind, take), { open: async () => shell }, fetching, () => undefined, {}, { origin: "http://console.test" }, Asked);
  let installing: Promise<unknown> = Promise.resolve();
  listeners.get("install")?.({ waitUntil: (work: Promise<unknown>) => (installing = work) });
  await installing;
  expect(fetched[0]?.signal?.aborted).toBe(false);
  expect([...kept.keys()].sort()).toEqual(["/assets/field-1.js", "/field/", "/field/manifest.webmanifest", "/icon.svg"]);
  expect(kept.get("/field/")).toBe(HTML);
});
