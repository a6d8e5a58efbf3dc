// The sound of a new incident: three short tones, and one every half minute while somebody still has to acknowledge.
// A browser allows it only after a click; until then `sound` says so and the page asks for one.
//
//   sound         "ask" | "on" | "off";  allowSound() from a click or key;  toggleSound()
//   alarmTone()   a new incident;  reminderTone()   still not acknowledged

import { shallowRef } from "vue";

const KEPT = "sound";
let context: AudioContext | null = null;

export const sound = shallowRef<"ask" | "on" | "off">(wish() === "off" ? "off" : "ask");

function wish(): string | null {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

function keep(value: "on" | "off"): void {
  try {
    localStorage.setItem(KEPT, value);
  } catch {
    // Asked again next time.
  }
}

export async function allowSound(): Promise<void> {
  context ??= new AudioContext();
  await context.resume();
  if (context.state !== "running") return;
  sound.value = "on";
  keep("on");
}

export async function toggleSound(): Promise<void> {
  if (sound.value === "on") {
    sound.value = "off";
    keep("off");
    return;
  }
  await allowSound();
  tone(660, 0, 0.12);
}

function tone(hertz: number, afterS: number, lengthS: number): void {
  if (context === null || sound.value !== "on") return;
  const begin = context.currentTime + afterS;
  const wave = context.createOscillator();
  const loudness = context.createGain();
  wave.type = "triangle";
  wave.frequency.value = hertz;
  loudness.gain.setValueAtTime(0, begin);
  loudness.gain.linearRampToValueAtTime(0.5, begin + 0.02);
  loudness.gain.setValueAtTime(0.5, begin + lengthS - 0.03);
  loudness.gain.linearRampToValueAtTime(0, begin + lengthS);
  wave.connect(loudness).connect(context.destination);
  wave.start(begin);
  wave.stop(begin + lengthS);
}

export function alarmTone(): void {
  for (let index = 0; index < 3; index += 1) {
    tone(988, index * 0.36, 0.16);
    tone(740, index * 0.36 + 0.17, 0.16);
  }
}

export function reminderTone(): void {
  tone(740, 0, 0.2);
}

// Where somebody once said yes, the first click or key of a new page is enough.
if (sound.value === "ask" && wish() === "on") {
  const begin = () => {
    removeEventListener("pointerdown", begin);
    removeEventListener("keydown", begin);
    void allowSound();
  };
  addEventListener("pointerdown", begin);
  addEventListener("keydown", begin);
}
