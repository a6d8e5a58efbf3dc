// Where the crew is, told to the desk by this phone: while the crew is on shift and on an order, he has allowed it, the page is open
// and the platform is heard; at no other time is the place asked of the phone.
//
//   whereabouts    reactive: his choice, when it was told last, what is wrong
//   due            ref: it may be told now, if he allows it
//   allow(yes)     his choice, kept on this phone for him alone
//   startWhereabouts()   once
//
// Nothing is kept for later: a place that could not be told is forgotten, and the next is taken anew. The platform stamps what it hears
// with its own time, and a place of a while ago would be taken for one of now.

import { computed, reactive, watch } from "vue";
import { post } from "@/shared/api";
import { deadline } from "@/shared/deadline";
import { demo } from "@/shared/session";
import { day, keepNote, keptNote, orders, phone, stateOf } from "./phone";
import { trueNow } from "./time";
import { placeNow, type NoPlace } from "./work/place";

export const EVERY_MS = 60_000;
/** What is farther off, m, would send the wrong crew rather than the nearest. */
export const EXACT_M = 1000;
const NOT_HIS_YET: readonly string[] = ["created", "waiting", "assigned", "archived"];

export const whereabouts = reactive({
  choice: null as boolean | null,
  toldMs: null as number | null,
  trouble: null as NoPlace | "inexact" | "untold" | null,
});

/** A demonstration's crew is where the simulation puts it, not where the page is looked at. */
export const due = computed(
  () => phone.worker !== null && !phone.signedOut && !phone.worker.demo && !demo.value && day.value?.on_shift === true && orders.value.some((order) => !NOT_HIS_YET.includes(stateOf(order))),
);
export const telling = computed(() => due.value && whereabouts.choice === true);

const noteOf = (technicianId: string): string => `place:${technicianId}`;
let triedAt = Number.NEGATIVE_INFINITY;
let busy = false;

async function tell(): Promise<void> {
  const crew = phone.worker?.crewId;
  const early = performance.now() - triedAt < EVERY_MS / 2;
  if (busy || early || !telling.value || !phone.reached || document.visibilityState !== "visible" || crew === undefined) return;
  busy = true;
  triedAt = performance.now();
  try {
    const found = await placeNow();
    // He may have stopped it, or the order may be over, while the phone looked for itself.
    if (!telling.value) return;
    if (typeof found === "string") whereabouts.trouble = found;
    else if (found.withinM > EXACT_M) whereabouts.trouble = "inexact";
    else {
      await post(`/crews/${encodeURIComponent(crew)}/position`, { lon: found.lon, lat: found.lat, coord_datum: found.datum }, { signal: deadline(15_000) });
      whereabouts.toldMs = trueNow();
      whereabouts.trouble = null;
    }
  } catch {
    whereabouts.trouble = "untold";
    triedAt = Number.NEGATIVE_INFINITY;
  } finally {
    busy = false;
  }
}

/** His choice; the browser asks him only after he said yes here. */
export async function allow(yes: boolean): Promise<void> {
  const technicianId = phone.worker?.technicianId;
  if (technicianId === undefined) return;
  whereabouts.choice = yes;
  whereabouts.trouble = null;
  whereabouts.toldMs = null;
  triedAt = Number.NEGATIVE_INFINITY;
  void tell();
  await keepNote(noteOf(technicianId), yes);
}

export function startWhereabouts(): void {
  watch(
    () => phone.worker?.technicianId,
    async (technicianId) => {
      Object.assign(whereabouts, { choice: null, toldMs: null, trouble: null });
      const kept = technicianId === undefined ? undefined : await keptNote<boolean>(noteOf(technicianId));
      if (phone.worker?.technicianId === technicianId && whereabouts.choice === null) whereabouts.choice = kept ?? null;
    },
    { immediate: true },
  );
  watch([telling, () => phone.reached], () => void tell());
  setInterval(() => void tell(), EVERY_MS);
}
