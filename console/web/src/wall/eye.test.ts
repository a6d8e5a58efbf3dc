// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { effectScope, ref, type EffectScope } from "vue";
import { CITY, lookAt, NEAR_M, type Box, type Frame } from "./camera";
import { useEye } from "./eye";

const FRAME: Frame = { box: CITY, width: 900, height: 600 };
let scope: EffectScope;

beforeEach(() => {
  vi.useFakeTimers();
  scope = effectScope();
});
afterEach(() => {
  scope.stop();
  vi.useRealTimers();
});

function eye() {
  const frame = ref(FRAME);
  const box = ref<Box>(CITY);
  const rests = vi.fn();
  const made = scope.run(() => useEye(frame, box, rests));
  if (!made) throw new Error("no scope");
  return { ...made, frame, rests };
}
const press = (key: string, more: KeyboardEventInit = {}) => new KeyboardEvent("keydown", { key, cancelable: true, ...more });

describe("the eye on the map", () => {
  it("sees the whole city, also when the frame changes", () => {
    const { here, frame, level } = eye();
    expect(here.value).toEqual(lookAt(FRAME, CITY));
    frame.value = { ...FRAME, width: 300 };
    expect(here.value).toEqual(lookAt({ ...FRAME, width: 300 }, CITY));
    expect(level.value).toBe("city");
  });

  it("goes to an estate, a building and back", () => {
    const { goTo, whole, level, near, rests } = eye();
    goTo([113, 28.2], NEAR_M.estate);
    expect([level.value, near.value]).toEqual(["estate", true]);
    goTo([113, 28.2], NEAR_M.building);
    expect(level.value).toBe("building");
    whole();
    expect([level.value, near.value]).toEqual(["city", false]);
    expect(rests).toHaveBeenCalledOnce();
  });

  it("is led by keys, and leaves the browser its own", () => {
    const { key, here, camera } = eye();
    const before = here.value;
    key(press("+"));
    expect(here.value.zoom).toBeGreaterThan(before.zoom);
    key(press("ArrowRight"));
    expect(here.value.center[0]).toBeGreaterThan(before.center[0]);
    key(press("ArrowUp"));
    expect(here.value.center[1]).toBeGreaterThan(before.center[1]);
    key(press("Escape"));
    expect(camera.value).toBeNull();
    for (const event of [press("+", { ctrlKey: true }), press("Tab"), press("a")]) {
      key(event);
      expect(event.defaultPrevented).toBe(false);
    }
    expect(camera.value).toBeNull();
  });

  it("comes back to the whole city when nobody touches anything", () => {
    const { goTo, camera } = eye();
    goTo([113, 28.2], NEAR_M.estate);
    vi.advanceTimersByTime(170_000);
    document.dispatchEvent(new Event("pointerdown"));
    vi.advanceTimersByTime(170_000);
    expect(camera.value).not.toBeNull();
    vi.advanceTimersByTime(10_001);
    expect(camera.value).toBeNull();
  });
});
