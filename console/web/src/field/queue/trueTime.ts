// When something was really done, by the platform's clock, on a phone that may be offline for hours and whose own clock may be set
// meanwhile. Pure: takes what clocks showed, gives Unix ms.
//
// Two clocks of the phone are read: the wall clock, which people and networks set, and the monotonic one, which nobody sets but which
// may stand still while the phone sleeps and begins anew with every life of the page.

/** The platform's last word on time, and what the phone's clocks showed at that moment. */
export interface Anchor {
  serverMs: number;
  wallMs: number;
  monoMs: number;
  /** Platform ms per real ms: 1, but for scenarios. */
  rate: number;
  life: string;
}

/** What the phone's clocks showed when something was done, beside the last word of the platform before. */
export interface Stamp {
  wallMs: number;
  monoMs: number;
  life: string;
  anchor: Anchor | null;
}

const AGREE_MS = 2000;

/** Whether both clocks of the phone ran alike between two moments of one life: it did not sleep and its clock was not set. */
export function agree(from: Pick<Stamp, "wallMs" | "monoMs">, to: Pick<Stamp, "wallMs" | "monoMs">): boolean {
  return Math.abs(to.wallMs - from.wallMs - (to.monoMs - from.monoMs)) <= AGREE_MS;
}

/** Real ms from an anchor to a stamp, by whichever clock can be believed. Never negative. */
function elapsed(from: Anchor, to: Pick<Stamp, "wallMs" | "monoMs" | "life">): number {
  const wall = to.wallMs - from.wallMs;
  if (to.life !== from.life) return Math.max(0, wall);
  const mono = Math.max(0, to.monoMs - from.monoMs);
  // The wall clock behind the monotonic one was set back; before it, the phone slept (or the clock was set forward: told later).
  return wall > mono + AGREE_MS ? wall : mono;
}

/** The best that can be said at once, Unix ms of the platform. */
export function reckon(stamp: Stamp): number {
  return stamp.anchor === null ? stamp.wallMs : Math.round(stamp.anchor.serverMs + elapsed(stamp.anchor, stamp) * stamp.anchor.rate);
}

/** The best that can be said once the platform is heard again: now the phone's clock can be checked over the whole stretch. */
export function settle(stamp: Stamp, heard: Anchor, notBeforeMs: number): number {
  return Math.max(notBeforeMs, Math.min(heard.serverMs, Math.round(between(stamp, heard))));
}

function between(stamp: Stamp, heard: Anchor): number {
  const before = stamp.anchor;
  // Counted back from now: what the wall clock says passed since.
  const back = heard.serverMs - Math.max(0, heard.life === stamp.life ? heard.monoMs - stamp.monoMs : heard.wallMs - stamp.wallMs) * heard.rate;
  if (before === null) return heard.life === stamp.life ? Math.min(back, heard.serverMs - Math.max(0, heard.wallMs - stamp.wallMs) * heard.rate) : back;
  const passed = (heard.serverMs - before.serverMs) / before.rate;
  const honest = Math.abs(heard.wallMs - before.wallMs - passed) <= AGREE_MS + passed * 0.001;
  if (honest) return before.serverMs + Math.max(0, stamp.wallMs - before.wallMs) * before.rate;
  // The wall clock was set in between. The monotonic one, where it ran all along, knows.
  const sameLife = before.life === stamp.life && stamp.life === heard.life;
  if (sameLife && Math.abs(heard.monoMs - before.monoMs - passed) <= AGREE_MS + passed * 0.001) {
    return before.serverMs + Math.max(0, stamp.monoMs - before.monoMs) * before.rate;
  }
  if (before.life === stamp.life) return Math.max(before.serverMs, reckonByMono(stamp, before));
  return Math.max(before.serverMs, back);
}

function reckonByMono(stamp: Stamp, before: Anchor): number {
  return before.serverMs + Math.max(0, stamp.monoMs - before.monoMs) * before.rate;
}
