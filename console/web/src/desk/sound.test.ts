// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

/** A browser's AudioContext, as far as it may sound: told by hand what the browser thinks. */
class Speaker {
  static last: Speaker;
  static tones = 0;
  static willing = true;
  state: AudioContextState = "suspended";
  currentTime = 0;
  destination = {};
  onstatechange: (() => void) | null = null;
  private waiting: (() => void)[] = [];

  constructor() {
    Speaker.last = this;
  }

  become(state: AudioContextState): void {
    this.state = state;
    this.onstatechange?.();
    if (state === "running") for (const go of this.waiting.splice(0)) go();
  }

  async resume(): Promise<void> {
    if (this.state === "closed") throw new DOMException("closed", "InvalidStateError");
    if (Speaker.willing) return this.become("running");
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  createOscillator() {
    return { type: "", frequency: { value: 0 }, connect: (next: object) => next, start: () => void (Speaker.tones += Number(this.state === "running")), stop: () => undefined };
  }

  createGain() {
    return { gain: { setValueAtTime: () => undefined, linearRampToValueAtTime: () => undefined }, connect: () => undefined };
  }
}

let page: typeof import("./sound");

beforeEach(async () => {
  vi.useFakeTimers();
  vi.resetModules();
  localStorage.clear();
  vi.stubGlobal("AudioContext", Speaker);
  Object.assign(Speaker, { tones: 0, willing: true });
  page = await import("./sound");
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});
const settled = () => vi.advanceTimersByTimeAsync(0);
const toned = async (act: () => void): Promise<number> => {
  Speaker.tones = 0;
  act();
  await settled();
  return Speaker.tones;
};

describe("the sound of a desk", () => {
  it("is on after a click, and heard", async () => {
    expect(page.sound.value).toBe("ask");
    expect(await toned(page.alarmTone)).toBe(0);
    await page.toggleSound();
    expect(page.sound.value).toBe("on");
    expect(await toned(page.alarmTone)).toBe(6);
  });

  it("is not said to be on while the browser has taken it back", async () => {
    await page.allowSound();
    Speaker.last.become("suspended");
    expect(page.sound.value).toBe("ask");
    Speaker.last.become("running");
    expect(page.sound.value).toBe("on");
  });

  it("is asked for again before a tone, so that an alarm is heard", async () => {
    await page.allowSound();
    Speaker.last.become("suspended");
    expect(await toned(page.alarmTone)).toBe(6);
    expect(page.sound.value).toBe("on");
  });

  it("comes back with the next click anywhere; what was to be heard long before that is not sounded then", async () => {
    await page.allowSound();
    Speaker.willing = false;
    Speaker.last.become("suspended");
    expect(await toned(page.alarmTone)).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    Speaker.willing = true;
    expect(await toned(() => void document.body.click())).toBe(0);
    expect(page.sound.value).toBe("on");
    expect(await toned(page.reminderTone)).toBe(1);
  });

  it("that was closed is made anew by a click", async () => {
    await page.allowSound();
    const before = Speaker.last;
    before.become("closed");
    expect(await toned(page.alarmTone)).toBe(0);
    expect(page.sound.value).toBe("ask");
    await page.toggleSound();
    expect(Speaker.last).not.toBe(before);
    expect(page.sound.value).toBe("on");
  });

  it("that nobody wants stays off, whatever the browser thinks", async () => {
    await page.allowSound();
    await page.toggleSound();
    Speaker.last.become("suspended");
    Speaker.last.become("running");
    expect(page.sound.value).toBe("off");
    expect(await toned(page.alarmTone)).toBe(0);
  });

  it("is switched on, and not off again, by a click on its own button", async () => {
    localStorage.setItem("sound", "on");
    vi.resetModules();
    page = await import("./sound");
    const button = document.body.appendChild(document.createElement("button"));
    button.addEventListener("click", () => void page.toggleSound());
    button.dispatchEvent(new Event("pointerdown", { bubbles: true }));
    await settled();
    button.click();
    await settled();
    expect(page.sound.value).toBe("on");
  });
});
