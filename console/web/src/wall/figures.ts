// The figures of the wall and how each is to be read: what is not known is a dash, never a nought, and what wants an eye has a mark of
// its own beside its colour. Pure: takes what the API counted, words nothing but numbers.

import type { Tone } from "@/shared/words";
import { STEPS, stepOf, type Step } from "@/shared/words";
import { PROMISES, type Incident, type Kept, type Overview, type PromiseName, type Promises } from "./things";

export interface Figure {
  /** The key of its name under `wall.figures`, `wall.steps`, `wall.ages` or `wall.promises`. */
  name: string;
  /** null: not known. */
  value: number | null;
  /** A second number that belongs to it: busy crews, the whole of a part. */
  beside: number | null;
  tone: Tone;
  mark: string;
}

/** The self-check is late after so many seconds: as the line's own health says. */
export const CANARY_LATE_S = 180;
/** The console counts anew every second and is asked every few; older than this it does not answer as it should. */
export const FIGURES_OLD_MS = 15_000;

/** By then a person at the desk must have seen to it: as the ladder of calls does. */
export const UNHANDLED_LATE_MS = 90_000;

const PLAIN = { tone: "plain", mark: "" } as const;
const UNKNOWN = { tone: "waits", mark: "?" } as const;

function plain(name: string, value: number | null | undefined): Figure {
  return { name, value: value ?? null, beside: null, ...PLAIN };
}

/** A count that somebody has to work on as long as it is not nought. */
function wanting(name: string, value: number | null | undefined): Figure {
  return { name, value: value ?? null, beside: null, ...(value ? ({ tone: "waits", mark: "▲" } as const) : PLAIN) };
}

export function figuresOf(overview: Overview | null): Figure[] {
  const free = overview?.crews_free ?? null;
  const crewless = overview !== null && overview.crews_free === 0 && overview.orders_waiting > 0;
  return [
    plain("homes", overview?.homes),
    wanting("blind", overview?.blind),
    wanting("silent", overview?.silent),
    wanting("powerless", overview?.powerless),
    plain("held", overview?.valves_closed_by_hold),
    { name: "crews", value: free, beside: overview?.crews_busy ?? null, ...(crewless ? ({ tone: "bad", mark: "✕" } as const) : PLAIN) },
    wanting("waiting", overview?.orders_waiting),
  ];
}

/** What waits for a person to plan it has no crew either: it is counted with what waits for one. */
const TILES = STEPS.filter((step) => step !== "unplanned");
const tileOf = (step: Step): Step => (step === "unplanned" ? "crew_wanted" : step);

/** Open incidents by step, as the console counts them; from the roll where it does not and the roll is whole. */
export function stepsOf(overview: Overview | null, incidents: readonly Incident[], complete: boolean): { step: Step; count: number | null }[] {
  const counted = overview?.incidents_by_step;
  if (overview && counted) {
    // What began since then is on the list already: the two must not contradict each other for a second.
    const since = incidents.filter((incident) => incident.received_ms > overview.at_ms);
    return TILES.map((tile) => ({ step: tile, count: STEPS.reduce((sum, step) => sum + (tileOf(step) === tile ? (counted[step] ?? 0) : 0), at(tile, since)) }));
  }
  if (overview === null || !complete) return TILES.map((tile) => ({ step: tile, count: null }));
  return TILES.map((tile) => ({ step: tile, count: at(tile, incidents) }));
}

const at = (tile: Step, incidents: readonly Incident[]): number => incidents.filter((incident) => tileOf(stepOf(incident)) === tile).length;

/** Ages in ms, by the server's clock. `staleSince`: since when the stream is silent; null while it speaks. */
export function agesOf(overview: Overview | null, now: number, stale: boolean, staleSince: number | null): Figure[] {
  // The figures may still be counted while nobody tells of incidents: what is older of the two is the age of what is shown.
  const data = overview === null ? null : Math.max(0, now - Math.min(overview.at_ms, stale && staleSince !== null ? staleSince : now));
  const canary = overview === null || overview.canary_age_s === null ? null : overview.canary_age_s * 1000 + Math.max(0, now - overview.at_ms);
  const since = overview?.oldest_unhandled_ms ?? null;
  const oldest = since === null ? null : Math.max(0, now - since);
  return [
    { name: "data", value: data, beside: null, ...(data === null ? UNKNOWN : stale || data > FIGURES_OLD_MS ? ({ tone: "bad", mark: "▲" } as const) : { tone: "good", mark: "●" }) },
    { name: "unhandled", value: oldest, beside: null, ...unhandled(overview, oldest) },
    { name: "canary", value: overview?.canary_passed ? canary : null, beside: null, ...checked(overview, canary) },
  ];
}

/** Before the first has passed there is nothing to be glad of, and nothing to look after until it is late. */
function checked(overview: Overview | null, age: number | null): Pick<Figure, "tone" | "mark"> {
  if (age === null) return UNKNOWN;
  if (age > CANARY_LATE_S * 1000) return { tone: "bad", mark: "✕" };
  return overview?.canary_passed ? { tone: "good", mark: "✓" } : { tone: "plain", mark: "…" };
}

function unhandled(overview: Overview | null, age: number | null): Pick<Figure, "tone" | "mark"> {
  if (overview === null || overview.oldest_unhandled_ms === undefined) return UNKNOWN;
  if (age === null) return { tone: "good", mark: "✓" };
  return age > UNHANDLED_LATE_MS ? { tone: "bad", mark: "✕" } : { tone: "waits", mark: "▲" };
}

export interface PromiseKept {
  name: PromiseName;
  kept: Kept | null;
  tone: Tone;
  mark: string;
}

/** Today's promises: kept, broken, or nothing to keep yet. */
export function promisesOf(promises: Promises | null): PromiseKept[] {
  return PROMISES.map((name) => {
    const kept = promises?.[name] ?? null;
    if (kept === null) return { name, kept, ...UNKNOWN };
    if (kept.of === 0) return { name, kept, tone: "plain", mark: "–" };
    return kept.kept < kept.of ? { name, kept, tone: "bad", mark: "✕" } : { name, kept, tone: "good", mark: "✓" };
  });
}
