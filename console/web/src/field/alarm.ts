// A loud sound and a shaking phone for a new order, and for a new leak at one under way, while the app is open. Made here, of two tones:
// nothing is loaded.
//
//   ring.start() / ring.stop()    rings until somebody looks, two minutes at most
//   ring.allowed                  ref: whether the browser lets us sound; it does so only after a first touch, and a phone call may take it back

import { shallowRef } from "vue";

const EVERY_MS = 1600;
const LONGEST_MS = 120_000;
/** A tone that the browser lets through later than this, ms, has the next one at its heels. */
const LATE_MS = 800;
const SHAKE = [400, 150, 400, 150, 400];

let sound: AudioContext | null = null;
let timer: ReturnType<typeof setInterval> | undefined;
const allowed = shallowRef(false);

function wake(): void {
  try {
    // One that was closed stays closed.
    if (sound === null || sound.state === "closed") {
      sound = new AudioContext();
      sound.onstatechange = heardState;
    }
    void resumed();
  } catch {
    allowed.value = false;
  }
}

/** What the browser and the phone make of it. */
function heardState(): void {
  allowed.value = sound?.state === "running";
}

/** Whether it can sound now; where the phone waits for a touch or for the end of a call, the answer comes with that. */
async function resumed(): Promise<boolean> {
  if (sound !== null && sound.state !== "running") await sound.resume().catch(() => undefined);
  heardState();
  return allowed.value;
}

/** Before a first touch a browser neither shakes nor sounds, and complains of a page that tries. */
function shake(pattern: number | number[]): void {
  if (navigator.userActivation?.hasBeenActive !== false) navigator.vibrate?.(pattern);
}

async function once(): Promise<void> {
  shake(SHAKE);
  const asked = performance.now();
  if (!(await resumed()) || sound === null || timer === undefined || performance.now() - asked > LATE_MS) return;
  const start = sound.currentTime;
  for (const [at, hertz] of [[0, 880], [0.22, 1245], [0.44, 880], [0.66, 1245]] as const) {
    const tone = sound.createOscillator();
    const volume = sound.createGain();
    tone.type = "square";
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(0.0001, start + at);
    volume.gain.exponentialRampToValueAtTime(0.5, start + at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, start + at + 0.2);
    tone.connect(volume).connect(sound.destination);
    tone.start(start + at);
    tone.stop(start + at + 0.21);
  }
}

export const ring = {
  allowed,
  start(): void {
    ring.stop();
    const begun = performance.now();
    timer = setInterval(() => void (performance.now() - begun > LONGEST_MS ? ring.stop() : once()), EVERY_MS);
    void once();
  },
  stop(): void {
    clearInterval(timer);
    timer = undefined;
    shake(0);
  },
  /** A browser sounds only after a first touch: every touch tries. */
  listenForTouch(): void {
    for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, wake, { passive: true });
  },
};
