// The first page: open incidents as a line of clocks, fed by the event stream. All text goes in as text, never as markup.

import { answersOf, factsOf, folded, stepsOf } from "/static/incident.js";
import { duration, element, hidden, sentence, timeOf, timeToTenth } from "/static/text.js";
import { say, speech } from "/static/words.js";

const SHOWN_OPEN = 12;
const SHOWN_RECENT = 5;
const STORIES_AT_ONCE = 6;
const STALE_AFTER_MS = 2800; // the server speaks every 2 s; said on the screen before 3 s are over
const CANARY_LATE_S = 180; // as the line's health
const ANNOUNCED = new Set([
  "opened", "leak_again", "no_meter", "closed_locally", "reported_closed", "no_answer", "refused", "travel_time_over", "assign", "wait",
  "gas_still_flows", "valve_holds", "before_meter_suspected", "call_key", "arrive", "find_nobody", "make_safe", "pass_test", "fail_test", "opened_valve", "restore", "closed",
]);

let clock = null; // the server's last word on time: {now_ms, rate, live, since_ms, at}
let heardAt = 0;
let stream = null;
let waiting = null; // events that arrive while everything is being read
let loadAgain = false;
let loaded = false;
const incidents = new Map();
const stories = new Map();
const cards = new Map();

const $ = (id) => document.getElementById(id);

const serverNow = () => (clock === null ? Date.now() : clock.now_ms + (performance.now() - clock.at) * clock.rate);

// --- one incident --------------------------------------------------------------------------------------------------------------------

function newCard(id) {
  const card = { root: element("article", "incident fresh"), head: element("div", "head"), body: element("div"), details: element("details") };
  card.summary = element("summary");
  card.list = element("ol", "story");
  card.details.append(card.summary, card.list);
  card.details.addEventListener("toggle", () => {
    if (card.details.open && !stories.has(id)) void readStory(id);
  });
  card.root.append(card.head, card.body, card.details);
  cards.set(id, card);
  return card;
}

function draw(incident) {
  const words = say();
  const card = cards.get(incident.incident_id) ?? newCard(incident.incident_id);
  const open = incident.state === "open";
  card.root.classList.toggle("open", open);
  card.root.classList.toggle("finished", !open);
  const title = element("h3", "", incident[`address_${speech.language}`]);
  title.id = `place-${incident.incident_id}`;
  card.root.setAttribute("aria-labelledby", title.id);
  const kind = element("p", "kind", hidden(open ? "⚠ " : "✓ "), sentence(incident.kind_words[speech.language]), open ? "" : ` · ${words.closed}`);
  if (incident.simulated) kind.append(element("span", "tag", words.simulatedTag));
  card.since = element("b");
  card.head.replaceChildren(kind, title, element("p", "since", card.since, element("span", "", open ? words.since : words.took)));
  card.body.replaceChildren(...[factsOf(incident), open ? answersOf(incident) : null, stepsOf(incident)].filter(Boolean));
  tick(incident, card);
  drawStory(incident.incident_id);
  return card;
}

function tick(incident, card) {
  const end = incident.state === "open" ? serverNow() : incident.closed_ms ?? incident.clocks.T14;
  const text = end === null ? "–" : duration(end - incident.clocks.T0);
  if (card.since.textContent !== text) card.since.textContent = text;
}

function drawStory(id) {
  const card = cards.get(id);
  if (!card) return;
  const story = stories.get(id);
  const entries = story ? [...story.values()].sort((a, b) => a.at_ms - b.at_ms) : [];
  card.summary.textContent = story ? say().story(entries.length) : say().story("…");
  const told = folded(entries);
  if (!story) {
    card.list.replaceChildren(element("li", "", say().storyEmpty));
    return;
  }
  card.list.replaceChildren(
    ...told.map((entry) => {
      const time = element("time", "", timeToTenth(entry.at_ms));
      time.dateTime = new Date(entry.at_ms).toISOString();
      return element("li", "", time, element("span", "", entry[speech.language]));
    }),
  );
}

// --- the whole page ------------------------------------------------------------------------------------------------------------------

