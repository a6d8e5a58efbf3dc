// Sends what is kept, one act after the other, for as long as the platform answers. Decides when to try; what becomes of an act is
// decided by act.ts. A crash at any point sends again under the same key: an act is forgotten only after its answer was heard.

import { after, again, isStep, next, pauseAfter, type Act, type NewAct, type Outcome } from "./act";
import type { Kept, Past } from "./kept";
import { settle, type Anchor } from "./trueTime";

export interface Outside {
  /** One try to send; never throws. `broken`: a step wants to leave before this picture. */
  post(act: Act, broken?: AbortSignal): Promise<Outcome>;
  /** The platform's time as it is now, asked for where it was not heard lately; null while it cannot be heard. */
  anchor(): Promise<Anchor | null>;
  /** Whose acts are sent now; null while nobody is signed in. */
  who(): string | null;
  newKey(): string;
  /** Platform time, Unix ms. */
  nowMs(): number;
  /** Runs one sender at a time over all windows of this phone. */
  alone?(work: () => Promise<void>): Promise<void>;
  /** What is kept could not be read or written, twice; it is tried again. Nothing that was kept is forgotten. */
  broken?(error: unknown): void;
}

const BROKEN_MS = 5000;

export type Told = (acts: Act[], ended: { act: Act; outcome: Outcome } | null) => void;

export class Sender {
  private running: Promise<void> | null = null;
  private wanted = false;
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stopped = false;
  /** Breaks off the picture that is on its way. */
  private picture: AbortController | null = null;

  constructor(
    private readonly kept: Kept,
    private readonly outside: Outside,
    private readonly told: Told,
  ) {}

  /** Keep an act. It is on the phone's disk when this resolves, and on no account when it rejects; sending follows by itself. */
  async take(act: NewAct): Promise<Act> {
    const taken = await this.kept.add(act);
    await this.show();
    if (isStep(taken)) await this.makeWay();
    this.kick();
    return taken;
  }

  /** Try now: somebody signed in, reception is back, or an act was taken. */
  kick(): void {
    if (this.stopped) return;
    clearTimeout(this.timer);
    this.wanted = true;
    if (this.running !== null) return;
    this.running = this.run().catch((error: unknown) => {
      this.failed(error);
      if (!this.stopped) this.timer = setTimeout(() => this.kick(), BROKEN_MS);
    }).finally(() => {
      this.running = null;
      if (this.wanted && !this.stopped) this.kick();
    });
  }

  /** Resolves when the present run is over. */
  async idle(): Promise<void> {
    while (this.running !== null) await this.running;
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** The technician wants a refused act sent once more. */
  async again(act: Act): Promise<void> {
    await this.kept.put(again(act, this.outside.newKey()));
    await this.show();
    await this.makeWay();
    this.kick();
  }

  /** The technician has read the refusal and gives the act up. */
  async drop(act: Act): Promise<void> {
    await this.kept.end(act, this.past(act, "dropped"));
    await this.show();
    await this.makeWay();
    this.kick();
  }

  /** Where a step can leave now, the picture on its way waits behind it; it is sent again under its key. */
  private async makeWay(): Promise<void> {
    const who = this.outside.who();
    if (this.picture === null || who === null) return;
    const first = next(await this.kept.acts().catch(() => []), who);
    if (first !== null && isStep(first)) this.picture?.abort();
  }

  private async run(): Promise<void> {
    this.wanted = false;
    const work = () => this.sendAll();
    await (this.outside.alone ? this.outside.alone(work) : work());
  }

  private async sendAll(): Promise<void> {
    while (!this.stopped) {
      const who = this.outside.who();
      const act = who === null ? null : next(await this.kept.acts(), who);
      if (act === null) return;
      this.picture = isStep(act) ? null : new AbortController();
      const ready = await this.settled(act);
      const outcome = ready === null ? ({ kind: "unreachable" } as const) : await this.outside.post(ready, this.picture?.signal);
      this.picture = null;
      await this.became(ready ?? act, outcome);
      const pause = pauseAfter(outcome, this.failures);
      this.failures = outcome.kind === "unreachable" ? this.failures + 1 : 0;
      if (pause === 0) continue;
      if (pause !== null) this.timer = setTimeout(() => this.kick(), pause);
      return;
    }
  }

  /** With its true time, on disk before it is sent: under one key there is one body. */
  private async settled(act: Act): Promise<Act | null> {
    if (act.happenedMs !== null) return act;
    const anchor = await this.outside.anchor();
    if (anchor === null) return null;
    const last = `last step:${act.orderNo}`;
    // Steps one after the other, whatever the phone's clock did: the same time twice would look like the same act told twice.
    const floor = isStep(act) ? Math.max(act.notBeforeMs, ((await this.kept.note<number>(last)) ?? 0) + 1) : act.notBeforeMs;
    const ready = { ...act, happenedMs: settle(act.stamp, anchor, floor) };
    await this.kept.put(ready);
    if (isStep(act)) await this.kept.setNote(last, ready.happenedMs);
    return ready;
  }

  private async became(act: Act, outcome: Outcome): Promise<void> {
    const left = after(act, outcome);
    if (left === null) await this.kept.end(act, this.past(act, "sent"));
    else if (left !== act) await this.kept.put(left);
    await this.tell(outcome.kind === "unreachable" || outcome.kind === "put_off" ? null : { act, outcome });
  }

  private past(act: Act, end: Past["end"]): Past {
    return { orderNo: act.orderNo, what: act.what, happenedMs: act.happenedMs, end, atMs: this.outside.nowMs(), refused: act.refused };
  }

  /** What was kept is kept, also where the list cannot be read now. */
  private show(): Promise<void> {
    return this.tell(null).catch((error: unknown) => this.failed(error));
  }

  private failed(error: unknown): void {
    if (this.outside.broken === undefined) throw error;
    this.outside.broken(error);
  }

  private async tell(ended: { act: Act; outcome: Outcome } | null): Promise<void> {
    this.told(await this.kept.acts(), ended);
  }
}
