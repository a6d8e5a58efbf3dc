// A part of the pages that could not be fetched: the console cannot be reached, or has new pages since this one was opened.

import { shallowRef } from "vue";

/** The address that has to be loaded anew for it; null while everything came. */
export const missing = shallowRef<string | null>(null);

// What Vite tells of any part that is fetched when it is first needed.
addEventListener("vite:preloadError", () => (missing.value ??= location.pathname + location.search));
