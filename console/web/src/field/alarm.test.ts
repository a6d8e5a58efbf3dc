// @vitest-environment happy-dom
// The sound of a new order over a phone call: what the page says of its sound is so, and the tone comes back as soon as the phone allows it.
import { afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { ring } from "./alarm";

/** A context with the states of a phone's: nothing sounds before a touch, and a call takes the sound until it is over. */
class Context {
  static last: Context;
  state: "suspended" | "running" | "interrupted" = "suspended";
  /** Whether `resume` is heard: after a touch, and not during a call. */
  lets = true;
  currentTime = 0;
  tones = 0;
  resumes = 0;
  onstatechange: (() => void) | null = null;
  destination = {};
  private waiting: (() => void)[] = [];

  constructor() {
    Context.last = this;
  }
  resume(): Promise<void> {
    this.resumes += 1;
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      if (this.lets) this.become("running");
    });
  }
  /** As the phone wants it: whoever waited for it hears so. */
  become(state: Context["state"]): void {
    this.state = state;
    this.lets = state === "running";
    this.onstatechange?.();
    if (state === "running") for (const done of this.waiting.splice(0)) done();
  }
  createOscillator(): object {
    const part = { frequency: {}, connect: (next: object) => next, start: () => (this.tones += 1), stop: () => undefined };
    return part;
  }
  createGain(): object {
    return { gain: { setValueAtTime: () => undefined, exponentialRampToValueAtTime: () => undefined }, connect: (next: object) => next };
  }
}
const TONES = 4;
const later = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const sounded = (): number => {
  const { tones } = Context.last;
  Context.last.tones = 0;
  return tones / TONES;
};

beforeAll(async () => {
  vi.stubGlobal("AudioContext", Context);
  ring.listenForTouch();
  dispatchEvent(new Event("pointerdown"));
  await Promise.resolve();
});
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  Context.last.become("running");
  await later(0);
  sounded();
});
afterEach(() => {
  ring.stop();
  vi.useRealTimers();
});

it("says that it is silent while a call holds the sound, and that it sounds after it", () => {
  expect(ring.allowed.value).toBe(true);
  Context.last.become("interrupted");
  expect(ring.allowed.value).toBe(false);
  Context.last.become("running");
  expect(ring.allowed.value).toBe(true);
});

it("asks for the sound before each tone, and rings where the phone gives it", async () => {
  Context.last.become("suspended");
  Context.last.lets = true;
  ring.start();
  await later(0);
  expect([sounded(), ring.allowed.value]).toEqual([1, true]);
  await later(1600);
  expect(sounded()).toBe(1);
});

it("rings on after a call, with no tone for those that the call has swallowed", async () => {
  Context.last.become("interrupted");
  ring.start();
  const before = Context.last.resumes;
  await later(8000);
  expect([sounded(), Context.last.resumes - before > 3]).toEqual([0, true]);
  await later(1000);
  Context.last.become("running");
  await later(0);
  expect(sounded()).toBe(0);
  await later(1600);
  expect(sounded()).toBe(1);
});

it("is silent once somebody has looked, also where the phone gives the sound only then", async () => {
  Context.last.become("interrupted");
  ring.start();
  await later(0);
  ring.stop();
  Context.last.become("running");
  await later(0);
  expect(sounded()).toBe(0);
});
