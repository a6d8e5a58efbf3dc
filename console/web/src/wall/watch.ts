// Everything the wall watches, read and kept up to date: open incidents, figures, promises, places. Draws nothing. The first page of
// incidents and the figures are shown at once; the rest follows in the background, and until all of it is there nobody says "no leak".

import { onScopeDispose, shallowRef } from "vue";
import { get } from "@/shared/api";
import { serverNow } from "@/shared/clock";
import type { Page } from "@/shared/model";
import { on, useLive } from "@/shared/stream";
import { inOrder, waitedFor } from "./listed";
import { News, type Notice } from "./news";
import { Roll } from "./roll";
import type { CityMap, Estate, Incident, Overview, Promises } from "./things";

const FIRST_PAGE = 50;
const PAGE = 200;
const FIGURES_MS = 5_000;
/** The console counts at most once a second: several changes at once are one question. */
const FIGURES_SOON_MS = 1_100;
const PROMISES_MS = 20_000;
const PROMISES_SOON_MS = 3_000;
const AGAIN_MS = 2_000;
const PLACES_MS = 60_000;
const DRAW_MS = 150;
const NEWS_MS = 500;
const ORDER_MS = 1_000;

export function useWatch() {
  const roll = new Roll();
  const news = new News();
  const incidents = shallowRef<readonly Incident[]>([]);
  const complete = shallowRef(false);
  const overview = shallowRef<Overview | null>(null);
  const promises = shallowRef<Promises | null>(null);
  const city = shallowRef<CityMap | null>(null);
  const estates = shallowRef<readonly Estate[]>([]);
  const notice = shallowRef<Notice | null>(null);
  const timers = new Set<ReturnType<typeof setTimeout>>();
  let turn = 0;
  let ended = false;

  /** `act` once, after `ms`, however often it was asked for meanwhile. */
  function once(ms: number, act: () => void): () => void {
    let waiting = false;
    return () => {
      if (waiting || ended) return;
      waiting = true;
      const timer = setTimeout(() => {
        timers.delete(timer);
        waiting = false;
        act();
      }, ms);
      timers.add(timer);
    };
  }

  let drawnAt = -Infinity;
  function drawNow(): void {
    drawnAt = performance.now();
    incidents.value = inOrder(roll.list(), serverNow());
    complete.value = roll.complete;
  }
  const drawSoon = once(DRAW_MS, drawNow);
  /** The first change is drawn at once, a storm of them a few times a second. */
  const draw = (): void => (performance.now() - drawnAt > DRAW_MS ? drawNow() : drawSoon());

  const readFigures = async (): Promise<void> => void (overview.value = await get<Overview>("/overview"));
  const readPromises = async (): Promise<void> => void (promises.value = await get<Promises>("/promise"));
  async function readPlaces(): Promise<void> {
    const outlined = city.value?.boundary != null;
    const [places, found] = await Promise.all([
      get<CityMap>("/map", outlined ? { boundary: false } : {}),
      get<{ items: Estate[] }>("/map/estates"),
    ]);
    city.value = { ...places, boundary: places.boundary ?? city.value?.boundary ?? null };
    estates.value = found.items;
  }
  /** What the wall can do without for a while: asked again by itself, one question at a time, and its age is shown. */
  function quietly(read: () => Promise<void>, failed: () => void = () => undefined): () => void {
    let asking = false;
    return () => {
      if (asking || ended) return;
      asking = true;
      void read()
        .catch(failed)
        .finally(() => (asking = false));
    };
  }
  const askFigures = quietly(readFigures);
  const askPromises = quietly(readPromises);
  const askPlaces = quietly(readPlaces, once(AGAIN_MS, () => askPlaces()));
  const figuresSoon = once(FIGURES_SOON_MS, askFigures);
  const promisesSoon = once(PROMISES_SOON_MS, askPromises);

  async function readAll(): Promise<void> {
    const mine = ++turn;
    const again = roll.complete;
    roll.begin();
    const figures = readFigures();
    figures.catch(() => undefined);
    // Incidents are drawn before anything else is asked for: it would share the browser and the console with them.
    const first = await get<Page<Incident>>("/incidents", { state: "open", limit: FIRST_PAGE });
    const fresh = roll.page(first.items);
    if (again) tell(fresh);
    if (first.next === null) roll.finish();
    drawNow();
    if (first.next !== null) void readRest(first.next, mine, again);
    askPlaces();
    askPromises();
    await figures;
  }

  async function readRest(from: string, mine: number, again: boolean): Promise<void> {
    try {
      for (let next: string | null = from; next !== null; ) {
        const page: Page<Incident> = await get<Page<Incident>>("/incidents", { state: "open", limit: PAGE, after: next });
        if (mine !== turn || ended) return;
        const fresh = roll.page(page.items);
        if (again) tell(fresh);
        draw();
        next = page.next;
      }
      roll.finish();
      draw();
    } catch {
      if (mine === turn && !ended) once(AGAIN_MS, live.again)();
    }
  }

  function tell(fresh: readonly Incident[]): void {
    if (fresh.length === 0) return;
    news.tell(fresh, performance.now());
    newsSoon();
  }
  const newsSoon = once(0, () => void (notice.value = news.look(performance.now())));

  const live = useLive(readAll, { crew: figuresSoon, order: figuresSoon });
  // Not held back while everything is read: the roll knows whose word is newer, and a new incident is seen at once.
  const openedMs = serverNow();
  onScopeDispose(
    on("incident", (incident) => {
      // While the first reading lasts, an incident that nobody has read yet need not be new.
      if (roll.take(incident) && (roll.complete || Math.max(incident.received_ms, incident.alarmed_again_ms ?? 0) > openedMs)) tell([incident]);
      draw();
      figuresSoon();
      promisesSoon();
    }),
  );

  const every = [
    setInterval(askFigures, FIGURES_MS),
    setInterval(askPromises, PROMISES_MS),
    setInterval(askPlaces, PLACES_MS),
    setInterval(() => {
      if (waitedFor(incidents.value)) draw();
    }, ORDER_MS),
    setInterval(() => {
      if (notice.value !== null) notice.value = news.look(performance.now());
    }, NEWS_MS),
  ];
  onScopeDispose(() => {
    ended = true;
    turn += 1;
    for (const timer of every) clearInterval(timer);
    for (const timer of timers) clearTimeout(timer);
  });

  return { incidents, complete, overview, promises, city, estates, notice, live };
}
