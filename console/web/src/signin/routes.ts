// The doors: signing in, the first user, the link of the demo.

import type { RouteRecordRaw } from "vue-router";
import { addMessages } from "@/shared/i18n";
import "@/shared/routes";
import messages from "./messages";

addMessages("signin", messages);

const routes: RouteRecordRaw[] = [
  { path: "/signin", component: () => import("./SignIn.vue"), meta: { title: "signin.title", open: true } },
  { path: "/setup", component: () => import("./SetUp.vue"), meta: { title: "signin.setup_door", open: true } },
  { path: "/demo", component: () => import("./Demo.vue"), meta: { title: "signin.demo_title", open: true } },
];

export default routes;
