// `/` anywhere on a page opens the search box over it, unless somebody is writing or a dialog is open: under that it could not be used.
// Fetches the box when it is first asked for.

import { session } from "@/shared/session";
import { dialogOpen } from "../keys";

const WRITES = "input, textarea, select, [contenteditable='true'], [role='textbox']";

export function wantsSearch(event: KeyboardEvent): boolean {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.isComposing) return false;
  const at = event.target;
  return !(at instanceof Element && at.closest(WRITES) !== null) && !dialogOpen();
}

export function listen(): void {
  document.addEventListener("keydown", (event) => {
    if (session.value === null || !wantsSearch(event)) return;
    event.preventDefault();
    void import("./quick").then((quick) => quick.openSearch());
  });
}
