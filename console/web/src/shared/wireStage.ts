// The other end of the event stream for tests of pages: what a browser's EventSource would give, told by hand. Stands in for
// `EventSource` alone; everything on this side of it is the real one.

export class Source extends EventTarget {
  static readonly OPEN = 1;
  static readonly CLOSED = 2;
  /** Every connection that was made, oldest first. */
  static made: Source[] = [];
  readyState = 0;

  constructor(readonly url: string) {
    super();
    Source.made.push(this);
  }

  static get last(): Source {
    const last = Source.made.at(-1);
    if (last === undefined) throw new Error("nobody has asked for the event stream");
    return last;
  }

  open(): void {
    this.readyState = Source.OPEN;
    this.dispatchEvent(new Event("open"));
  }

  say(name: string, thing: unknown = {}): void {
    this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(thing) }));
  }

  close(): void {
    this.readyState = Source.CLOSED;
  }
}
