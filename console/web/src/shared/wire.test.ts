import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openWire, type Wire } from "./wire";
import { Source } from "./wireStage";

/** What a browser gives beside connections: locks between tabs and a channel between them. */
class Channel extends EventTarget {
  static all = new Set<Channel>();
  constructor(readonly name: string) {
    super();
    Channel.all.add(this);
  }
  postMessage(data: unknown): void {
    for (const other of [...Channel.all]) if (other !== this && other.name === this.name) other.dispatchEvent(new MessageEvent("message", { data }));
  }
  close(): void {
    Channel.all.delete(this);
  }
}

interface Waiting {
  run: () => Promise<void>;
  lost: (error: Error) => void;
}

function locks() {
  const held = new Map<string, Waiting>();
  const queues = new Map<string, Waiting[]>();
  const grant = (name: string, next: Waiting) => {
    held.set(name, next);
    void next.run().finally(() => {
      if (held.get(name) !== next) return;
      held.delete(name);
      const following = queues.get(name)?.shift();
      if (following) grant(name, following);
    });
  };
  return {
    request(name: string, options: { steal?: boolean; signal?: AbortSignal }, work: () => Promise<void>): Promise<void> {
      return new Promise((resolve, reject) => {
        const mine: Waiting = { run: () => work().then(resolve, reject), lost: reject };
        options.signal?.addEventListener("abort", () => {
          const waiting = queues.get(name) ?? [];
          if (waiting.includes(mine)) {
            waiting.splice(waiting.indexOf(mine), 1);
            reject(new DOMException("aborted", "AbortError"));
          }
        });
        if (options.steal) {
          held.get(name)?.lost(new DOMException("stolen", "AbortError"));
          grant(name, mine);
        } else if (held.has(name)) queues.set(name, [...(queues.get(name) ?? []), mine]);
        else grant(name, mine);
      });
    },
  };
}

interface Tab {
  wire: Wire;
  heard: string[];
}

function tab(session = "s"): Tab {
  const heard: string[] = [];
  return { heard, wire: openWire(session, ["incident", "clock"], (name, data) => void heard.push(`${name} ${data}`), () => void heard.push("refused")) };
}

const tabs: Tab[] = [];
const open = (session?: string) => {
  const made = tab(session);
  tabs.push(made);
  return made;
};

beforeEach(() => {
  vi.useFakeTimers();
  Source.made = [];
  Channel.all.clear();
  vi.stubGlobal("EventSource", Source);
  vi.stubGlobal("BroadcastChannel", Channel);
  vi.stubGlobal("navigator", { locks: locks() });
});
afterEach(() => {
  for (const made of tabs.splice(0)) made.wire.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("the tabs of one session", () => {
  it("share one connection, and each hears everything", () => {
    const first = open();
    const second = open();
    expect(Source.made.length).toBe(1);
    Source.made[0]?.open();
    Source.made[0]?.say("incident", { a: 1 });
    expect([first.heard, second.heard]).toEqual([["open fresh", 'incident {"a":1}'], ["open fresh", 'incident {"a":1}']]);
  });

  it("a tab that comes later knows at once that somebody listens", () => {
    open();
    Source.made[0]?.open();
    expect(open().heard).toEqual(["open same"]);
  });

  it("the next one leads when the first is closed, and everything is read again", async () => {
    const first = open();
    const second = open();
    Source.made[0]?.open();
    first.wire.close();
    await vi.advanceTimersByTimeAsync(1);
    expect([Source.made.length, Source.made[0]?.readyState]).toEqual([2, Source.CLOSED]);
    Source.made[1]?.open();
    expect(second.heard).toEqual(["open fresh", "open fresh"]);
  });

  it("a leader that has fallen silent loses the lead, and hangs up", async () => {
    open();
    const second = open();
    Source.made[0]?.open();
    await vi.advanceTimersByTimeAsync(6_000);
    Source.made[0]?.say("clock");
    await vi.advanceTimersByTimeAsync(6_500);
    expect(Source.made.length).toBe(1);
    await vi.advanceTimersByTimeAsync(1_500);
    const leading = Source.made.filter((made) => made.readyState !== Source.CLOSED);
    expect(leading.length).toBe(1);
    leading[0]?.open();
    expect(second.heard.at(-1)).toBe("open fresh");
  });

  it("another session's tabs have a connection of their own", () => {
    open("s");
    open("t");
    expect(Source.made.length).toBe(2);
  });
});

describe("tabs of a browser that has locks and gives none", () => {
  it("have a connection each, ask for no lock again, and hear everything once", async () => {
    const request = vi.fn(() => Promise.reject(new DOMException("no origin", "SecurityError")));
    vi.stubGlobal("navigator", { locks: { request } });
    const first = open();
    const second = open();
    await vi.advanceTimersByTimeAsync(1_000);
    for (const made of Source.made) made.open();
    for (const made of Source.made) made.say("incident", { a: 1 });
    expect([Source.made.length, request.mock.calls.length]).toEqual([2, 2]);
    expect([first.heard, second.heard]).toEqual([["open fresh", 'incident {"a":1}'], ["open fresh", 'incident {"a":1}']]);
  });
});

describe("a tab alone", () => {
  beforeEach(() => vi.stubGlobal("navigator", {}));

  it("says so when the browser came back by itself, and when it had to begin anew", async () => {
    const only = open();
    Source.made[0]?.open();
    Source.made[0]?.open();
    expect(only.heard).toEqual(["open fresh", "open same"]);
    await vi.advanceTimersByTimeAsync(8_000);
    Source.made[1]?.open();
    expect(only.heard.at(-1)).toBe("open fresh");
  });

  it("asks who we are when it was refused, and tries again", async () => {
    const only = open();
    const first = Source.made[0] as Source;
    first.readyState = Source.CLOSED;
    await vi.advanceTimersByTimeAsync(3_000);
    expect([only.heard, Source.made.length]).toEqual([["refused"], 2]);
  });
});
