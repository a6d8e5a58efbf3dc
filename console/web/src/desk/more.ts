// The desk's further pages: home, search, orders, crews, conditions, handover, administration. Each brings its words when it is opened.

import type { Component } from "vue";
import type { RouteRecordRaw } from "vue-router";
import { addMessages } from "@/shared/i18n";
import "@/shared/routes";
import messages from "./more/messages";
import { listen } from "./search/shortcut";

addMessages("more", messages);
listen();

type Tree = Parameters<typeof addMessages>[1];
type Words = { default: Tree };

/** A page that is fetched with its words, when it is first opened. */
function page(load: () => Promise<{ default: Component }>, name: string, words: () => Promise<Words>): () => Promise<Component> {
  return async () => {
    const [found, said] = await Promise.all([load(), words()]);
    addMessages(name, said.default);
    return found.default;
  };
}

const home = () => import("./home/messages");
const orders = () => import("./orders/messages");
const admin = () => import("./admin/messages");

const routes: RouteRecordRaw[] = [
  {
    path: "/desk/search",
    name: "search",
    component: page(() => import("./search/Search.vue"), "search", () => import("./search/messages")),
    meta: { title: "more.search", nav: { at: 20 } },
  },
  {
    path: "/desk/hotline",
    name: "hotline",
    component: page(() => import("./home/Hotline.vue"), "home", home),
    meta: { title: "more.hotline", nav: { at: 25 }, right: "hotline" },
  },
  { path: "/desk/homes/:id", name: "home", component: page(() => import("./home/Home.vue"), "home", home), props: true, meta: { title: "more.home" } },
  { path: "/desk/orders", name: "orders", component: page(() => import("./orders/Board.vue"), "orders", orders), meta: { title: "more.orders", nav: { at: 30 } } },
  {
    path: "/desk/orders/:no",
    name: "order",
    component: page(() => import("./orders/Order.vue"), "orders", orders),
    props: true,
    meta: { title: "more.order" },
  },
  {
    path: "/desk/crews",
    name: "crews",
    component: page(() => import("./crews/Crews.vue"), "crews", () => import("./crews/messages")),
    meta: { title: "more.crews", nav: { at: 40 } },
  },
  {
    path: "/desk/conditions",
    name: "conditions",
    component: page(() => import("./conditions/Conditions.vue"), "conditions", () => import("./conditions/messages")),
    meta: { title: "more.conditions", nav: { at: 50 } },
  },
  {
    path: "/desk/handover",
    name: "handover",
    component: page(() => import("./handover/Handover.vue"), "handover", () => import("./handover/messages")),
    meta: { title: "more.handover", nav: { at: 60 }, right: "handover" },
  },
  {
    path: "/desk/handovers",
    component: page(() => import("./handover/Handovers.vue"), "handover", () => import("./handover/messages")),
    meta: { title: "more.handover" },
  },
  {
    path: "/desk/handovers/:id",
    component: page(() => import("./handover/Signed.vue"), "handover", () => import("./handover/messages")),
    props: true,
    meta: { title: "more.handover" },
  },
  { path: "/admin", redirect: "/admin/users" },
  { path: "/admin/users", component: page(() => import("./admin/Users.vue"), "admin", admin), meta: { title: "more.users", nav: { at: 90 }, right: "users" } },
  { path: "/admin/tokens", component: page(() => import("./admin/Tokens.vue"), "admin", admin), meta: { title: "more.tokens", nav: { at: 91 }, right: "tokens" } },
  { path: "/admin/audit", component: page(() => import("./admin/Audit.vue"), "admin", admin), meta: { title: "more.audit", nav: { at: 92 }, right: "audit" } },
];

export default routes;
