// A list of the API page by page: reads on by its cursor, and reads everything that is shown again when something may have been missed.

import { getCurrentScope, onScopeDispose, shallowRef, watch, type ShallowRef } from "vue";
import { get, refusalOf, type Query, type Refusal } from "@/shared/api";
import type { Page } from "@/shared/model";
import { useLive, type Handlers, type Live } from "@/shared/stream";

const PAGE = 50;
const MOST_PAGES = 40;

export interface Listing<T> extends Live {
  items: ShallowRef<T[]>;
  /** There is more behind what is shown. */
  hasMore: ShallowRef<boolean>;
  readingMore: ShallowRef<boolean>;
  moreProblem: ShallowRef<Refusal | null>;
  more: () => Promise<void>;
}

/** `query` is watched: another one is another list. `everyMs`: what the stream does not tell of is read again so often. */
export function useListing<T>(path: string, query: () => Query, options: { handlers?: Handlers; everyMs?: number; limit?: number } = {}): Listing<T> {
  const items = shallowRef<T[]>([]);
  const hasMore = shallowRef(false);
  const readingMore = shallowRef(false);
  const moreProblem = shallowRef<Refusal | null>(null);
  const limit = options.limit ?? PAGE;
  let cursor: string | null = null;
  let pages = 1;
  // Whatever began before the last reading of all belongs to an older list.
  let edition = 0;

  async function read(): Promise<void> {
    const asked = query();
    const mine = ++edition;
    const found: T[] = [];
    let after: string | null = null;
    let got = 0;
    do {
      const page: Page<T> = await get<Page<T>>(path, { ...asked, limit, after });
      found.push(...page.items);
      after = page.next;
      got += 1;
    } while (after !== null && got < Math.min(pages, MOST_PAGES));
    if (mine !== edition) return;
    items.value = found;
    cursor = after;
    hasMore.value = after !== null;
  }

  const live = useLive(read, options.handlers);

  async function more(): Promise<void> {
    if (cursor === null || readingMore.value) return;
    readingMore.value = true;
    moreProblem.value = null;
    const mine = edition;
    try {
      const page = await get<Page<T>>(path, { ...query(), limit, after: cursor });
      if (mine !== edition) return;
      items.value = [...items.value, ...page.items];
      pages += 1;
      cursor = page.next;
      hasMore.value = cursor !== null;
    } catch (error) {
      const refusal = refusalOf(error);
      // A cursor of a list that is no more: begin again.
      if (refusal.reason === "bad_cursor") live.again();
      else moreProblem.value = refusal;
    } finally {
      readingMore.value = false;
    }
  }

  watch(
    () => JSON.stringify(query()),
    () => {
      pages = 1;
      live.again();
    },
  );
  if (options.everyMs) every(options.everyMs, live.again);
  return { ...live, items, hasMore, readingMore, moreProblem, more };
}

/** Calls again and again while the component lives and the page is looked at. */
export function every(ms: number, act: () => void): void {
  const timer = setInterval(() => {
    if (document.visibilityState !== "hidden") act();
  }, ms);
  if (getCurrentScope()) onScopeDispose(() => clearInterval(timer));
}

/** One call for many: after the last of a burst, and at the latest `ms` after its first. */
export function gathered(ms: number, act: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  if (getCurrentScope()) onScopeDispose(() => clearTimeout(timer));
  return () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      act();
    }, ms);
  };
}