function drawAll() {
  const newest = [...incidents.values()].sort((a, b) => b.received_ms - a.received_ms);
  const open = newest.filter((incident) => incident.state === "open");
  const recent = newest.filter((incident) => incident.state !== "open").slice(0, SHOWN_RECENT);
  const shown = open.slice(0, SHOWN_OPEN);
  place($("open"), shown);
  place($("recent"), recent);
  drawQuiet();
  $("recent-section").hidden = recent.length === 0;
  $("more").hidden = open.length <= SHOWN_OPEN;
  $("more").textContent = say().more(open.length - SHOWN_OPEN);
  for (const id of [...incidents.keys()].filter((id) => ![...open, ...recent].some((incident) => incident.incident_id === id))) forget(id);
  for (const [id, card] of cards) {
    if (![...shown, ...recent].some((incident) => incident.incident_id === id)) {
      card.root.remove();
      cards.delete(id);
    }
  }
}

/** "No leak" is only said when it is known. */
function drawQuiet() {
  const open = [...incidents.values()].some((incident) => incident.state === "open");
  $("quiet").hidden = !loaded || open || document.body.classList.contains("stale");
}

function place(parent, list) {
  // Cards are moved only when their place changed, so that a story that somebody reads stays open and in focus.
  const roots = list.map((incident) => {
    const known = cards.has(incident.incident_id);
    const card = draw(incident);
    if (!known) card.details.open = incident.state === "open";
    return card.root;
  });
  roots.forEach((root, index) => {
    if (parent.children[index] !== root) parent.insertBefore(root, parent.children[index] ?? null);
  });
  while (parent.children.length > roots.length) parent.lastElementChild.remove();
}

function forget(id) {
  incidents.delete(id);
  stories.delete(id);
}

function drawFixed() {
  document.documentElement.lang = speech.language === "zh" ? "zh-CN" : "en";
  for (const spoken of document.querySelectorAll("[data-say]")) spoken.textContent = say()[spoken.dataset.say];
  $("zh").setAttribute("aria-pressed", String(speech.language === "zh"));
  $("en").setAttribute("aria-pressed", String(speech.language === "en"));
}

function drawLive() {
  const indicator = $("live");
  const silent = performance.now() - heardAt;
  let state = "live";
  let words = say().live;
  let time = timeOf(serverNow());
  if (clock === null) [state, words, time] = ["waiting", say().connecting, ""];
  else if (silent > STALE_AFTER_MS) {
    // What was last known for certain is the server's time in its last word.
    [state, words] = ["stale", say().stale];
    time = `${timeOf(clock.now_ms)} ${say().staleFor(duration(silent))}`;
  } else if (!clock.live) {
    [state, words] = ["stale", say().deaf];
    time = `${timeOf(clock.since_ms)} ${say().staleFor(duration(serverNow() - clock.since_ms))}`;
  }
  indicator.dataset.state = state;
  document.body.classList.toggle("stale", state === "stale");
  drawQuiet();
  if ($("live-words").textContent !== words) $("live-words").textContent = words;
  if ($("live-time").textContent !== time) $("live-time").textContent = time;
}

function setLanguage(chosen) {
  speech.language = chosen;
  try {
    localStorage.setItem("language", chosen);
  } catch {
    // A browser that keeps nothing still switches.
  }
  drawFixed();
  drawAll();
  drawWatch();
  drawLive();
}

// --- what the platform says ----------------------------------------------------------------------------------------------------------

