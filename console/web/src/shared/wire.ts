// The one connection to the event stream that all tabs of a session share. A browser allows six connections to a console over
// HTTP/1.1, and every open incident in a tab of its own would take one: the seventh tab would stand still.
//
// One tab leads: it holds a lock, has the connection and passes on what it hears; the next one leads when it is closed. A tab that
// hears nothing for too long takes the lead away. Where a browser gives no locks every tab has its own connection.
//
//   openWire(session, take, refused)   take(name, data) for every event, and "open" with data "fresh" when something may have been
//                                      missed, "same" when not;  close() hangs up
//
// Knows no meaning of any event.

export interface Wire {
  close: () => void;
}

type Take = (name: string, data: string) => void;

const ADDRESS = "/api/v1/events";
const SILENT_MS = 7000;
const AGAIN_MS = 2000;
const LOOK_MS = 500;

export function openWire(session: string, names: readonly string[], take: Take, refused: () => void): Wire {
  const shared = typeof BroadcastChannel === "function" && typeof navigator !== "undefined" && navigator.locks !== undefined;
  const channel = shared ? new BroadcastChannel(`stream ${session}`) : null;
  const ended = new AbortController();
  let source: EventSource | null = null;
  let heardAt = performance.now();
  let openedAt = 0;
  let stepDown: () => void = () => undefined;
  let stealing = false;

  function tell(name: string, data: string): void {
    heardAt = performance.now();
    channel?.postMessage({ name, data });
    take(name, data);
  }

  function connect(): void {
    source?.close();
    openedAt = performance.now();
    const mine = new EventSource(ADDRESS);
    source = mine;
    let opened = false;
    mine.addEventListener("open", () => {
      // A browser that comes back by itself names the last event it had: the server repeats what followed, or says resync.
      tell("open", opened ? "same" : "fresh");
      opened = true;
    });
    for (const name of names) mine.addEventListener(name, (event) => tell(name, (event as MessageEvent<string>).data));
  }

  function hangUp(): void {
    source?.close();
    source = null;
  }

  function lead(): Promise<void> {
    return new Promise((resolve) => {
      stepDown = () => {
        hangUp();
        resolve();
      };
      if (ended.signal.aborted) resolve();
      else connect();
    });
  }

  async function queue(steal: boolean): Promise<void> {
    if (ended.signal.aborted) return;
    try {
      // A lock can be taken away or waited for with an end, not both.
      await navigator.locks.request(`stream ${session}`, steal ? { steal: true } : { signal: ended.signal }, lead);
    } catch (error) {
      hangUp();
      if (ended.signal.aborted) return;
      // Another tab took the lead; or the browser has locks and gives none, as in a frame without an origin.
      if (error instanceof DOMException && error.name === "AbortError") void queue(false);
      else connect();
    }
  }

  function look(): void {
    const silent = performance.now() - heardAt;
    if (source !== null) {
      const shut = source.readyState === EventSource.CLOSED;
      if (shut && performance.now() - openedAt > AGAIN_MS) {
        refused();
        if (!ended.signal.aborted) connect();
      } else if (!shut && silent > SILENT_MS && performance.now() - openedAt > SILENT_MS) connect();
    } else if (channel !== null && silent > SILENT_MS && !stealing) {
      stealing = true;
      heardAt = performance.now();
      void queue(true).finally(() => (stealing = false));
    }
  }

  if (channel === null) connect();
  else {
    channel.addEventListener("message", (event: MessageEvent<{ name: string; data: string }>) => {
      const { name, data } = event.data;
      if (name === "hello") {
        if (source?.readyState === EventSource.OPEN) channel.postMessage({ name: "open", data: "same" });
        return;
      }
      if (source !== null) return;
      heardAt = performance.now();
      take(name, data);
    });
    channel.postMessage({ name: "hello", data: "" });
    void queue(false);
  }
  const timer = setInterval(look, LOOK_MS);

  return {
    close() {
      clearInterval(timer);
      ended.abort();
      stepDown();
      hangUp();
      channel?.close();
    },
  };
}
