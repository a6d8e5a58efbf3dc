// Entry of the technician's page.

import "vant/es/style/base.css";
import "vant/es/button/index.css";
import "vant/es/loading/index.css";
import "vant/es/overlay/index.css";
import "vant/es/popup/index.css";
import "./field.css";
import { createApp } from "vue";
import { createRouter, createWebHistory } from "vue-router";
import { i18n } from "@/shared/i18n";
import "./messages";
import App from "./App.vue";
import { ring } from "./alarm";
import { startPhone } from "./phone";
import { startWhereabouts } from "./whereabouts";
import DayView from "./views/DayView.vue";
import OrderView from "./views/OrderView.vue";

const router = createRouter({
  // The console, and the service worker where there is no reception, give this page at every path below it.
  history: createWebHistory("/field/"),
  routes: [
    { path: "/", component: DayView },
    { path: "/orders/:orderNo", component: OrderView, props: true },
    { path: "/:rest(.*)*", redirect: "/" },
  ],
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
});

createApp(App).use(i18n).use(router).mount("#app");
ring.listenForTouch();
void startPhone().then(startWhereabouts);

// Without one (a plain address in the office, some web views) everything but a cold start offline works all the same.
if ("serviceWorker" in navigator && isSecureContext) {
  addEventListener("load", () => void navigator.serviceWorker.register("/field/sw.js", { scope: "/field/" }).catch(() => undefined));
}
