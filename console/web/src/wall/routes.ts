// The wall's own page. It stands without the navigation: it is looked at, not worked on.

import type { RouteRecordRaw } from "vue-router";
import { addMessages } from "@/shared/i18n";
import "@/shared/routes";
import messages from "./messages";

addMessages("wall", messages);

export const routes: RouteRecordRaw[] = [
  { path: "/wall", name: "wall", component: () => import("./Wall.vue"), meta: { title: "wall.title", nav: { at: 5 }, bare: true } },
];

export default routes;
