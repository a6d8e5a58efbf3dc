// The demonstration's one page of its own, on the way to the technician's.

import type { RouteRecordRaw } from "vue-router";
import "../shared/routes";

const routes: RouteRecordRaw[] = [
  { path: "/desk/technician/:orderNo", component: () => import("./AsTechnician.vue"), props: true, meta: { title: "demo.as_technician", right: "demo" } },
];

export default routes;
