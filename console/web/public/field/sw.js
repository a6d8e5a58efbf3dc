// Keeps the technician's page on the phone, so that it also starts without reception. Keeps the page alone: never an answer of the
// API, never a photo, never anybody's name.
//
// The page itself is asked for at the platform first, for at most three seconds, because a newer platform brings a newer page; its
// files are named by their content and are taken from here. When a newer page has come whole, the files of the old one go.

const SHELL = "gas-sentinel-field-shell-1";
const PAGE = "/field/";
const ALSO = ["/field/manifest.webmanifest", "/icon.svg"];
const WAIT_MS = 3000;

function filesOf(html) {
  return [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map((found) => found[1]);
}

/** Keep a page only together with every file that it names: half a page would not start. */
async function keep(response) {
  const html = await response.clone().text();
  const files = [...new Set([...filesOf(html), ...ALSO])];
  const shell = await caches.open(SHELL);
  const had = new Set((await shell.keys()).map((request) => new URL(request.url).pathname));
  await Promise.all(files.filter((path) => !had.has(path) || ALSO.includes(path)).map((path) => shell.add(new Request(path, { cache: "no-cache" }))));
  await shell.put(PAGE, response.clone());
  const wanted = new Set([PAGE, ...files]);
  for (const request of await shell.keys()) {
    const path = new URL(request.url).pathname;
    if (!wanted.has(path) && !(await namedInside(shell, wanted, path))) await shell.delete(request);
  }
}

/** A file that no page names may still be loaded by one of the kept files. */
async function namedInside(shell, wanted, path) {
  const name = path.slice(path.lastIndexOf("/") + 1);
  for (const each of wanted) {
    if (!each.endsWith(".js")) continue;
    const kept = await shell.match(each);
    if (kept && (await kept.text()).includes(name)) return true;
  }
  return false;
}

async function fresh() {
  // AbortSignal.timeout is younger than the phones that this is for.
  const late = new AbortController();
  setTimeout(() => late.abort(), WAIT_MS);
  const response = await fetch(PAGE, { cache: "no-cache", credentials: "same-origin", signal: late.signal });
  if (!response.ok) throw new Error(`page: ${response.status}`);
  return response;
}

addEventListener("install", (event) => {
  event.waitUntil(fresh().then(keep).then(() => skipWaiting()));
});

addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name.startsWith("gas-sentinel-field-") && name !== SHELL) await caches.delete(name);
      await clients.claim();
    })(),
  );
});

async function page(event) {
  const shell = await caches.open(SHELL);
  try {
    const response = await fresh();
    event.waitUntil(keep(response.clone()).catch(() => undefined));
    return response;
  } catch {
    return (await shell.match(PAGE)) ?? Response.error();
  }
}

async function file(request) {
  const shell = await caches.open(SHELL);
  const kept = await shell.match(request, { ignoreVary: true });
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) await shell.put(request, response.clone());
  return response;
}

addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (request.mode === "navigate" && url.pathname.startsWith(PAGE)) event.respondWith(page(event));
  else if (url.pathname.startsWith("/assets/") || ALSO.includes(url.pathname)) event.respondWith(file(request));
});