async function read(path) {
  const response = await fetch(`/api/v1/${path}`, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

async function readStory(id) {
  try {
    const { items } = await read(`incidents/${id}/timeline`);
    const story = stories.get(id) ?? new Map();
    for (const entry of items) story.set(entry.entry_id, entry);
    stories.set(id, story);
    drawStory(id);
  } catch {
    // Tried again with the next sentence or the next look.
  }
}

let figuresWanted = false;
async function readFigures() {
  if (figuresWanted) return;
  figuresWanted = true;
  // The server counts at most once a second; several changes at once are one question.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  figuresWanted = false;
  try {
    showFigures(await read("overview"));
  } catch {
    // The live indicator says what is wrong.
  }
}

let watched = null;
function drawWatch() {
  if (watched === null) return;
  const number = new Intl.NumberFormat("en-US");
  const age = watched.canary_age_s;
  const parts = ["blind", "silent", "powerless"].map((condition) => [watched[condition] > 0 ? "waits" : "", say()[condition](number.format(watched[condition]))]);
  if (age === null) parts.push(["waits", say().canaryOff]);
  else parts.push([age > CANARY_LATE_S ? "bad" : "", say().canaryAge(duration(age * 1000))]);
  // Colour is never the only sign: what wants somebody's eye has a mark too.
  $("watch").replaceChildren(...parts.map(([look, text]) => element("span", look, look ? hidden("▲ ") : null, sentence(text))));
}

let districtSimulated = false;
function showFigures(figures) {
  watched = figures;
  drawWatch();
  const number = new Intl.NumberFormat("en-US");
  $("homes").textContent = number.format(figures.homes);
  $("incidents-open").textContent = number.format(figures.incidents_open);
  $("crews-free").textContent = `${figures.crews_free} / ${figures.crews}`;
  $("orders-waiting").textContent = number.format(figures.orders_waiting);
  districtSimulated = figures.homes_simulated > 0;
  showBanner();
}

function showBanner() {
  $("simulated").hidden = !districtSimulated && ![...incidents.values()].some((incident) => incident.simulated);
}

async function load() {
  if (waiting !== null) {
    loadAgain = true;
    return;
  }
  waiting = [];
  try {
    const [figures, open, closed] = await Promise.all([
      read("overview"), read("incidents?state=open&limit=100"), read(`incidents?state=closed&limit=${SHOWN_RECENT}`),
    ]);
    incidents.clear();
    stories.clear();
    for (const incident of [...open.items, ...closed.items]) incidents.set(incident.incident_id, incident);
    loaded = true;
    showFigures(figures);
    $("problem").hidden = true;
    drawAll();
    for (const [id, card] of [...cards].slice(0, STORIES_AT_ONCE)) if (card.details.open || cards.size <= STORIES_AT_ONCE) void readStory(id);
  } catch {
    $("problem").textContent = say().away;
    $("problem").hidden = false;
    setTimeout(load, 2000);
  }
  const held = waiting;
  waiting = null;
  for (const [name, data] of held) take(name, data);
  if (loadAgain) {
    loadAgain = false;
    void load();
  }
}

function take(name, data) {
  if (waiting !== null) {
    waiting.push([name, data]);
    return;
  }
  if (name === "incident") {
    if (data.kind === "canary") return;
    const fresh = !incidents.has(data.incident_id);
    const before = incidents.get(data.incident_id)?.state;
    incidents.set(data.incident_id, data);
    if (fresh || before !== data.state) {
      drawAll();
      void readFigures();
    } else if (cards.has(data.incident_id)) draw(data);
    if (fresh && cards.has(data.incident_id)) void readStory(data.incident_id);
    showBanner();
  } else if (name === "timeline") {
    if (data.incident_kind === "canary") return;
    const story = stories.get(data.incident_id);
    if (story && !story.has(data.entry_id)) {
      story.set(data.entry_id, data);
      drawStory(data.incident_id);
      if (ANNOUNCED.has(data.kind)) $("announced").textContent = `${data[`address_${speech.language}`]}：${data[speech.language]}`;
    } else if (!story && cards.get(data.incident_id)?.details.open) void readStory(data.incident_id);
  } else if (name === "order") void readFigures();
}

function connect() {
  stream?.close();
  stream = new EventSource("/api/v1/events");
  const heard = (event) => {
    heardAt = performance.now();
    return JSON.parse(event.data);
  };
  stream.addEventListener("clock", (event) => {
    clock = { ...heard(event), at: performance.now() };
    drawLive();
  });
  stream.addEventListener("resync", (event) => {
    heard(event);
    void load();
  });
  for (const name of ["incident", "timeline", "order"]) stream.addEventListener(name, (event) => take(name, heard(event)));
  stream.addEventListener("open", () => {
    heardAt = performance.now();
    void load();
  });
}

function watchOver() {
  drawLive();
  for (const [id, card] of cards) {
    const incident = incidents.get(id);
    if (incident) tick(incident, card);
  }
  // A browser gives up after a refusal, and waits for ever on a connection that leads nowhere.
  const silent = performance.now() - heardAt;
  if (silent > 7000 || (stream.readyState === EventSource.CLOSED && silent > 2000)) {
    heardAt = performance.now() - STALE_AFTER_MS - 1;
    connect();
  }
}

function begin() {
  let remembered = null;
  try {
    remembered = localStorage.getItem("language");
  } catch {
    // Then the browser's own language decides.
  }
  const asked = new URLSearchParams(location.search).get("lang");
  const wanted = [asked, remembered, ...navigator.languages].find(Boolean) ?? "zh";
  speech.language = wanted.toLowerCase().startsWith("zh") ? "zh" : "en";
  $("zh").addEventListener("click", () => setLanguage("zh"));
  $("en").addEventListener("click", () => setLanguage("en"));
  drawFixed();
  heardAt = performance.now();
  connect();
  setInterval(watchOver, 200);
  setInterval(readFigures, 10_000);
}

begin();
