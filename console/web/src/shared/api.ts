// Speaks HTTP with the console: JSON, the session's CSRF value, an idempotency key on every change, refusals as one type.
//
//   get<T>(path, query?)        reads;  path is below /api/v1, e.g. get<Page<Incident>>("/incidents", { state: "open" })
//   post / patch / remove       change; every call is one act: a retry of the same act passes the same `key`
//                               of all: what is not answered whole after 20 s is a Refusal, so that nobody waits behind it for ever
//   ask<T>(path, body?)         a POST that a station answers: waits also where the console said "not answered yet" (202)
//   Refusal                     whatever went wrong, with a sentence in both languages that may be shown to a person
//   refusalOf(error)            any thrown thing as a Refusal
//
// Decides nothing about what is shown. Who is told of a lost session is set by session.ts.

import { idleMs } from "./attendance";
import { deadline, either } from "./deadline";
import type { Words } from "./model";

export type Query = Record<string, string | number | boolean | null | undefined>;

export interface Options {
  /** Idempotency-Key; by default a new one. */
  key?: string;
  signal?: AbortSignal;
}

interface Problem {
  status?: number;
  reason?: string;
  zh?: string;
  en?: string;
  request_id?: string | null;
  errors?: { where: string; en: string }[] | null;
}

const BASE = "/api/v1";
const ANSWER_WAIT_MS = 20_000;
const STATION_WAIT_MS = 20_000;
const STATION_POLL_MS = 700;

/** The answer was no, or there was none. `status` is 0 when the console could not be reached. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    readonly zh: string,
    readonly en: string,
    readonly requestId: string | null = null,
    readonly errors: { where: string; en: string }[] = [],
    readonly retryAfterS: number | null = null,
  ) {
    super(en);
    this.name = "Refusal";
  }

  get words(): Words {
    return { zh: this.zh, en: this.en };
  }
}

export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const what = error instanceof Error ? error.message : String(error);
  return new Refusal(0, "fault_of_page", `页面出错：${what}`, `a fault of this page: ${what}`);
}

const carried: { csrf: string | null; signedOut: () => void } = { csrf: null, signedOut: () => undefined };

/** For session.ts: the value that changes carry, and what happens when the console no longer knows who asks. */
export function carry(csrf: string | null, signedOut?: () => void): void {
  carried.csrf = csrf;
  if (signedOut) carried.signedOut = signedOut;
}

export function newKey(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The address of something of the API, for links, images and sounds. */
export function addressOf(path: string, query: Query = {}): string {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== null && value !== undefined && value !== "") asked.set(name, String(value));
  const tail = asked.toString();
  return BASE + path + (tail ? `?${tail}` : "");
}

/** The headers of a change, for those who send something else than JSON. */
export function changeHeaders(key: string = newKey()): Record<string, string> {
  return { "Idempotency-Key": key, ...(carried.csrf === null ? {} : { "X-CSRF-Token": carried.csrf }) };
}

async function refused(response: Response): Promise<Refusal> {
  let problem: Problem = {};
  try {
    problem = (await response.json()) as Problem;
  } catch {
    // Not one of the console's own answers: a proxy's page.
  }
  const after = Number(response.headers.get("Retry-After"));
  return new Refusal(
    response.status,
    problem.reason ?? "http",
    problem.zh ?? `请求失败（${response.status}）`,
    problem.en ?? `the request failed (${response.status})`,
    problem.request_id ?? null,
    problem.errors ?? [],
    Number.isFinite(after) && after > 0 ? after : null,
  );
}

/** A request as it is; throws Refusal. Everything else here is made of it. It says how long nobody has touched this page. */
export async function send(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  const headers = { ...(init.headers as Record<string, string> | undefined), "X-Idle-Seconds": String(Math.floor(idleMs() / 1000)) };
  try {
    response = await fetch(path.startsWith("/api/") ? path : BASE + path, { credentials: "same-origin", ...init, headers });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refusal(0, "unreachable", "无法连接平台，请检查网络", "the platform cannot be reached, check the network");
  }
  if (response.ok) return response;
  const refusal = await refused(response);
  if (refusal.status === 401 && refusal.reason === "not_signed_in") carried.signedOut();
  throw refusal;
}

async function read<T>(response: Response): Promise<T> {
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

/** What `asking` gives within 20 s; else a Refusal, with these words more. */
async function inTime<T>(given: AbortSignal | undefined, asking: (signal: AbortSignal) => Promise<T>, zh = "", en = ""): Promise<T> {
  const late = deadline(ANSWER_WAIT_MS);
  try {
    return await asking(either(given, late));
  } catch (error) {
    if (zh !== "" && !late.aborted && error instanceof Refusal && error.reason === "unreachable") throw new Refusal(0, "unreachable", error.zh + zh, error.en + en);
    if (!late.aborted || given?.aborted === true || (error instanceof Refusal && error.status !== 0)) throw error;
    throw new Refusal(0, "no_answer", `平台 20 秒内没有答复${zh}`, `the platform has not answered for 20 s${en}`);
  }
}

function change<T>(method: string, path: string, body: unknown, options: Options): Promise<{ status: number; data: T }> {
  const headers = { Accept: "application/json", ...changeHeaders(options.key), ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
  const init = { method, headers, body: body === undefined ? undefined : JSON.stringify(body) };
  const sent = async (signal: AbortSignal) => {
    const response = await send(path, { ...init, signal });
    return { status: response.status, data: await read<T>(response) };
  };
  // Whether it was done is not known; whoever tries again with the same key does nothing twice.
  return inTime(options.signal, sent, "：不知道是否已执行，请核对后再试", ": whether it was done is not known, look before you try again");
}

export async function get<T>(path: string, query: Query = {}, options: { signal?: AbortSignal } = {}): Promise<T> {
  return inTime(options.signal, async (signal) => read<T>(await send(addressOf(path, query), { headers: { Accept: "application/json" }, signal })));
}

export async function post<T>(path: string, body: unknown = {}, options: Options = {}): Promise<T> {
  return (await change<T>("POST", path, body, options)).data;
}

export async function patch<T>(path: string, body: unknown, options: Options = {}): Promise<T> {
  return (await change<T>("PATCH", path, body, options)).data;
}

export async function remove<T = void>(path: string, options: Options = {}): Promise<T> {
  return (await change<T>("DELETE", path, undefined, options)).data;
}

interface RequestState {
  state: "pending" | "done" | "refused";
  answer: Record<string, unknown> | null;
}

/** What a station says to a request, or its refusal; after 20 s without a word a Refusal `no_answer_yet`. */
export async function ask<T = Record<string, unknown>>(path: string, body: unknown = {}, options: Options = {}): Promise<T> {
  const { status, data } = await change<{ request_id: string; answer?: T }>("POST", path, body, options);
  if (status !== 202) return (data.answer ?? data) as T;
  const end = performance.now() + STATION_WAIT_MS;
  while (performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, STATION_POLL_MS));
    const found = await get<RequestState>(`/requests/${data.request_id}`, {}, { signal: options.signal });
    if (found.state === "done") return (found.answer ?? {}) as T;
    if (found.state === "refused") {
      const answer = found.answer ?? {};
      const reason = String(answer.reason ?? "refused");
      throw new Refusal(409, reason, String(answer.zh ?? "站点拒绝了该请求"), String(answer.en ?? `the station refused: ${reason}`), data.request_id);
    }
  }
  throw new Refusal(202, "no_answer_yet", "请求已提交，站点尚未答复", "the request is put; the station has not answered yet", data.request_id);
}
