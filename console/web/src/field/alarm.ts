// A loud sound and a shaking phone for a new order, while the app is open. Made here, of two tones: nothing is loaded.
//
//   ring.start() / ring.stop()    rings until somebody looks, two minutes at most
//   ring.allowed                  ref: whether the browser lets us sound; it does so only after a first touch

import { shallowRef } from "vue";

const EVERY_MS = 1600;
const LONGEST_MS = 120_000;
const SHAKE = [400, 150, 400, 150, 400];

let sound: AudioContext | null = null;
let timer: ReturnType<typeof setInterval> | undefined;
const allowed = shallowRef(false);

function wake(): void {
  try {
    sound ??= new AudioContext();
    void sound.resume().then(() => (allowed.value = sound?.state === "running"));
  } catch {
    allowed.value = false;
  }
}

/** Before a first touch a browser neither shakes nor sounds, and complains of a page that tries. */
function shake(pattern: number | number[]): void {
  if (navigator.userActivation?.hasBeenActive !== false) navigator.vibrate?.(pattern);
}

function once(): void {
  shake(SHAKE);
  if (sound === null || sound.state !== "running") return;
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
    once();
    const begun = performance.now();
    timer = setInterval(() => (performance.now() - begun > LONGEST_MS ? ring.stop() : once()), EVERY_MS);
  },
  stop(): void {
    clearInterval(timer);
    shake(0);
  },
  /** A browser sounds only after a first touch: every touch tries. */
  listenForTouch(): void {
    for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, wake, { passive: true });
  },
};
