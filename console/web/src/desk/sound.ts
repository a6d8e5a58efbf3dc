// The sound of a new incident: three short tones, and one every half minute while somebody still has to acknowledge.
// A browser allows it only after a click, and may take it back; while it does not, `sound` says so and the page asks for a click.
//
//   sound         "ask" | "on" | "off";  allowSound() from a click or key;  toggleSound()
//   alarmTone()   a new incident;  reminderTone()   still not acknowledged

import { shallowRef } from "vue";

const KEPT = "sound";
const LATE_MS = 2_000;
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

/** What the browser made of it: a machine that slept, a headset that was pulled out. Whoever wants no sound is asked for nothing. */
function heardState(): void {
  if (context === null || sound.value === "off") return;
  sound.value = context.state === "running" ? "on" : "ask";
  if (sound.value === "ask") awaitTouch();
}

/** Whether it can sound now. Where the browser waits for a click, the answer comes with that. */
async function resumed(): Promise<boolean> {
  if (context === null) return false;
  if (context.state !== "running") await context.resume().catch(() => undefined);
  return context.state === "running";
}

export async function allowSound(): Promise<void> {
  // One that was closed stays closed.
  if (context === null || context.state === "closed") {
    context = new AudioContext();
    context.onstatechange = heardState;
  }
  if (!(await resumed())) return;
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
  await play([[660, 0, 0.12]]);
}

/** Hertz, seconds from now, seconds long. */
type Tone = readonly [hertz: number, afterS: number, lengthS: number];

async function play(tones: readonly Tone[]): Promise<void> {
  if (context === null || sound.value === "off") return;
  if (context.state !== "running") {
    const asked = performance.now();
    // What was to be heard a while ago is not sounded with the click that allows it.
    if (!(await resumed()) || performance.now() - asked > LATE_MS) return;
  }
  for (const each of tones) tone(context, each);
}

function tone(context: AudioContext, [hertz, afterS, lengthS]: Tone): void {
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
  void play([0, 0.36, 0.72].flatMap((at): Tone[] => [[988, at, 0.16], [740, at + 0.17, 0.16]]));
}

export function reminderTone(): void {
  void play([[740, 0, 0.2]]);
}

function touched(): void {
  removeEventListener("click", touched);
  removeEventListener("keyup", touched);
  if (sound.value === "ask") void allowSound();
}

/** Where somebody once said yes, the next click or key is enough. Its end, so that one on the button itself does not switch off again what it began. */
function awaitTouch(): void {
  addEventListener("click", touched);
  addEventListener("keyup", touched);
}

if (sound.value === "ask" && wish() === "on") awaitTouch();
