// The first page: open incidents as a line of clocks, fed by the event stream. All text goes in as text, never as markup.

import { WORDS } from "/static/words.js";

const SHOWN_OPEN = 12;
const SHOWN_RECENT = 5;
const STORIES_AT_ONCE = 6;
const STALE_AFTER_MS = 2800; // the server speaks every 2 s; said on the screen before 3 s are over
const ANNOUNCED = new Set([
  "opened", "leak_again", "closed_locally", "reported_closed", "no_answer", "refused", "travel_time_over", "assign", "wait", "call_key",
  "on_site", "no_access", "made_safe", "tightness_test", "restore", "closed",
]);
const STEPS = ["T0", "T3", "valve", "T6b", "T7", "T8", "T11", "T12", "T13", "T14"];
// Valve, telephone and crew run side by side: each has a step of its own that is waited for.
const TRACK = { T0: "line", T2: "line", T3: "valve", valve: "valve", T6b: "phone", T7: "phone" };
// Kinds that neither close nor call go another way.
const STEPS_OF_KIND = { past_leak: ["T0", "T2", "T8", "T9", "T11", "T12"], unknown_sender: ["T0", "T2", "T8", "T9"], garbled_alarm: ["T0", "T2", "T8", "T9"] };
const VALVE_LOOKS = {
  reported_closed: ["good", "✓"], opened: ["good", "◉"], commanded: ["waits", "…"], accepted: ["waits", "…"],
  no_answer: ["bad", "✕"], refused: ["bad", "✕"], travel_time_over: ["bad", "✕"], no_meter: ["bad", "✕"],
};
const CALL_LOOKS = { confirmed: ["good", "✓"], under_way: ["waits", "☎"], heard_unconfirmed: ["waits", "?"], help_needed: ["bad", "!"] };

let language = "zh";
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
const say = () => WORDS[language];

// --- small makers of text ------------------------------------------------------------------------------------------------------------

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const hidden = (text) => {
  const mark = element("span", "mark", text);
  mark.setAttribute("aria-hidden", "true");
  return mark;
};

const beijing = new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const timeOf = (ms) => beijing.format(ms);
const timeToTenth = (ms) => `${timeOf(ms)}.${Math.floor((((ms % 1000) + 1000) % 1000) / 100)}`;

function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return say().seconds(seconds);
  if (seconds < 3600) return say().minutes(Math.floor(seconds / 60), String(seconds % 60).padStart(2, "0"));
  return say().hours(Math.floor(seconds / 3600), String(Math.floor((seconds % 3600) / 60)).padStart(2, "0"));
}

