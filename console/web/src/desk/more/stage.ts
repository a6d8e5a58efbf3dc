// A stage for tests of pages: a console that answers by a table, somebody signed in, a page in a document. The pages are the real ones.

import { vi } from "vitest";
import { createApp, type App, type Component } from "vue";
import { createMemoryHistory, createRouter, type Router } from "vue-router";
import { addMessages, i18n, setLanguage } from "@/shared/i18n";
import "@/shared/messages";
import { known, session, type Right } from "@/shared/session";
import { startStream, stopStream } from "@/shared/stream";
import { Source } from "@/shared/wireStage";
import admin from "../admin/messages";
import conditions from "../conditions/messages";
import crews from "../crews/messages";
import desk from "../messages";
import handover from "../handover/messages";
import home from "../home/messages";
import orders from "../orders/messages";
import search from "../search/messages";
import more from "./messages";

for (const [name, words] of Object.entries({ admin, conditions, crews, desk, handover, home, more, orders, search })) addMessages(name, words);

export interface Asked {
  method: string;
  path: string;
  query: Record<string, string>;
  body: Record<string, unknown>;
  key: string | null;
}
export type Answer = object | ((asked: Asked) => object | Promise<object>);

/** What the console refuses, as its problem details. */
export class Refused {
  constructor(readonly status: number, readonly reason: string, readonly zh: string, readonly en: string) {}
}

export const NOW = 1_795_340_000_000;

export interface Stage {
  root: HTMLElement;
  router: Router;
  asked: Asked[];
  /** Answers from now on. */
  answer: (call: string, answer: Answer) => void;
  tell: (event: string, thing: object) => void;
  find: <E extends HTMLElement = HTMLElement>(selector: string) => E;
  /** A button or link by what it says, anywhere on the page: dialogs too. */
  button: (text: string) => HTMLButtonElement;
  press: (text: string) => void;
  write: (label: string, value: string) => void;
  says: (text: string) => boolean;
  to: (call: string) => Asked[];
}

let app: App | null = null;

export async function stage(page: Component, props: Record<string, unknown>, answers: Record<string, Answer>, options: { rights?: Right[]; at?: string; name?: string; demo?: boolean } = {}): Promise<Stage> {
  strike();
  const asked: Asked[] = [];
  const table = new Map(Object.entries(answers));
  vi.stubGlobal("EventSource", Source);
  vi.stubGlobal("BroadcastChannel", undefined);
  vi.stubGlobal("fetch", async (address: string, init: RequestInit = {}) => {
    const url = new URL(address, "http://console.test");
    const headers = new Headers(init.headers);
    const call: Asked = {
      method: init.method ?? "GET",
      path: url.pathname.replace("/api/v1", ""),
      query: Object.fromEntries(url.searchParams),
      body: typeof init.body === "string" ? (JSON.parse(init.body) as Record<string, unknown>) : {},
      key: headers.get("Idempotency-Key"),
    };
    asked.push(call);
    const found = table.get(`${call.method} ${call.path}`);
    if (found === undefined) return Response.json({ reason: "not_found", zh: `没有 ${call.path}`, en: `nothing at ${call.path}` }, { status: 404 });
    const told = typeof found === "function" ? await (found as (asked: Asked) => object)(call) : found;
    return told instanceof Refused ? Response.json({ reason: told.reason, zh: told.zh, en: told.en }, { status: told.status }) : Response.json(told);
  });
  const name = options.name ?? "zhou.min";
  session.value = {
    user: { name, display: "周敏", roles: ["operator"], districts: null, technician_id: null, crew_id: null, language: "zh" },
    rights: options.rights ?? ["read"],
    csrf: "word",
    expires_ms: NOW + 3_600_000,
    now_ms: NOW,
    demo: options.demo ?? false,
  };
  known.value = true;
  setLanguage("zh");
  startStream();
  Source.last.open();
  tell("clock", { now_ms: NOW, rate: 1, live: true, since_ms: null });
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: "/:rest(.*)*", component: { render: () => null } }] });
  await router.push(options.at ?? "/");
  document.body.innerHTML = "";
  const root = document.body.appendChild(document.createElement("div"));
  app = createApp(page, props);
  app.use(i18n).use(router).mount(root);
  const buttons = () => [...document.querySelectorAll<HTMLButtonElement>("button, a, summary")];
  const button = (text: string): HTMLButtonElement => {
    const found = buttons().findLast((each) => each.textContent?.trim() === text) ?? buttons().findLast((each) => each.textContent?.includes(text));
    if (!found) throw new Error(`nothing to press says ${text}: ${document.body.textContent}`);
    return found;
  };
  return {
    root,
    router,
    asked,
    answer: (call, answer) => void table.set(call, answer),
    tell,
    find: <E extends HTMLElement>(selector: string): E => {
      const found = document.querySelector<E>(selector);
      if (!found) throw new Error(`no ${selector}`);
      return found;
    },
    button,
    press: (text) => button(text).click(),
    write: (label, value) => write(label, value),
    says: (text) => (document.body.textContent ?? "").includes(text),
    to: (call) => asked.filter((each) => `${each.method} ${each.path}` === call),
  };
}

function tell(event: string, thing: object): void {
  Source.last.say(event, thing);
}

function write(label: string, value: string): void {
  const found = [...document.querySelectorAll("label")].findLast((each) => each.textContent?.includes(label));
  const field = found?.htmlFor ? document.getElementById(found.htmlFor) : found?.querySelector("input, select, textarea");
  if (!(field instanceof HTMLElement)) throw new Error(`no field ${label}`);
  (field as HTMLInputElement).value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.dispatchEvent(new Event("change", { bubbles: true }));
}

export function strike(): void {
  app?.unmount();
  app = null;
  stopStream();
  document.body.innerHTML = "";
}

/** Until it is so; says what it waited for where it never is. */
export const until = <T>(look: () => T): Promise<T> => vi.waitFor(look, { timeout: 4000, interval: 10 });
