// Where somebody looks on the map: the whole city, unless he goes nearer by key, button or mark; left alone, the whole city again, because
// nobody works at a wall. Draws nothing.

import { computed, onScopeDispose, shallowRef, type Ref } from "vue";
import { levelOf, lookAt, lookAtPlace, moved, type Box, type Camera, type Frame } from "./camera";
import type { Position } from "./datum";

const IDLE_MS = 180_000;
const WOKEN = ["pointerdown", "keydown", "wheel"] as const;
const STEP = 0.2;
const TIMES = 1.6;

export function useEye(frame: Ref<Frame>, box: Ref<Box>, atRest: () => void) {
  /** null: the whole city, however the frame changes. */
  const camera = shallowRef<Camera | null>(null);
  const here = computed<Camera>(() => camera.value ?? lookAt(frame.value, box.value));
  const level = computed(() => levelOf(frame.value, here.value));
  const near = computed(() => level.value === "estate" || level.value === "building");

  const look = (found: Camera | null): void => void (camera.value = found);
  const step = (right: number, up: number, times = 1): void => look(moved(frame.value, here.value, right, up, times));
  const nearer = (): void => step(0, 0, TIMES);
  const farther = (): void => step(0, 0, 1 / TIMES);
  const goTo = (place: Position, metres: number): void => look(lookAtPlace(frame.value, place, metres));
  function whole(): void {
    look(null);
    atRest();
  }

  function key(event: KeyboardEvent): void {
    const acts: Record<string, () => void> = {
      ArrowLeft: () => step(-STEP, 0), ArrowRight: () => step(STEP, 0), ArrowUp: () => step(0, STEP), ArrowDown: () => step(0, -STEP),
      "+": nearer, "=": nearer, "-": farther, Home: whole, Escape: whole, "0": whole,
    };
    const act = acts[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  }

  let idle: ReturnType<typeof setTimeout> | undefined;
  function touched(): void {
    clearTimeout(idle);
    idle = setTimeout(whole, IDLE_MS);
  }
  for (const name of WOKEN) document.addEventListener(name, touched, { passive: true });
  touched();
  onScopeDispose(() => {
    clearTimeout(idle);
    for (const name of WOKEN) document.removeEventListener(name, touched);
  });

  return { camera, here, level, near, look, nearer, farther, goTo, whole, key };
}
