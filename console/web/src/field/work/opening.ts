// Whether the valve may be asked to open now. Pure. An open is never queued: what is not so at this moment is said, nothing is kept.

import type { FieldOrder, Live } from "./model";

export type Bar = "no_live" | "not_stored" | "against";

/** What stands in the way on this phone; the line judges again. `unsent`: steps of the order that the platform has not heard of. */
export function barOf(order: Pick<FieldOrder, "state" | "live">, streamLive: boolean, unsent: number): Bar | null {
  if (!streamLive) return "no_live";
  if (unsent > 0) return "not_stored";
  if (order.state !== "tightness_passed" || order.live.against_opening.length > 0) return "against";
  return null;
}

export type Phase =
  | { kind: "idle" }
  | { kind: "asking" }
  | { kind: "sent"; commandId: string; expiresMs: number }
  | { kind: "opened" }
  | { kind: "expired" }
  | { kind: "refused"; zh: string; en: string }
  /** No answer was heard: it may have been sent. */
  | { kind: "unknown"; untilMs: number };

/** What became of it, as the place shows it now. */
export function watched(phase: Phase, live: Live, nowMs: number): Phase {
  if (phase.kind !== "sent" && phase.kind !== "unknown") return phase;
  if (live.valve === "opened" && live.opened_ms !== null) return { kind: "opened" };
  const opening = live.opening;
  if (phase.kind === "unknown") {
    if (opening !== null && opening.expires_ms > nowMs && opening.done_ms === null) return { kind: "sent", commandId: opening.command_id, expiresMs: opening.expires_ms };
    return nowMs > phase.untilMs ? { kind: "expired" } : phase;
  }
  if (opening !== null && opening.command_id === phase.commandId && (opening.result === "rejected" || opening.result === "expired")) return { kind: "expired" };
  // The meter's word may be a moment behind its key.
  return nowMs > phase.expiresMs + 5000 ? { kind: "expired" } : phase;
}
