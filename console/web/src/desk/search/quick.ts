// The search box over the page that is open: an app of its own, made once, so that no page has to know of it.

import { createApp, shallowRef } from "vue";
import { addMessages, i18n } from "@/shared/i18n";
import { router } from "@/router";
import messages from "./messages";
import QuickSearch from "./QuickSearch.vue";

addMessages("search", messages);
const open = shallowRef(false);
let made = false;

export function openSearch(): void {
  if (!made) {
    made = true;
    const place = document.body.appendChild(document.createElement("div"));
    createApp(QuickSearch, { open }).use(i18n).use(router).mount(place);
  }
  open.value = true;
}
