// The search box over the page that is open: an app of its own, made when it is first asked for, so that no page has to know of it. It
// goes with the session that opened it, and what it found goes with it.

import { createApp, shallowRef, watch } from "vue";
import { addMessages, i18n } from "@/shared/i18n";
import { session } from "@/shared/session";
import { router } from "@/router";
import messages from "./messages";
import QuickSearch from "./QuickSearch.vue";

addMessages("search", messages);
const open = shallowRef(false);
let remove: (() => void) | null = null;

export function openSearch(): void {
  if (session.value === null) return;
  if (remove === null) {
    const place = document.body.appendChild(document.createElement("div"));
    const app = createApp(QuickSearch, { open });
    app.use(i18n).use(router).mount(place);
    remove = () => {
      app.unmount();
      place.remove();
    };
  }
  open.value = true;
}

watch(
  () => session.value?.csrf,
  () => {
    open.value = false;
    remove?.();
    remove = null;
  },
);
