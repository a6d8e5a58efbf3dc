// The pages of the operations centre by address. Each folder brings its own routes; who is not signed in goes to the door first.

import { shallowRef, watch } from "vue";
import { createRouter, createWebHistory, type RouteLocationResolved, type RouteRecordRaw } from "vue-router";
import { refusalOf, type Refusal } from "./shared/api";
import { unattended } from "./shared/attendance";
import { language, t } from "./shared/i18n";
import { missing } from "./shared/missing";
import { fieldOnly, may, readSession, signedOutTo } from "./shared/session";
import "./shared/routes";
import signin from "./signin/routes";
import { forgetWhenSignedOut } from "./desk/handover/draft";
import desk from "./desk/routes";

type Brought = { default?: RouteRecordRaw[]; routes?: RouteRecordRaw[] };
const brought = Object.values(import.meta.glob<Brought>(["./wall/routes.ts", "./desk/more.ts", "./demo/routes.ts"], { eager: true }));

export const pages: RouteRecordRaw[] = [...signin, ...desk, ...brought.flatMap((folder) => folder.default ?? folder.routes ?? [])];

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: "/", redirect: "/desk" },
    ...pages,
    { path: "/:rest(.*)*", component: () => import("./NotFound.vue"), meta: { title: "shell.not_found" } },
  ],
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
});

forgetWhenSignedOut(router);

/** Set while the console could not be asked who we are. */
export const doorProblem = shallowRef<Refusal | null>(null);

router.beforeEach(async (to) => {
  if (to.meta.open) return true;
  try {
    const found = await readSession();
    doorProblem.value = null;
    if (found === null) return { path: "/signin", query: to.fullPath === "/desk" ? {} : { to: to.fullPath } };
    if (fieldOnly()) {
      location.assign("/field/");
      return false;
    }
  } catch (error) {
    doorProblem.value = refusalOf(error);
  }
  return true;
});

/** How many incidents nobody has acknowledged: a tab in the background says it in its title. */
export const wanting = shallowRef(0);

export function titled(): void {
  const { title } = router.currentRoute.value.meta;
  const count = wanting.value > 0 ? `(${wanting.value}) ` : "";
  document.title = count + (title ? `${t(title)} · ` : "") + t("shell.product");
}
router.afterEach(titled);

router.onError((_error, to) => {
  if (missing.value !== null) missing.value = to.fullPath;
});
router.afterEach((_to, _from, failure) => {
  if (!failure) missing.value = null;
});
watch([wanting, language], titled);

/** What stands above every page of the desk. */
export const deskWatch = () => import("./desk/Watch.vue");

/** The wall reads for itself, and the doors have nobody to tell. */
export function watched(page: Pick<RouteLocationResolved, "matched" | "meta">): boolean {
  return page.matched.length > 0 && !page.meta.bare && !page.meta.open;
}

/** Fetches the page that was asked for, and what the shell shows above it, while the console still says who we are. */
export function fetchFirst(): void {
  const found = router.resolve(location.pathname);
  const loads: unknown[] = found.matched.map((record) => record.components?.default);
  if (watched(found)) loads.push(deskWatch);
  for (const load of loads) if (typeof load === "function") void (load as () => Promise<unknown>)().catch(() => undefined);
}

export function allowed(right: Parameters<typeof may>[0] | undefined): boolean {
  return may(right ?? "read");
}

signedOutTo((out) => {
  const here = router.currentRoute.value;
  if (here.meta.open) return;
  void router.push({ path: "/signin", query: out ? {} : { to: here.fullPath, ended: unattended() ? "unattended" : "" } });
});
