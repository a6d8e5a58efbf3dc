// One try to send an act over the API, as an outcome that act.ts understands. Never throws.

import { changeHeaders, get, refusalOf, send } from "@/shared/api";
import { deadline, either } from "@/shared/deadline";
import { readSession } from "@/shared/session";
import type { Act, Outcome } from "./act";
import { isStep } from "./act";

const STEP_MS = 20_000;
const PICTURE_MS = 90_000;
/** Said by a doorway or a busy platform: it will be otherwise in a moment. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

interface Answered {
  request_id: string;
  answer?: unknown;
}
interface Asked {
  state: "pending" | "done" | "refused";
  answer: { reason?: string; zh?: string; en?: string } | null;
}

/** `broken`: breaks a picture off; a step always goes to its end. */
export async function post(act: Act, nowMs: () => number, broken?: AbortSignal): Promise<Outcome> {
  try {
    return await (act.requestId === null ? sendOnce(act, broken) : askAgain(act.requestId, nowMs));
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal.status === 0) return { kind: broken?.aborted ? "put_off" : "unreachable" };
    // Whoever is signed in is not he who did it.
    if (refusal.status === 401 || refusal.reason === "not_your_name") return { kind: "signed_out" };
    if (act.requestId !== null && refusal.status === 404) return { kind: "lost_request" };
    // The word that a change carries is of an older session: whoever signed in anew on this phone has another.
    if (refusal.reason === "foreign_page") {
      await readSession(true).catch(() => null);
      return { kind: "busy", afterS: 2 };
    }
    if (PASSING.has(refusal.status)) return { kind: "busy", afterS: refusal.retryAfterS ?? 3 };
    const fields = refusal.errors.map((field) => `${field.where}: ${field.en}`).join("; ");
    return {
      kind: "refused",
      refused: { status: refusal.status, reason: refusal.reason, zh: refusal.zh, en: fields ? `${refusal.en} (${fields})` : refusal.en, atMs: nowMs() },
    };
  }
}

/** A step that an older page sent, and heard no answer to, had another body under its key. By what was done, and when, the station knows it again. */
async function sendOnce(act: Act, broken?: AbortSignal): Promise<Outcome> {
  try {
    return await sendNow(act, broken);
  } catch (error) {
    if (!isStep(act) || refusalOf(error).reason !== "idempotency_key_reused") throw error;
    return await sendNow({ ...act, key: `${act.key}/2` }, broken);
  }
}

async function sendNow(act: Act, broken?: AbortSignal): Promise<Outcome> {
  const path = `/orders/${encodeURIComponent(act.orderNo)}/${isStep(act) ? act.what : "attachments"}`;
  if (!isStep(act) && act.picture !== null) {
    const { place, bytes, type } = act.picture;
    await send(path, {
      method: "POST",
      headers: {
        ...changeHeaders(act.key),
        "Content-Type": type,
        "X-Attachment-Kind": act.what,
        "X-Happened-Ms": String(act.happenedMs),
        ...(place ? { "X-Lon": String(place.lon), "X-Lat": String(place.lat), "X-Datum": place.datum } : {}),
      },
      body: bytes,
      signal: either(broken, deadline(PICTURE_MS)),
    });
    return { kind: "sent" };
  }
  const response = await send(path, {
    method: "POST",
    headers: { ...changeHeaders(act.key), "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ ...act.body, actor: act.who, happened_ms: act.happenedMs }),
    signal: deadline(STEP_MS),
  });
  const answered = (await response.json()) as Answered;
  return response.status === 202 ? { kind: "put", requestId: answered.request_id } : { kind: "sent" };
}

async function askAgain(requestId: string, nowMs: () => number): Promise<Outcome> {
  const asked = await get<Asked>(`/requests/${requestId}`, {}, { signal: deadline(STEP_MS) });
  if (asked.state === "pending") return { kind: "put", requestId };
  if (asked.state === "done") return { kind: "sent" };
  const said = asked.answer ?? {};
  return {
    kind: "refused",
    refused: { status: 409, reason: said.reason ?? "refused", zh: said.zh ?? "站点拒绝了该请求", en: said.en ?? "the station refused", atMs: nowMs() },
  };
}
