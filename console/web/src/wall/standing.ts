// What stands on the ground: estates, and the buildings of those that are looked at. The buildings are asked for when they come into view,
// a few estates at a time, and kept for a while. Draws nothing.

import { computed, shallowRef, watch, type Ref } from "vue";
import { get } from "@/shared/api";
import { pixelOf, type Camera, type Frame } from "./camera";
import { placed, type Position } from "./datum";
import type { Building, Estate } from "./things";

export interface Spot<Thing> {
  thing: Thing;
  place: Position;
}

const ESTATES_LOOKED_INTO = 8;
const OLD_MS = 120_000;

/** The name may stand in two communities of a district. */
export const keyOf = ({ district_code, community = "", estate }: Estate): string => `${district_code}/${community}/${estate}`;

function spotsOf<Thing extends { lon: number | null; lat: number | null; coord_datum?: string | null }>(things: readonly Thing[]): Spot<Thing>[] {
  return things.flatMap((thing) => {
    const place = placed(thing.lon, thing.lat, thing.coord_datum ?? "WGS-84");
    return place === null ? [] : [{ thing, place }];
  });
}

/** The estates in view, half a frame around it included, the nearest to the middle first. */
export function inView(spots: readonly Spot<Estate>[], frame: Frame, camera: Camera): Spot<Estate>[] {
  const { width, height } = frame;
  return spots
    .map((spot) => ({ spot, at: pixelOf(frame, camera, spot.place) }))
    .filter(({ at: [x, y] }) => x > -width / 2 && y > -height / 2 && x < width * 1.5 && y < height * 1.5)
    .map(({ spot, at: [x, y] }) => ({ spot, far: Math.hypot(x - width / 2, y - height / 2) }))
    .sort((a, b) => a.far - b.far)
    .slice(0, ESTATES_LOOKED_INTO)
    .map(({ spot }) => spot);
}

export function useStanding(estates: Ref<readonly Estate[]>, frame: Ref<Frame>, here: Ref<Camera>, near: Ref<boolean>) {
  const known = shallowRef<ReadonlyMap<string, { items: readonly Building[]; at: number }>>(new Map());
  const spots = computed(() => spotsOf(estates.value));
  const lookedAt = computed(() => (near.value ? inView(spots.value, frame.value, here.value) : []));

  function keep(key: string, items: readonly Building[]): void {
    known.value = new Map(known.value).set(key, { items, at: performance.now() });
  }

  watch(lookedAt, (found) => {
    for (const { thing } of found) {
      const key = keyOf(thing);
      const before = known.value.get(key);
      if (before && performance.now() - before.at < OLD_MS) continue;
      keep(key, before?.items ?? []);
      void get<{ items: Building[] }>("/map/buildings", { estate: thing.estate, district_code: thing.district_code, community: thing.community })
        .then(({ items }) => keep(key, items))
        // Without its buildings an estate stays one point; it is asked again when it is looked at the next time.
        .catch(() => void (known.value = new Map([...known.value].filter(([other]) => other !== key))));
    }
  });

  const buildings = computed(() => lookedAt.value.flatMap(({ thing }) => spotsOf(known.value.get(keyOf(thing))?.items ?? [])));
  /** Estates that are drawn as one point: those whose buildings are not drawn. */
  const whole = computed(() => {
    const opened = new Set(lookedAt.value.map(({ thing }) => keyOf(thing)).filter((key) => known.value.get(key)?.items.length));
    return opened.size === 0 ? spots.value : spots.value.filter(({ thing }) => !opened.has(keyOf(thing)));
  });
  return { spots, lookedAt, buildings, whole };
}
