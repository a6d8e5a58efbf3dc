// The operator's own pages: the list of incidents and the incident. The desk's other pages are in more.ts.

import type { RouteRecordRaw } from "vue-router";
import { addMessages } from "@/shared/i18n";
import "@/shared/routes";
import messages from "./messages";

addMessages("desk", messages);

const routes: RouteRecordRaw[] = [
  { path: "/desk", name: "desk", component: () => import("./Incidents.vue"), meta: { title: "desk.title", nav: { at: 10 } } },
  { path: "/desk/incidents/:id", name: "incident", component: () => import("./Incident.vue"), props: true, meta: { title: "desk.incident" } },
];

export default routes;