function afterAlarm(ms) {
  if (ms < 0) return `−${(-ms / 1000).toFixed(2)} s`;
  if (ms < 10_000) return `+${(ms / 1000).toFixed(2)} s`;
  if (ms < 60_000) return `+${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1000);
  const two = (value) => String(value).padStart(2, "0");
  const minutes = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return `+${seconds < 3600 ? minutes : `${Math.floor(seconds / 3600)}:${minutes}`}`;
}

const serverNow = () => (clock === null ? Date.now() : clock.now_ms + (performance.now() - clock.at) * clock.rate);
const methane = (value) => `${Math.round(value * 10) / 10} %LEL`;

// --- one incident --------------------------------------------------------------------------------------------------------------------

function stampOf(clocks, step) {
  if (step !== "valve") return clocks[step];
  return [clocks.T1, clocks.T4].filter((ms) => ms !== null).sort((a, b) => a - b)[0] ?? null;
}

function fact(name, looks, words, small) {
  const value = element("dd", looks ? looks[0] : "", looks ? hidden(looks[1]) : null, words);
  if (small) value.append(element("small", "", small));
  return element("div", "", element("dt", "", name), value);
}

function factsOf(incident) {
  const words = say();
  const facts = element("dl", "facts");
  if (incident.ch4_lel === null) facts.append(fact(words.methane, null, words.noMethane));
  else facts.append(fact(words.methane, null, methane(incident.ch4_lel), incident.alarm_lel === null ? null : words.setPoint(methane(incident.alarm_lel))));
  const cause = incident.valve_cause_words ? words.byLinkage(incident.valve_cause_words[language]) : null;
  facts.append(fact(words.valve, VALVE_LOOKS[incident.valve], incident.valve_words[language], cause));
  const call = incident.call;
  facts.append(call ? fact(words.call, CALL_LOOKS[call.outcome] ?? ["waits", "☎"], call.words[language], call.name) : fact(words.call, null, words.noCall));
  const order = incident.order;
  if (order) {
    const who = [order.words[language], order.crew_id ? words.crew(order.crew_id) : words.noCrew, order.technician_id].filter(Boolean);
    facts.append(fact(words.order, null, order.order_no, who.join(" · ")));
  } else facts.append(fact(words.order, null, words.noOrder));
  return facts;
}

function stepsOf(incident) {
  const words = say();
  const list = element("ol", "steps");
  list.setAttribute("aria-label", words.clocks);
  const waited = new Set();
  for (const step of STEPS_OF_KIND[incident.kind] ?? STEPS) {
    const ms = stampOf(incident.clocks, step);
    const track = TRACK[step] ?? "crew";
    const state = ms !== null ? "done" : incident.state === "open" && !waited.has(track) ? "next" : "later";
    if (state === "next") waited.add(track);
    const mark = { done: "✓ ", next: "▸ ", later: "○ " }[state];
    const item = element("li", state, element("span", "", hidden(mark), words.steps[step]));
    if (ms !== null) item.append(element("b", "", step === "T0" ? timeOf(ms) : afterAlarm(ms - incident.clocks.T0)));
    else item.append(element("b", "", state === "next" ? words.waiting : incident.state === "open" ? "–" : words.none));
    if (step === "valve" && ms !== null && ms === incident.clocks.T1) item.append(element("small", "", words.locally));
    list.append(item);
  }
  return list;
}

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
  const title = element("h3", "", incident[`address_${language}`]);
  title.id = `place-${incident.incident_id}`;
  card.root.setAttribute("aria-labelledby", title.id);
  const kind = element("p", "kind", hidden(open ? "⚠ " : "✓ "), incident.kind_words[language], open ? "" : ` · ${words.closed}`);
  if (incident.simulated) kind.append(element("span", "tag", words.simulatedTag));
  card.since = element("b");
  card.head.replaceChildren(kind, title, element("p", "since", card.since, element("span", "", open ? words.since : words.took)));
  card.body.replaceChildren(factsOf(incident), stepsOf(incident));
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
      return element("li", "", time, element("span", "", entry[language]));
    }),
  );
}

/** Of many re-sends in a row the first and the last are told; their count is in the sentence. */
function folded(entries) {
  const isResend = (index) => entries[index]?.kind === "close_resent";
  return entries.filter((_, index) => !(isResend(index) && isResend(index - 1) && isResend(index + 1)));
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
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const spoken of document.querySelectorAll("[data-say]")) spoken.textContent = say()[spoken.dataset.say];
  $("zh").setAttribute("aria-pressed", String(language === "zh"));
  $("en").setAttribute("aria-pressed", String(language === "en"));
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
  language = chosen;
  try {
    localStorage.setItem("language", chosen);
  } catch {
    // A browser that keeps nothing still switches.
  }
  drawFixed();
  drawAll();
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

let districtSimulated = false;
function showFigures(figures) {
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
      if (ANNOUNCED.has(data.kind)) $("announced").textContent = `${data[`address_${language}`]}：${data[language]}`;
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
  language = wanted.toLowerCase().startsWith("zh") ? "zh" : "en";
  $("zh").addEventListener("click", () => setLanguage("zh"));
  $("en").addEventListener("click", () => setLanguage("en"));
  drawFixed();
  heardAt = performance.now();
  connect();
  setInterval(watchOver, 200);
  setInterval(readFigures, 10_000);
}

begin();
