// The list beside the map: the order of what matters is the desk's own, what does not fit is counted and never silently left out. Pure.

import { moreUrgent } from "@/shared/words";
import type { Incident } from "./things";

export { begunMs } from "@/shared/begun";

/** However tall the screen: more lines are read by nobody from five metres, and cost time to draw. */
export const LINES_MAX = 40;

/** `now` Unix ms: what matters more changes with time alone. */
export function inOrder(incidents: readonly Incident[], now: number): Incident[] {
  return incidents.filter((incident) => incident.state === "open").sort((a, b) => moreUrgent(a, b, now));
}

/** Whether the order may change though nobody says anything: a close is waited for. */
export function waitedFor(incidents: readonly Incident[]): boolean {
  return incidents.some(({ valve }) => valve === "commanded" || valve === "accepted");
}

/** What has room in `places` lines, and how many are left over: "and N more" takes one of the lines. */
export function capped<T>(list: readonly T[], places: number): { shown: readonly T[]; more: number } {
  const room = Math.min(LINES_MAX, Math.max(1, Math.floor(places)));
  if (list.length <= room) return { shown: list, more: 0 };
  const shown = list.slice(0, Math.max(1, room - 1));
  return { shown, more: list.length - shown.length };
}
