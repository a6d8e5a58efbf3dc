// Opens the operations centre: theme, language, session, pages. Asks who we are while the page's parts still load.

import { createApp } from "vue";
import "element-plus/theme-chalk/base.css";
import "element-plus/theme-chalk/dark/css-vars.css";
import "./shared/theme.css";
import "./shared/messages";
import App from "./App.vue";
import { fetchFirst, router } from "./router";
import { i18n } from "./shared/i18n";
import { readSession } from "./shared/session";

document.documentElement.classList.add("dark");
void readSession().catch(() => undefined);
fetchFirst();
createApp(App).use(i18n).use(router).mount("#app");
